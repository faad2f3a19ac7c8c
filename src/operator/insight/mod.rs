//! Insight into the operator: readiness, samples for metrics, its state.

mod watches;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use self::watches::{watch_ages, watch_restarts, watches_left_out};
use crate::cluster::watch::{WatchHealth, WatchReport};
use crate::operator::context::Context;
use crate::serve::health::{Check, Heartbeats};
use crate::serve::http::Shown;
use crate::serve::readiness::{caches_check, lease_check, watch_check};
use crate::telemetry::metrics::{Read, Sample, Sampled};

/// Heartbeat period.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The parts of the operator that can be looked into. Clones share them.
#[derive(Clone, Debug)]
pub struct Insight {
    /// Health of every watch.
    pub healths: Arc<Mutex<Vec<Arc<WatchHealth>>>>,
    /// Heartbeats of tasks.
    heartbeats: Heartbeats,
    /// The context, once there is a digest key.
    context: Arc<OnceLock<Arc<Context>>>,
    /// Time of silence after which a watch is unhealthy.
    idle_timeout: Duration,
}

impl Insight {
    /// Makes an insight into nothing yet.
    #[must_use]
    pub fn new(idle_timeout: Duration) -> Self {
        Self {
            healths: Arc::default(),
            heartbeats: Heartbeats::default(),
            context: Arc::default(),
            idle_timeout,
        }
    }

    /// Adds the context.
    pub fn begin(&self, context: &Arc<Context>) {
        // There is one operator in a process, so there is no second context.
        let _ = self.context.set(context.clone());
    }

    /// Beats as long as the runtime works and the lock of the state is free.
    pub fn beat(&self, context: Arc<Context>) -> impl Future<Output = ()> + Send + use<> {
        let heartbeat = self.heartbeats.expect("state", HEARTBEAT * 4);
        async move {
            let mut tick = interval(HEARTBEAT);
            loop {
                tick.tick().await;
                drop(context.state.lock());
                heartbeat.beat();
            }
        }
    }

    /// Content of the endpoints.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let of = |dump: fn(&Context) -> Value| {
            let insight = self.clone();
            move || {
                insight
                    .context
                    .get()
                    .map_or_else(|| json!({}), |context| dump(context))
            }
        };
        let (live, ready) = (self.clone(), self.clone());
        Shown {
            live: Arc::new(move || live.heartbeats.checks()),
            ready: Arc::new(move || ready.readiness()),
            index: Arc::new(of(|context| context.state.lock().dump())),
            queues: Arc::new(of(Context::dump_queues)),
        }
    }

    /// Samples for metrics that are read at scrape.
    #[must_use]
    pub fn samples(&self) -> Read {
        let insight = self.clone();
        Arc::new(move |metric| insight.sample(metric))
    }

    fn readiness(&self) -> Vec<Check> {
        let Some(context) = self.context.get() else {
            let problem = "the API server has not given or taken it yet".to_owned();
            return vec![Check::new("digest-key", Some(problem))];
        };
        let healths = self.healths.lock();
        let watches = healths.iter();
        let mut checks: Vec<Check> = watches
            .map(|health| watch_check(health, self.idle_timeout))
            .collect();
        drop(healths);
        let synced = context.state.lock().synced;
        checks.push(caches_check(synced, &self.watches()));
        let leadership = context.cluster.leadership.borrow();
        checks.push(lease_check(&leadership, Instant::now()));
        checks
    }

    fn sample(&self, metric: Sampled) -> Vec<Sample> {
        let context = self.context.get();
        let of_context = |sample: fn(&Context) -> Vec<Sample>| {
            context.map_or_else(Vec::new, |context| sample(context))
        };
        match metric {
            Sampled::Workloads => of_context(workloads),
            Sampled::Stopped => of_context(stopped),
            Sampled::Pods => of_context(pods),
            Sampled::WatchAges => watch_ages(&self.watches()),
            Sampled::WatchesLeftOut => watches_left_out(&self.watches()),
            Sampled::WatchRestarts => watch_restarts(&self.watches()),
            Sampled::QueueDepths => of_context(queue_depths),
            Sampled::QueueAges => of_context(queue_ages),
            Sampled::Leader => {
                let leads = context.is_some_and(|context| context.is_leading());
                vec![(vec![], f64::from(u8::from(leads)))]
            }
        }
    }

    fn watches(&self) -> Vec<WatchReport> {
        let healths = self.healths.lock();
        healths.iter().map(|health| health.report()).collect()
    }
}

fn workloads(context: &Context) -> Vec<Sample> {
    let (workloads, _) = context.state.lock().totals();
    let sample = |((kind, state), count)| (vec![kind, state], f64::from(count));
    workloads.into_iter().map(sample).collect()
}

fn stopped(context: &Context) -> Vec<Sample> {
    let count = context.state.lock().stopped();
    vec![(vec![], count as f64)]
}

fn pods(context: &Context) -> Vec<Sample> {
    let (_, tally) = context.state.lock().totals();
    vec![
        (vec!["Fresh"], f64::from(tally.fresh)),
        (vec!["Stale"], f64::from(tally.stale)),
        (vec!["Refreshing"], f64::from(tally.refreshing)),
        (vec!["Unknown"], f64::from(tally.unknown)),
    ]
}

fn queue_depths(context: &Context) -> Vec<Sample> {
    let sample = |name, depth: usize| (vec![name], depth as f64);
    vec![
        sample(context.sources.name(), context.sources.depth()),
        sample(context.workloads.name(), context.workloads.depth()),
        sample(context.reports.name(), context.reports.depth()),
    ]
}

fn queue_ages(context: &Context) -> Vec<Sample> {
    let sample = |name, age: Duration| (vec![name], age.as_secs_f64());
    vec![
        sample(context.sources.name(), context.sources.oldest()),
        sample(context.workloads.name(), context.workloads.oldest()),
        sample(context.reports.name(), context.reports.oldest()),
    ]
}
