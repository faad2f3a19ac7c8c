//! Connection to a cluster with the rights of whoever runs the command.

use std::time::Duration;

use kube::Client;
use kube::client::ClientBuilder;
use thiserror::Error;

use super::impersonation::{ImpersonationArgs, ImpersonationError};
use super::kubeconfig::{ConfigError, KubeconfigArgs};
use super::run_args::{DEFAULT_NAMESPACE, namespace};
use crate::cluster::client::error::describe;

/// The most a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time without data; watches get bookmarks about once a minute.
const READ_TIMEOUT: Duration = Duration::from_secs(150);

/// Which cluster and namespace.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ConnectArgs {
    /// How to reach it.
    #[command(flatten)]
    pub kubeconfig: KubeconfigArgs,
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: Option<String>,
    /// Whom to act as.
    #[command(flatten)]
    pub impersonation: ImpersonationArgs,
    /// Where the operator is.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// The operator's Lease, which says whether one leads.
#[derive(Clone, Debug, clap::Args)]
pub struct OperatorArgs {
    /// Namespace of the operator
    #[arg(long, env = "PROJSYNC_OPERATOR_NAMESPACE", value_name = "NAMESPACE", default_value = DEFAULT_NAMESPACE, value_parser = namespace)]
    pub operator_namespace: String,
    /// Name of the operator's Lease
    #[arg(
        long,
        env = "PROJSYNC_LEASE_NAME",
        value_name = "NAME",
        default_value = "projsync"
    )]
    pub lease_name: String,
}

/// A connection to a cluster, and the namespace in it.
#[derive(Clone)]
pub struct Connection {
    /// Its client.
    pub client: Client,
    /// The namespace asked for, or that of the context.
    pub namespace: String,
    /// The operator's Lease.
    pub operator: OperatorArgs,
    /// Address of the API server, for messages.
    server: String,
}

/// Reason why a request to the cluster failed.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No cluster could be found.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody is named to act as.
    #[error(transparent)]
    Impersonation(#[from] ImpersonationError),
    /// The configuration is unusable.
    #[error("can't make a client of the API server: {0}")]
    Client(String),
    /// The API server does not answer.
    #[error(
        "the API server at {server} can't be reached ({cause}); check --context and --kubeconfig, and that the cluster runs"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// What went wrong.
        cause: String,
    },
    /// The API server doesn't accept the credentials.
    #[error(
        "the API server at {server} does not accept the credentials of the kubeconfig; log in again, or use --context"
    )]
    Unauthorized {
        /// Its address.
        server: String,
    },
    /// The user lacks the right.
    #[error(
        "you may not read {what}; ask for a role that has get, list and watch of them, such as view with projsync-viewer"
    )]
    Forbidden {
        /// Which objects.
        what: String,
    },
    /// The user may not act as another.
    #[error("you may not act as somebody else: {cause}")]
    MayNotImpersonate {
        /// What the API server says.
        cause: String,
    },
    /// The custom resources are not installed.
    #[error(
        "this cluster has no Projections: Projsync's custom resources are not installed (`projsync crds | kubectl apply --server-side -f -` installs them)"
    )]
    NotInstalled,
    /// The object doesn't exist.
    #[error("there is no {what} in namespace {namespace}; use -n for another one")]
    NotFound {
        /// Which object.
        what: String,
        /// The namespace that was searched.
        namespace: String,
    },
    /// Something else failed.
    #[error("can't read {what}: {cause}")]
    Other {
        /// Which objects.
        what: String,
        /// What went wrong.
        cause: String,
    },
}

impl ConnectArgs {
    /// Makes a client. Nothing is sent yet.
    ///
    /// # Errors
    /// If no cluster is configured, or its certificates or credentials are unusable.
    pub async fn connect(&self) -> Result<Connection, ClusterError> {
        let (mut config, _) = self.kubeconfig.config().await?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        // kube's own retries go on for longer than anybody waits at a terminal.
        config.default_retry = false;
        self.impersonation.apply(&mut config.auth_info)?;
        let namespace = self
            .namespace
            .clone()
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        let client = ClientBuilder::try_from(config)
            .map_err(|error| ClusterError::Client(describe(&error)))?
            .build();
        Ok(Connection {
            client,
            namespace,
            operator: self.operator.clone(),
            server: server.trim_end_matches('/').to_owned(),
        })
    }
}

impl std::fmt::Display for OperatorArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} in namespace {}",
            self.lease_name, self.operator_namespace
        )
    }
}

impl Connection {
    /// Describes a failed request for `what`.
    #[must_use]
    pub fn error(&self, what: &str, error: &kube::Error) -> ClusterError {
        let server = || self.server.clone();
        let what = what.to_owned();
        match error {
            kube::Error::Api(status) if status.code == 401 => {
                ClusterError::Unauthorized { server: server() }
            }
            error if refuses_impersonation(error) => ClusterError::MayNotImpersonate {
                cause: describe(error),
            },
            kube::Error::Api(status) if status.is_forbidden() => ClusterError::Forbidden { what },
            kube::Error::Service(_) | kube::Error::HyperError(_) => ClusterError::Unreachable {
                server: server(),
                cause: describe(error),
            },
            other => ClusterError::Other {
                what,
                cause: describe(other),
            },
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Returns whether an answer says that something doesn't exist. The answer for an unknown resource
/// has no reason, only the code.
#[must_use]
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Returns whether an answer says that the user lacks the right.
#[must_use]
pub fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
        && !refuses_impersonation(error)
}

/// Returns whether an answer says that the user may not act as another, so that nothing can be
/// read. Only its message says that it is about this right.
fn refuses_impersonation(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status)
        if status.is_forbidden() && status.message.contains(" cannot impersonate"))
}

#[cfg(test)]
mod tests;
