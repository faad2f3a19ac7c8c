//! The flags of `projsync run`. Each can be set by an environment variable too.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use kube::Config;

use super::kubeconfig::{ConfigError, KubeconfigArgs};
use crate::api::rules::{Floors, Rules};
use crate::cluster::client::ClientOptions;
use crate::cluster::lease::LeaseConfig;
use crate::telemetry::logs::LogFormat;

/// Default namespace of the lease and the digest key.
pub const DEFAULT_NAMESPACE: &str = "projsync-system";

/// Flags of `projsync run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The cluster and the identity in it.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Namespaces, and limits of watches and writes.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Leader election.
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// Addresses to listen on.
    #[command(flatten)]
    pub http: HttpArgs,
    /// Logs.
    #[command(flatten)]
    pub logs: LogArgs,
}

/// The cluster, and the identity of this replica in it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// How to reach it.
    #[command(flatten)]
    pub kubeconfig: KubeconfigArgs,
    /// Namespace of the lease and of the digest key [default: that of the Pod or of the context, else projsync-system]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE", value_parser = namespace)]
    pub operator_namespace: Option<String>,
    /// Name of this replica, unique among all replicas [default: the host's name and a random number]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,
}

/// What to watch, and the limits of watches and writes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Watching and writing")]
pub struct ScopeArgs {
    /// Namespaces to watch, separated by commas [default: all]
    #[arg(long, env = "PROJSYNC_NAMESPACES", value_name = "NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    pub namespaces: Vec<String>,
    /// Number of sources that are read at a time, and of workloads that are rolled; a quarter as many Projections are written
    #[arg(long, env = "PROJSYNC_CONCURRENCY", value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
    /// The least settle time, whatever a policy says: up to 10m
    #[arg(long, env = "PROJSYNC_SETTLE_FLOOR", value_name = "DURATION", default_value = "0s", value_parser = settle_floor)]
    pub settle_floor: Duration,
    /// The least time between two rolls of a workload, whatever a policy says: up to 1h
    #[arg(long, env = "PROJSYNC_MIN_INTERVAL_FLOOR", value_name = "DURATION", default_value = "0s", value_parser = min_interval_floor)]
    pub min_interval_floor: Duration,
    /// How many workloads of the cluster are rolled at a time, whatever policies say; 0 means no limit
    #[arg(
        long,
        env = "PROJSYNC_MAX_CONCURRENT_ROLLS",
        value_name = "N",
        default_value_t = 0
    )]
    pub max_concurrent_rolls: u32,
    /// Whether ConfigMaps, Secrets and Pods share one etcd; set false if --etcd-servers-overrides splits them
    #[arg(long, env = "PROJSYNC_RESOURCE_VERSIONS_COMPARABLE", value_name = "BOOL", default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub resource_versions_comparable: bool,
    /// Receive the first lists as a stream of watch events (Kubernetes 1.34 or later)
    #[arg(long, env = "PROJSYNC_STREAMING_LISTS", value_name = "BOOL", default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub streaming_lists: bool,
    /// Time without events after which a watch is started again; bookmarks come about once a minute
    #[arg(long, env = "PROJSYNC_WATCH_IDLE_TIMEOUT", value_name = "DURATION", default_value = "2m30s", value_parser = positive)]
    pub watch_idle_timeout: Duration,
    /// Maximum duration of a write
    #[arg(long, env = "PROJSYNC_WRITE_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = positive)]
    pub write_timeout: Duration,
    /// Maximum number of reads and writes started in a second, and at once after a pause; 0 means no limit
    #[arg(
        long,
        env = "PROJSYNC_REQUESTS_PER_SECOND",
        value_name = "N",
        default_value_t = 500
    )]
    pub requests_per_second: u64,
}

/// Leader election.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaseArgs {
    /// Name of the Lease; only one of the operators with the same Lease writes
    #[arg(
        long,
        env = "PROJSYNC_LEASE_NAME",
        value_name = "NAME",
        default_value = "projsync"
    )]
    pub lease_name: String,
    /// Time after which others take over from a leader that has stopped renewing
    #[arg(long, env = "PROJSYNC_LEASE_DURATION", value_name = "DURATION", default_value = "15s", value_parser = positive)]
    pub lease_duration: Duration,
    /// Time for which a leader goes on without being able to renew
    #[arg(long, env = "PROJSYNC_LEASE_RENEW_DEADLINE", value_name = "DURATION", default_value = "10s", value_parser = positive)]
    pub lease_renew_deadline: Duration,
    /// Time between two renewals
    #[arg(long, env = "PROJSYNC_LEASE_RETRY_PERIOD", value_name = "DURATION", default_value = "2s", value_parser = positive)]
    pub lease_retry_period: Duration,
}

/// Addresses to listen on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Endpoints")]
pub struct HttpArgs {
    /// Address of /metrics, /livez and /readyz
    #[arg(long, env = "PROJSYNC_METRICS_BIND_ADDRESS", value_name = "ADDRESS", default_value = ":8080", value_parser = address)]
    pub metrics_bind_address: SocketAddr,
    /// Address of /debug/index and /debug/queues; loopback only
    #[arg(long, env = "PROJSYNC_DEBUG_BIND_ADDRESS", value_name = "ADDRESS", default_value = "127.0.0.1:6060", value_parser = loopback)]
    pub debug_bind_address: SocketAddr,
    /// File to write the bound addresses to, for tests that ask for port 0
    #[arg(long, value_name = "FILE", hide = true)]
    pub addresses_file: Option<PathBuf>,
}

