//! Starts the operator, and ends it in order.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::FutureExt as _;
use kube::Config;
use prometheus_client::registry::Registry;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::api::rules::Floors;
use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::client::{ClientOptions, Clients};
use crate::cluster::events::events;
use crate::cluster::lease::{Candidate, LeaseConfig};
use crate::cluster::read::Reader;
use crate::cluster::watch::{History, WatchOptions};
use crate::cluster::write::Writer;
use crate::core::content::digest::DigestKey;
use crate::core::plan::REFRESH_BOUND;
use crate::core::state::Settings;
use crate::operator::clock;
use crate::operator::context::{Access, Context};
use crate::operator::drain::drain;
use crate::operator::insight::Insight;
use crate::operator::loops::loops;
use crate::operator::watches::{self, Watches};
use crate::serve::http::{self, HttpOptions};
use crate::telemetry::metrics;

/// Time for which waiting Events may still be posted at the end.
const POSTING: Duration = Duration::from_secs(2);

/// Settings of the operator.
#[derive(Debug)]
pub struct OperatorOptions {
    /// Configuration of the connection to the API server.
    pub config: Config,
    /// Settings of the clients.
    pub client: ClientOptions,
    /// Namespaces to watch; all if empty.
    pub namespaces: BTreeSet<String>,
    /// Namespace of the lease and of the digest key.
    pub operator_namespace: String,
    /// Name of this replica.
    pub identity: String,
    /// Leader election.
    pub lease: LeaseConfig,
    /// Number of sources, and of workloads, that are worked on at a time.
    pub concurrency: usize,
    /// True if resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
    /// The least durations of policies.
    pub floors: Floors,
    /// How many workloads may be rolled at a time; `None` for any number.
    pub max_rolls: Option<usize>,
    /// Settings of the watches.
    pub watch: WatchOptions,
    /// Maximum duration of a request.
    pub timeout: Duration,
    /// Addresses to listen on.
    pub http: HttpOptions,
}

/// The running operator. `tasks` holds everything that must not end.
struct Operator {
    options: OperatorOptions,
    context: Arc<Context>,
    pulses: PulseLayer,
    history: History,
    tasks: JoinSet<&'static str>,
    insight: Insight,
    /// Stops the queues from handing out keys.
    stop_work: watch::Sender<bool>,
}

/// Runs the operator until `stop` resolves.
///
/// # Errors
/// If it can't start, or a part of it ended that must not.
pub async fn run(options: OperatorOptions, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut registry = Registry::default();
    let metrics = metrics::register(&mut registry);
    let pulses = PulseLayer::default();
    let clients = Clients::new(&options.config, &options.client, &metrics.api, &pulses)?;
    let (candidate, leadership) = Candidate::new(clients.lease, options.lease.clone())?;
    // The endpoints come first: without an answer to probes the process would be restarted
    // needlessly while the API server is away.
    let insight = Insight::new(options.watch.idle_timeout);
    let stop_work = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    metrics::register_samples(&mut registry, &insight.samples());
    let shown = insight.shown();
    http::start(&options.http, registry, shown, &stop_work, &mut tasks).await?;
    let (client, time) = (clients.requests, options.timeout);
    let writer = Writer::new(client.clone(), leadership.clone(), time, metrics.clone());
    let mut stop = pin!(stop);
    let key = tokio::select! {
        key = digest_key(&writer, &options.operator_namespace) => key?,
        () = &mut stop => return Ok(()),
    };
    let (events, poster) = events(client.clone(), &options.identity, time, &metrics);
    let access = Access {
        watches: clients.watches,
        reader: Reader::new(client, key.clone(), time),
        writer,
        events,
        leadership,
        server: pulses.clock(),
    };
    let context = Arc::new(Context::new(options.settings(key), access, metrics));
    insight.begin(&context);
    let mut operator = Operator {
        options,
        context,
        pulses,
        history: History::default(),
        tasks,
        insight,
        stop_work,
    };
    let (stop_lease, lease_stopped) = oneshot::channel::<()>();
    let election = tokio::spawn(candidate.run(async {
        // A sender that is dropped says the same.
        let _ = lease_stopped.await;
    }));
    let posting = tokio::spawn(poster.run());

    let result = tokio::select! {
        () = &mut stop => Ok(()),
        result = operator.work() => result,
    };
    operator.finish(posting).await;
    drop(stop_lease);
    election.await.context("leader election failed")?;
    info!("stopped");
    result
}

/// Gets or creates the digest key.
async fn digest_key(writer: &Writer, namespace: &str) -> anyhow::Result<DigestKey> {
    let mut delay = Duration::from_millis(500);
    loop {
        match writer.digest_key(namespace).await {
            Ok(key) => return Ok(key),
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => warn!(%error, "no digest key yet; trying again"),
        }
        sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(10));
    }
}

// === impl OperatorOptions ===

impl OperatorOptions {
    fn settings(&self, key: DigestKey) -> Settings {
        Settings {
            key,
            comparable: self.comparable,
            refresh_bound: REFRESH_BOUND,
            cluster_wide: self.namespaces.is_empty(),
            floors: self.floors,
            max_rolls: self.max_rolls,
        }
    }
}

// === impl Operator ===

impl Operator {
    /// Watches and works until something ends that must not.
    async fn work(&mut self) -> anyhow::Result<()> {
        let context = self.context.clone();
        let heart = self.insight.beat(context.clone());
        self.tasks.spawn(heart.map(|()| "the heartbeat"));
        self.tasks.spawn(async move {
            clock::follow(&context.clock, &context.cluster.server).await;
            "the clock"
        });
        // Projections come first: without this memory every workload would be new.
        let few = !self.options.namespaces.is_empty();
        let mut watches = self.watches();
        watches::memory(&mut watches);
        watches.wait_for_lists().await?;
        watches::cluster(&mut watches, few);
        watches.wait_for_lists().await?;
        self.context.start();
        info!("every watch has finished its first list, or is left out");
        let (context, healths) = (self.context.clone(), self.insight.healths.clone());
        let resumed = watches::resume(context, healths, self.history.clone());
        self.tasks.spawn(resumed.map(|()| "the history"));
        for work in loops(&self.context, self.options.concurrency, &self.stop_work) {
            self.tasks.spawn(work);
        }
        match self.tasks.join_next().await {
            Some(Ok(name)) => bail!("{name} ended; the process ends with it"),
            Some(Err(error)) => bail!("a task failed; the process ends with it: {error}"),
            None => bail!("no task is left"),
        }
    }

    fn watches(&mut self) -> Watches<'_> {
        Watches {
            context: &self.context,
            pulses: &self.pulses,
            history: &self.history,
            namespaces: &self.options.namespaces,
            options: self.options.watch,
            healths: &self.insight.healths,
            tasks: &mut self.tasks,
        }
    }

    /// Ends in order: starts no new work, finishes running work, and posts Events.
    async fn finish(mut self, posting: JoinHandle<()>) {
        info!("stopping: nothing new is begun, what runs is finished");
        self.stop_work.send_replace(true);
        drain(&self.context, self.options.timeout).await;
        self.tasks.shutdown().await;
        // The poster ends when no sender is left.
        drop(self);
        if timeout(POSTING, posting).await.is_err() {
            warn!("some Events could not be posted in time");
        }
    }
}
