//! A control plane, and what is installed on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use controlplane::{Action, Component, ControlPlane, Options};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{Kubectl, Result, Space};

/// The namespace that Projsync is installed in.
pub const HOME: &str = "projsync-system";

/// The operator's service account in its namespace.
pub const ACCOUNT: &str = "projsync";

/// For how long its tokens are good, in seconds.
const TOKEN: i64 = 24 * 3600;

/// The definitions, by kubectl.
pub const DEFINITIONS: [&[&str]; 2] = [
    &["apply", "-k", "config/crd"],
    &["wait", "--for=condition=Established", "crd", "--all"],
];

/// What else an operator outside the cluster needs of what `make deploy` installs, by kubectl.
pub const RIGHTS: [&[&str]; 3] = [
    &["create", "namespace", HOME],
    &["apply", "-k", "config/rbac"],
    &["apply", "-k", "config/admission"],
];

/// A control plane with an audit log. It ends when dropped.
pub struct Cluster {
    plane: ControlPlane,
}

/// How an operator reaches the API server, and as whom.
#[derive(Clone)]
pub struct Access {
    /// The URL.
    pub server: String,
    /// The certificate (PEM) that signed the server's.
    pub ca: PathBuf,
    /// Of whoever asks.
    pub token: String,
}

impl Cluster {
    /// A new one, with nothing of Projsync on it.
    pub async fn start() -> Result<Self> {
        let options = Options {
            audit: true,
            ..Options::default()
        };
        let plane = spawn_blocking(move || ControlPlane::start(&options)).await??;
        Ok(Self { plane })
    }

    /// The control plane's processes.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// An administrator's client, of this runtime.
    pub async fn client(&self) -> Result<Client> {
        client(self.plane.kubeconfig(), None).await
    }

    /// A client of this user, who may do what is bound to the name.
    pub async fn client_as(&self, user: &str) -> Result<Client> {
        client(self.plane.kubeconfig(), Some(user)).await
    }

    /// kubectl with an administrator's credentials.
    pub fn kubectl(&self) -> Kubectl {
        Kubectl::of(&self.plane)
    }

    /// A namespace in an administrator's hands.
    pub async fn space(&self, namespace: &str) -> Result<Space> {
        Ok(Space {
            client: self.client().await?,
            namespace: namespace.to_owned(),
            kubectl: self.kubectl(),
        })
    }

    /// Stops, starts, kills, pauses or resumes a component.
    pub async fn tell(self: &Arc<Self>, action: Action, component: Component) -> Result {
        let cluster = Arc::clone(self);
        Ok(spawn_blocking(move || cluster.plane.tell(action, component)).await??)
    }

    /// The audit log.
    pub fn audit_log(&self) -> Result<&Path> {
        self.plane.audit_log().context("no audit log")
    }

    /// That of the operator's account in its namespace, with a new token.
    pub async fn access(&self, namespace: &str) -> Result<Access> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(TOKEN),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(ACCOUNT, &PostParams::default(), &request)
            .await?;
        Ok(Access {
            server: self.plane.server().to_owned(),
            ca: self.plane.ca().to_owned(),
            token: answer.status.context("no token")?.token,
        })
    }
}

impl Access {
    /// What the audit log calls the token.
    pub fn credential(&self) -> Result<String> {
        let claims = self.token.split('.').nth(1);
        let claims = URL_SAFE_NO_PAD.decode(claims.context("the token is no JWT")?)?;
        let claims: Value = serde_json::from_slice(&claims)?;
        let id = claims["jti"].as_str().context("a token without an id")?;
        Ok(format!("JTI={id}"))
    }

    /// Writes a kubeconfig, with the token in a file beside it, as the kubelet does.
    pub fn write(&self, kubeconfig: &Path) -> Result {
        let token = kubeconfig.with_extension("token");
        std::fs::write(&token, &self.token)?;
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster":
                {"server": self.server, "certificate-authority": self.ca}}],
            "users": [{"name": "test", "user": {"tokenFile": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        Ok(std::fs::write(kubeconfig, text.to_string())?)
    }
}

/// A client of a kubeconfig, or of another user in its name.
pub async fn client(kubeconfig: &Path, user: Option<&str>) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.auth_info.impersonate = user.map(str::to_owned);
    Ok(Client::try_from(config)?)
}

/// The root of the repository.
pub fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// The objects in the YAML files of a folder of the repository.
pub fn manifests(folder: &str) -> Result<Vec<Value>> {
    let folder = root().join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text)
            .map_err(|error| anyhow!("{}: {error}", file.display()))?;
        let objects = objects.into_iter();
        found.extend(objects.filter(|object| object["kind"] != "Kustomization"));
    }
    Ok(found)
}
