//! Starts everything, and ends everything in order.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use kube::{Client, Config};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::client::{ClientOptions, Clients};
use crate::cluster::events::events;
use crate::cluster::lease::{Candidate, Leadership, LeaseConfig};
use crate::cluster::watch::Options as WatchOptions;
use crate::cluster::write;
use crate::core::content::digest::DigestKey;
use crate::core::plan::REFRESH_BOUND;
use crate::core::state::{Settings, State};
use crate::operator::context::{Context, OperatorClock, SAMPLING};
use crate::operator::endpoints::{self, Insight};
use crate::operator::loops::{reports, sources, workloads};
use crate::operator::queue::{self, Backoff, Queue};
use crate::operator::watches::Watches;
use crate::telemetry::metrics;

/// How often what must be alive says so.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// For so many workloads worked on at a time one Projection is written: in a mass
/// change the rolls come first.
const REPORTING_SHARE: usize = 4;

/// How many Projections are written at a time at the end.
const REMEMBERED_AT_ONCE: usize = 16;

/// How long Events that wait may still be posted at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// How the operator runs.
#[derive(Debug)]
pub struct Options {
    /// How to reach the API server.
    pub config: Config,
    /// How the clients behave.
    pub client: ClientOptions,
    /// Namespaces to watch; none means all.
    pub namespaces: BTreeSet<String>,
    /// Namespace of the lease and of the digest key.
    pub operator_namespace: String,
    /// Who this replica is.
    pub identity: String,
    /// Leader election.
    pub lease: LeaseConfig,
    /// Sources, and workloads, worked on at a time: so many of each.
    pub concurrency: usize,
    /// Whether resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
    /// How to watch.
    pub watch: WatchOptions,
    /// The most that a request may take.
    pub timeout: Duration,
    /// Address of `/metrics`, `/livez` and `/readyz`.
    pub metrics_address: SocketAddr,
    /// Address of `/debug`.
    pub debug_address: SocketAddr,
    /// Where to write the addresses that were bound.
    pub addresses_file: Option<PathBuf>,
}

/// The operator while it runs. Everything that must not end is in `tasks`.
struct Operator {
    options: Options,
    context: Arc<Context>,
    pulses: PulseLayer,
    tasks: JoinSet<&'static str>,
    insight: Insight,
    /// Tells the queues to hand out nothing more.
    stop_work: watch::Sender<bool>,
}

/// Runs the operator until `stop` resolves.
///
/// # Errors
/// Where it can't start, or where a part of it ended that must not.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut registry = Registry::default();
    let metrics = metrics::register(&mut registry);
    let pulses = PulseLayer::default();
    let clients = Clients::new(&options.config, &options.client, &metrics.api, &pulses)?;
    let (candidate, leadership) = Candidate::new(clients.lease.clone(), options.lease.clone())?;
    let (events, poster) = events(
        clients.requests.clone(),
        &options.identity,
        options.timeout,
        &metrics,
    );
    // The endpoints come first: a probe that nobody answers while the API server
    // is away would have the process restarted for nothing.
    let insight = Insight::new(options.watch.idle_timeout);
    let stop_work = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    endpoints::serve(&options, &insight, registry, &stop_work, &mut tasks).await?;
    let mut stop = pin!(stop);
    let key = tokio::select! {
        key = digest_key(&clients.requests, &options) => key?,
        () = &mut stop => return Ok(()),
    };
    let context = Arc::new(Context {
        state: Mutex::new(State::new(Settings {
            key: key.clone(),
            comparable: options.comparable,
            refresh_bound: REFRESH_BOUND,
            cluster_wide: options.namespaces.is_empty(),
        })),
        sources: Queue::new("sources", Backoff::default()),
        workloads: Queue::new("workloads", Backoff::default()),
        reports: Queue::new("reports", Backoff::default()),
        clients,
        key,
        metrics,
        events,
        leadership,
        server: pulses.clock(),
        clock: OperatorClock::default(),
        timeout: options.timeout,
    });
    insight.begin(&context);
    let mut operator = Operator {
        options,
        context,
        pulses,
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

/// Gets the digest key, or makes it.
async fn digest_key(client: &Client, options: &Options) -> anyhow::Result<DigestKey> {
    let mut delay = Duration::from_millis(500);
    loop {
        match write::digest_key(client.clone(), &options.operator_namespace, options.timeout).await
        {
            Ok(key) => return Ok(key),
            Err(error) if error.is_final() => return Err(error.into()),
            Err(error) => warn!(%error, "no digest key yet; trying again"),
        }
        sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(10));
    }
}

