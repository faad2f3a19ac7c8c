//! Connection to a cluster: by a kubeconfig, or by the service account of a Pod.

use std::io;
use std::path::PathBuf;

use clap::Args;
use kube::Config;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

/// Which cluster.
#[derive(Debug, Clone, Default, Args)]
pub struct KubeconfigArgs {
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the service account of the Pod]
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
    Kubeconfig(#[from] KubeconfigError),
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
            let config = Config::incluster()?;
            let namespace = config.default_namespace.clone();
            return Ok((config, Some(namespace)));
        };
        let current = self
            .context
            .as_ref()
            .or(kubeconfig.current_context.as_ref());
        let mut contexts = kubeconfig.contexts.iter();
        let context = contexts.find(|context| Some(&context.name) == current);
        let namespace = context.and_then(|it| it.context.as_ref()?.namespace.clone());
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok((config, namespace))
    }

    fn read(&self) -> Result<Option<Kubeconfig>, KubeconfigError> {
        if let Some(path) = &self.kubeconfig {
            return Kubeconfig::read_from(path).map(Some);
        }
        match Kubeconfig::read() {
            Ok(kubeconfig) => Ok(Some(kubeconfig)),
            Err(KubeconfigError::FindPath) => Ok(None),
            Err(KubeconfigError::ReadConfig(error, _))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