/// Logs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// Format of the log on standard error
    #[arg(
        long,
        env = "PROJSYNC_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "json",
        value_enum
    )]
    pub log_format: LogFormat,
    /// Level: error, warn, info, debug, trace, or a list of target=level
    #[arg(
        long,
        env = "PROJSYNC_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: String,
}

/// A cluster, and the operator's namespace in it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Configuration of the connection to the API server.
    pub config: Config,
    /// Namespace of the lease and of the digest key.
    pub operator_namespace: String,
}

impl ClusterArgs {
    /// Finds the cluster: by the given kubeconfig, the usual ones, or the Pod's service account.
    ///
    /// # Errors
    /// If none of these exists or it can't be used.
    pub async fn target(&self) -> Result<Target, ConfigError> {
        let (config, namespace) = self.kubeconfig.config().await?;
        let namespace = self.operator_namespace.clone().or(namespace);
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        Ok(Target {
            config,
            operator_namespace: namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        })
    }

    /// Name of this replica: the given one, or the host's name and a random number.
    ///
    /// # Errors
    /// If none was given and the system has no randomness.
    pub fn identity(&self) -> Result<String, getrandom::Error> {
        if let Some(identity) = self
            .identity
            .as_ref()
            .filter(|identity| !identity.is_empty())
        {
            return Ok(identity.clone());
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() {
            "projsync"
        } else {
            host.trim()
        };
        Ok(format!("{host}_{}", crate::random::hex16()?))
    }
}

impl ScopeArgs {
    /// The namespaces to watch, each once; none means all.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.namespaces
            .iter()
            .filter(|namespace| !namespace.is_empty())
            .cloned()
            .collect()
    }

    /// The least durations of policies.
    #[must_use]
    pub fn floors(&self) -> Floors {
        Floors {
            settle: self.settle_floor.into(),
            min_interval: self.min_interval_floor.into(),
        }
    }

    /// How many workloads may be rolled at a time; `None` for any number.
    #[must_use]
    pub fn max_rolls(&self) -> Option<usize> {
        usize::try_from(self.max_concurrent_rolls)
            .ok()
            .filter(|most| *most > 0)
    }

    /// Settings of the clients.
    #[must_use]
    pub fn client_options(&self) -> ClientOptions {
        ClientOptions {
            watch_idle: self.watch_idle_timeout,
            requests_per_second: Some(self.requests_per_second).filter(|n| *n > 0),
            ..ClientOptions::default()
        }
    }
}

impl LeaseArgs {
    /// The configuration of leader election, checked when a candidate is made of it.
    #[must_use]
    pub fn config(&self, namespace: &str, identity: &str) -> LeaseConfig {
        let usual = LeaseConfig::new(namespace, &self.lease_name, identity);
        LeaseConfig {
            lease_duration: self.lease_duration,
            renew_deadline: self.lease_renew_deadline,
            retry_period: self.lease_retry_period,
            request_timeout: usual.request_timeout.min(self.lease_renew_deadline / 2),
            ..usual
        }
    }
}

/// A namespace's name: a DNS label. An empty one is left to the caller, as an
/// environment variable set to nothing gives it.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let edge =
        |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    let inner = bytes
        .iter()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if text.is_empty()
        || (text.len() <= 63
            && inner
            && edge(bytes.first().copied())
            && edge(bytes.last().copied()))
    {
        Ok(text.to_owned())
    } else {
        Err("not the name of a namespace: up to 63 of a-z, 0-9 and '-', with '-' neither first nor last".to_owned())
    }
}

/// An address with a port; `:8080` is that port on all addresses of both families, as Go programs have it.
fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') {
        format!("[::]{text}")
    } else {
        text.to_owned()
    };
    full.parse()
        .map_err(|_| "not an address with a port, such as :8080 or 127.0.0.1:8080".to_owned())
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = address(text)?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("not a loopback address; use 127.0.0.1 or [::1], and kubectl port-forward".to_owned())
    }
}

fn settle_floor(text: &str) -> Result<Duration, String> {
    floor(text, "settle")
}

fn min_interval_floor(text: &str) -> Result<Duration, String> {
    floor(text, "minInterval")
}

/// A floor of a duration of policies: no more than a policy may say.
fn floor(text: &str, field: &str) -> Result<Duration, String> {
    let parsed = text.parse::<crate::api::duration::Duration>();
    let parsed = parsed.map_err(|error| error.to_string())?;
    let bounds = Rules::default().durations().map(|(_, bounds)| bounds);
    match bounds.iter().find(|bounds| bounds.field == field) {
        Some(bounds) if parsed > bounds.max => Err(format!("more than {}", bounds.max)),
        _ => Ok(parsed.get()),
    }
}

/// A duration above zero and of at most a day.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let parsed = text
        .parse::<crate::api::duration::Duration>()
        .map_err(|error| error.to_string())?
        .get();
    if parsed.is_zero() || parsed > DAY {
        Err("not above zero and at most 24h".to_owned())
    } else {
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests;
