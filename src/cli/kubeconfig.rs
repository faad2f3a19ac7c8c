//! Connection to a cluster: by a kubeconfig, or by the service account of a Pod.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use kube::Config;
use kube::config::{Context, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::proxy::{self, Proxies, ProxyError};

/// Which cluster.
#[derive(Debug, Clone, Default, Args)]
pub struct KubeconfigArgs {
    /// Kubeconfig file [default: those of $KUBECONFIG, ~/.kube/config, or the service account of the Pod]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Reason why no cluster can be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The kubeconfig is unusable.
    #[error("can't use the kubeconfig: {0}; check --kubeconfig, --context and $KUBECONFIG")]
    Kubeconfig(#[source] KubeconfigError),
    /// The proxy is unusable.
    #[error("can't use the proxy: {0}")]
    Proxy(#[from] ProxyError),
    /// kube reads NO_PROXY as soon as there is a proxy.
    #[error(
        "can't use the proxy: {0}; write NO_PROXY as hosts, addresses and CIDRs with a comma between"
    )]
    NoProxy(#[source] kube::config::NoProxyError),
    /// There is no kubeconfig, and the process doesn't run in a Pod.
    #[error(
        "no cluster: no kubeconfig was found, and this is not a Pod with a service account ({0}); use --kubeconfig"
    )]
    InCluster(#[from] InClusterError),
    /// `--context` was given, but there is no kubeconfig.
    #[error("--context needs a kubeconfig, and none was found; use --kubeconfig")]
    Context,
}

impl KubeconfigArgs {
    /// The configuration of the connection, and the namespace of the context or the Pod.
    ///
    /// # Errors
    /// If no cluster is configured, or the configuration is unusable.
    pub async fn config(&self) -> Result<(Config, Option<String>), ConfigError> {
        let Some(kubeconfig) = self.read()? else {
            if self.context.is_some() {
                return Err(ConfigError::Context);
            }
            let mut config = Config::incluster()?;
            config.proxy_url = Proxies::from_env().between(&config.cluster_url)?;
            let namespace = config.default_namespace.clone();
            return Ok((config, Some(namespace)));
        };
        let context = self.context(&kubeconfig);
        let namespace = context.and_then(|context| context.namespace.clone());
        let proxy = context.and_then(|context| proxy_url(&kubeconfig, &context.cluster));
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let mut config = config.map_err(ConfigError::from)?;
        // kube asks whether NO_PROXY names the proxy, not whether it names the server.
        config.proxy_url = match proxy {
            Some(url) => Some(proxy::of_kubeconfig(&url)?),
            None => Proxies::from_env().between(&config.cluster_url)?,
        };
        Ok((config, namespace))
    }

    /// The context in force.
    fn context<'a>(&self, kubeconfig: &'a Kubeconfig) -> Option<&'a Context> {
        let name = self.context.as_ref();
        let name = name.or(kubeconfig.current_context.as_ref())?;
        let mut contexts = kubeconfig.contexts.iter();
        contexts.find(|it| it.name == *name)?.context.as_ref()
    }

    fn read(&self) -> Result<Option<Kubeconfig>, KubeconfigError> {
        if let Some(path) = &self.kubeconfig {
            return Kubeconfig::read_from(path).map(Some);
        }
        let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
        let listed: Vec<_> = std::env::split_paths(&listed)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if listed.is_empty() {
            return match existing(Kubeconfig::read()) {
                Err(KubeconfigError::FindPath) => Ok(None),
                result => result,
            };
        }
        merged(&listed)
    }
}

/// Merges the files that exist; `None` if none does. kubectl leaves out the others too.
fn merged(paths: &[impl AsRef<Path>]) -> Result<Option<Kubeconfig>, KubeconfigError> {
    paths
        .iter()
        .try_fold(None, |merged: Option<Kubeconfig>, path| {
            match (merged, existing(Kubeconfig::read_from(path))?) {
                (Some(merged), Some(next)) => merged.merge(next).map(Some),
                (merged, next) => Ok(merged.or(next)),
            }
        })
}

/// What was read, or `None` if there is no such file.
fn existing(
    read: Result<Kubeconfig, KubeconfigError>,
) -> Result<Option<Kubeconfig>, KubeconfigError> {
    match read {
        Ok(kubeconfig) => Ok(Some(kubeconfig)),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// `proxy-url` of a cluster.
fn proxy_url(kubeconfig: &Kubeconfig, cluster: &str) -> Option<String> {
    let mut clusters = kubeconfig.clusters.iter();
    let named = clusters.find(|it| it.name == cluster)?;
    let url = named.cluster.as_ref()?.proxy_url.clone();
    url.filter(|url| !url.is_empty())
}

impl From<KubeconfigError> for ConfigError {
    fn from(error: KubeconfigError) -> Self {
        match error {
            KubeconfigError::ParseNoProxy(error) => Self::NoProxy(error),
            error => Self::Kubeconfig(error),
        }
    }
}

#[cfg(test)]
mod tests;