/// The loops that do the work until `stop` says so; each tells its name at its end.
pub(super) fn loops(
    context: &Arc<Context>,
    concurrency: usize,
    stop: &watch::Sender<bool>,
) -> [BoxFuture<'static, &'static str>; 4] {
    let (read, work, report) = (context.clone(), context.clone(), context.clone());
    let sources = queue::run(
        context.sources.clone(),
        concurrency,
        move |id| sources::reconcile(read.clone(), id),
        stopped(stop),
    );
    let workloads = queue::run(
        context.workloads.clone(),
        concurrency,
        move |id| workloads::reconcile(work.clone(), id),
        stopped(stop),
    );
    let reports = queue::run(
        context.reports.clone(),
        concurrency.div_ceil(REPORTING_SHARE),
        move |subject| reports::reconcile(report.clone(), subject),
        stopped(stop),
    );
    [
        sources.map(|()| "the sources loop").boxed(),
        workloads.map(|()| "the workloads loop").boxed(),
        reports.map(|()| "the reports loop").boxed(),
        follow_leadership(context.clone()).boxed(),
    ]
}

/// Ends when nothing new is to be begun.
pub(super) fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        // A sender that is dropped says the same.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

// === impl Operator ===

impl Operator {
    /// Watches, and works until something ends that must not.
    async fn work(&mut self) -> anyhow::Result<()> {
        self.spawn_heartbeat();
        self.tasks.spawn(follow_time(self.context.clone()));
        // What is remembered comes first: without it every workload would be new.
        let mut watches = self.watches();
        watches.watch_memory();
        watches.wait_for_lists().await?;
        watches.watch_everything();
        watches.wait_for_lists().await?;
        self.context.state.lock().start(self.context.clock.now());
        self.context.enqueue_all();
        info!("every watch has finished its first list");
        self.spawn_loops();
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
            namespaces: &self.options.namespaces,
            options: self.options.watch,
            healths: &self.insight.healths,
            tasks: &mut self.tasks,
        }
    }

    fn spawn_loops(&mut self) {
        let concurrency = self.options.concurrency;
        for work in loops(&self.context, concurrency, &self.stop_work) {
            self.tasks.spawn(work);
        }
    }

    /// Says that the runtime turns and that the state's lock is free.
    fn spawn_heartbeat(&mut self) {
        let heartbeat = self.insight.heartbeats.expect("state", HEARTBEAT * 4);
        let context = self.context.clone();
        self.tasks.spawn(async move {
            let mut tick = interval(HEARTBEAT);
            loop {
                tick.tick().await;
                drop(context.state.lock());
                heartbeat.beat();
            }
        });
    }

    /// Ends in order: no new work; what runs is finished; Events are posted.
    async fn finish(mut self, posting: tokio::task::JoinHandle<()>) {
        info!("stopping: nothing new is begun, what runs is finished");
        self.stop_work.send_replace(true);
        let (sources, workloads, reports) = (
            self.context.sources.clone(),
            self.context.workloads.clone(),
            self.context.reports.clone(),
        );
        let idle = || sources.running() + workloads.running() + reports.running() == 0;
        let mut tick = interval(Duration::from_millis(10));
        let finished = async {
            while !idle() {
                tick.tick().await;
            }
        };
        if timeout(self.options.timeout * 2, finished).await.is_err() {
            warn!("some requests did not end in time and are given up");
        }
        let remembering = remember(&self.context);
        if timeout(self.options.timeout, remembering).await.is_err() {
            warn!("some Projections could not be written in time");
        }
        self.tasks.shutdown().await;
        // The poster ends once nobody can send any more.
        drop(self);
        if timeout(DRAIN, posting).await.is_err() {
            warn!("some Events could not be posted in time");
        }
    }
}

/// Writes the Projections that wait to be written: what the next process finds in
/// them it need not guess.
pub(super) async fn remember(context: &Arc<Context>) {
    if !context.state.lock().synced {
        return;
    }
    let remembered = context.state.lock().remembered();
    let writes = remembered
        .into_iter()
        .map(|id| reports::remember(context.clone(), id));
    let mut writes = futures::stream::iter(writes).buffer_unordered(REMEMBERED_AT_ONCE);
    while writes.next().await.is_some() {}
}

/// Follows the API server's time, from the start on.
pub(super) async fn follow_time(context: Arc<Context>) -> &'static str {
    let mut tick = interval(SAMPLING);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        context.clock.sample(context.server.now());
    }
}

/// Has everything looked at when leadership comes.
async fn follow_leadership(context: Arc<Context>) -> &'static str {
    let mut leadership = context.leadership.clone();
    let mut led = false;
    loop {
        let leads = matches!(*leadership.borrow_and_update(), Leadership::Leader { .. });
        if leads != led {
            info!(leads, "leadership changed");
            if leads {
                context.enqueue_all();
            }
            led = leads;
        }
        if leadership.changed().await.is_err() {
            return "leader election";
        }
    }
}
