//! Certificates of a proxy, which may change while it runs.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use testkit::Result;
use tokio_rustls::TlsAcceptor;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// Issues the certificates of a proxy.
pub(crate) struct Authority {
    /// Its own certificate, as PEM.
    pub(crate) file: PathBuf,
    issuer: Issuer,
    current: Mutex<Arc<ServerConfig>>,
}

impl Authority {
    /// A new one, whose certificate is written to a file.
    pub(crate) fn new(file: PathBuf) -> Result<Self> {
        let issuer = issuer()?;
        std::fs::write(&file, issuer.pem())?;
        let current = Mutex::new(certificate(&issuer)?);
        Ok(Self {
            file,
            issuer,
            current,
        })
    }

    /// Shows another certificate from now on.
    pub(crate) fn rotate(&self) -> Result {
        *self.current.lock() = certificate(&self.issuer)?;
        Ok(())
    }

    /// Shows, from now on, one of an authority that nobody knows.
    pub(crate) fn pretend(&self) -> Result {
        *self.current.lock() = certificate(&issuer()?)?;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.lock().clone().into()
    }
}

fn issuer() -> Result<Issuer> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let name = &mut parameters.distinguished_name;
    name.push(DnType::CommonName, "authority of a test");
    Ok(CertifiedIssuer::self_signed(
        parameters,
        KeyPair::generate()?,
    )?)
}

fn certificate(issuer: &Issuer) -> Result<Arc<ServerConfig>> {
    let key = KeyPair::generate()?;
    let parameters = CertificateParams::new(["127.0.0.1".to_owned()])?;
    let certificate = parameters.signed_by(&key, issuer)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Arc::new(config))
}
