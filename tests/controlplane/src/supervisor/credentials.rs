//! Certificates, keys, tokens and kubeconfigs of one control plane.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use controlplane::Component;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use super::Stop;

/// Where the credentials of one control plane lie: all in its data folder,
/// which only its user can read.
pub(crate) struct Credentials {
    folder: PathBuf,
    port: u16,
}

/// User and groups of a token. Each component has its own, so that the audit
/// log tells who asked for what.
struct Identity {
    file: &'static str,
    user: &'static str,
    groups: &'static str,
}

const ADMIN: Identity = Identity {
    file: "admin",
    user: "admin",
    groups: "system:masters",
};

const COMPONENTS: [Identity; 3] = [
    // Its controllers share its token rather than one ServiceAccount each,
    // which would double the time to start; so it needs the rights of them all.
    Identity {
        file: "kube-controller-manager",
        user: "system:kube-controller-manager",
        groups: "system:masters",
    },
    Identity {
        file: "kube-scheduler",
        user: "system:kube-scheduler",
        groups: "",
    },
    Identity {
        file: "kwok",
        user: "kwok",
        groups: "system:masters",
    },
];

impl Credentials {
    /// Makes all of them anew in `folder`, for an API server on `port`.
    pub(crate) fn create(folder: &Path, port: u16) -> Result<Self, Stop> {
        let this = Self {
            folder: folder.to_owned(),
            port,
        };
        this.write_certificates()
            .map_err(Stop::because("making certificates"))?;
        let mut tokens = String::new();
        for identity in std::iter::once(&ADMIN).chain(&COMPONENTS) {
            let token = random_token()?;
            let Identity { file, user, groups } = identity;
            tokens.push_str(&format!("{token},{user},{file},\"{groups}\"\n"));
            this.write(
                &format!("{file}.kubeconfig"),
                &this.kubeconfig(user, &token),
            )?;
        }
        this.write("tokens.csv", &tokens)?;
        Ok(this)
    }

    pub(crate) fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn admin_kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    pub(crate) fn kubeconfig_of(&self, component: Component) -> PathBuf {
        self.folder.join(format!("{component}.kubeconfig"))
    }

    /// The certificate that signed the API server's.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    /// The key that signs ServiceAccount tokens.
    pub(crate) fn service_account_key(&self) -> PathBuf {
        self.folder.join("service-account.key")
    }

    /// The key that verifies ServiceAccount tokens.
    pub(crate) fn service_account_public_key(&self) -> PathBuf {
        self.folder.join("service-account.pub")
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.csv")
    }

    fn write_certificates(&self) -> Result<(), Box<dyn std::error::Error>> {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        ca.distinguished_name = named("controlplane-ca");
        let ca_key = KeyPair::generate()?;
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);

        let mut server = CertificateParams::new(vec![
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
            "kubernetes".to_owned(),
            "kubernetes.default".to_owned(),
            "kubernetes.default.svc".to_owned(),
        ])?;
        server.distinguished_name = named("kube-apiserver");
        server.use_authority_key_identifier_extension = true;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;

        write_private(&self.ca(), &ca_certificate.pem())?;
        write_private(&self.server_certificate(), &server_certificate.pem())?;
        write_private(&self.server_key(), &server_key.serialize_pem())?;
        let service_accounts = KeyPair::generate()?;
        write_private(
            &self.service_account_key(),
            &service_accounts.serialize_pem(),
        )?;
        write_private(
            &self.service_account_public_key(),
            &service_accounts.public_key_pem(),
        )?;
        Ok(())
    }

    /// A kubeconfig, as JSON, which is YAML too.
    fn kubeconfig(&self, user: &str, token: &str) -> String {
        let name = "controlplane";
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {
                "server": self.server(),
                "certificate-authority": self.ca(),
            }}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
            "current-context": name,
        });
        format!("{config:#}\n")
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Stop> {
        let path = self.folder.join(name);
        write_private(&path, text).map_err(Stop::because(path.display()))
    }
}

fn named(common_name: &str) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

fn random_token() -> Result<String, Stop> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Stop::because("making a token"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
