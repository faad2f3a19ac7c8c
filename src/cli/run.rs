//! `projsync run`: the operator.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::cli::run_args::RunArgs;
use crate::cluster::watch::WatchOptions;
use crate::operator::run::{self, OperatorOptions};
use crate::serve::http::HttpOptions;
use crate::telemetry::logs;

/// Runs the operator until SIGTERM or SIGINT.
///
/// It uses one thread, since it mostly waits and each event would wake further threads needlessly.
///
/// # Errors
/// If it can't start, or a part of it ended that must not.
#[tokio::main(flavor = "current_thread")]
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    logs::init(args.logs.log_format, &args.logs.log_level)?;
    let mut terminate = signal(SignalKind::terminate()).context("can't wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("can't wait for SIGINT")?;
    let target = args.cluster.target().await?;
    let identity = args
        .cluster
        .identity()
        .context("no random identity could be made; use --identity")?;
    info!(
        version = crate::VERSION,
        identity,
        operator_namespace = target.operator_namespace,
        namespaces = ?args.scope.namespaces(),
        "starting"
    );
    let options = OperatorOptions {
        client: args.scope.client_options(),
        namespaces: args.scope.namespaces(),
        lease: args.lease.config(&target.operator_namespace, &identity),
        config: target.config,
        operator_namespace: target.operator_namespace,
        identity,
        concurrency: usize::from(args.scope.concurrency),
        floors: args.scope.floors(),
        max_rolls: args.scope.max_rolls(),
        comparable: args.scope.resource_versions_comparable,
        watch: WatchOptions {
            idle_timeout: args.scope.watch_idle_timeout,
            streaming_lists: args.scope.streaming_lists,
            ..WatchOptions::default()
        },
        timeout: args.scope.write_timeout,
        http: HttpOptions {
            metrics: args.http.metrics_bind_address,
            debug: args.http.debug_bind_address,
            addresses_file: args.http.addresses_file,
        },
    };
    run::run(options, async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}
