//! What the operator tells of itself: health, metrics, debugging.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::cluster::lease::Leadership;
use crate::cluster::watch::{Health, Report};
use crate::operator::context::Context;
use crate::operator::run::{Options, stopped};
use crate::serve::health::{Check, Heartbeats};
use crate::serve::http;
use crate::telemetry::metrics::{self, Sample, Samples};

/// How many failures in a row make a watch unready: one or two are a hiccup.
const WATCH_FAILURES: u32 = 3;

/// The kinds that are watched.
const KINDS: [&str; 12] = [
    "ConfigMap",
    "Secret",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ControllerRevision",
    "Pod",
    "Namespace",
    "SyncPolicy",
    "ClusterSyncPolicy",
    "Projection",
];

/// What is told of. Clones share it.
#[derive(Clone, Debug)]
pub struct Insight {
    /// The health of every watch.
    pub healths: Arc<Mutex<Vec<Arc<Health>>>>,
    /// Of what must be alive.
    pub heartbeats: Heartbeats,
    /// Comes once there is a digest key.
    context: Arc<OnceLock<Arc<Context>>>,
    /// A watch that is silent for longer is not healthy.
    idle_timeout: Duration,
}

/// Starts the HTTP servers, as `tasks` that end when `stop` says so.
///
/// # Errors
/// Where an address can't be listened on.
pub async fn serve(
    options: &Options,
    insight: &Insight,
    mut registry: Registry,
    stop: &watch::Sender<bool>,
    tasks: &mut JoinSet<&'static str>,
) -> Result<(), http::HttpError> {
    metrics::register_samples(&mut registry, insight.samples());
    let (public, metrics) = http::bind(options.metrics_address).await?;
    let (debug, debug_address) = http::bind_loopback(options.debug_address).await?;
    info!(%metrics, debug = %debug_address, "listening");
    let addresses = http::Addresses {
        metrics,
        debug: debug_address,
    };
    if let Some(path) = &options.addresses_file {
        addresses.write(path)?;
    }
    let (live, ready) = (insight.clone(), insight.clone());
    let router = http::public(
        Arc::new(registry),
        Arc::new(move || live.heartbeats.checks()),
        Arc::new(move || ready.readiness()),
    );
    let (index, queues) = (insight.clone(), insight.clone());
    let debug_router = http::debug(
        Arc::new(move || index.dump(|context| context.state.lock().dump())),
        Arc::new(move || queues.dump(Context::dump_queues)),
    );
    let (first, second) = (stopped(stop), stopped(stop));
    tasks.spawn(async {
        if let Err(error) = http::serve(public, router, first).await {
            warn!(%error, "the metrics server failed");
        }
        "the metrics server"
    });
    tasks.spawn(async {
        if let Err(error) = http::serve(debug, debug_router, second).await {
            warn!(%error, "the debug server failed");
        }
        "the debug server"
    });
    Ok(())
}

// === impl Insight ===

impl Insight {
    /// Nothing to tell of yet.
    #[must_use]
    pub fn new(idle_timeout: Duration) -> Self {
        Self {
            healths: Arc::default(),
            heartbeats: Heartbeats::default(),
            context: Arc::default(),
            idle_timeout,
        }
    }

    /// From now on there is something to tell of.
    pub fn begin(&self, context: &Arc<Context>) {
        // A second one can't come: there is one operator in a process.
        let _ = self.context.set(context.clone());
    }

    fn dump(&self, dump: impl FnOnce(&Context) -> Value) -> Value {
        let context = self.context.get();
        context.map_or_else(|| json!({}), |context| dump(context))
    }

    fn readiness(&self) -> Vec<Check> {
        let Some(context) = self.context.get() else {
            let problem = "the API server has not given or taken it yet".to_owned();
            return vec![Check::new("digest-key", Some(problem))];
        };
        let mut checks: Vec<Check> = self
            .healths
            .lock()
            .iter()
            .map(|health| {
                let problem = watch_problem(&health.report(), self.idle_timeout);
                Check::new(format!("watch/{health}"), problem)
            })
            .collect();
        let synced = context.state.lock().synced;
        let problem = (!synced).then(|| "the first lists are not complete".to_owned());
        checks.push(Check::new("caches", problem));
        checks.push(lease_check(&context.leadership.borrow(), Instant::now()));
        checks
    }

    /// Samples of the context; none before there is one.
    fn of_context(
        &self,
        sample: impl Fn(&Context) -> Vec<Sample> + Send + Sync + 'static,
    ) -> metrics::Read {
        let context = self.context.clone();
        Box::new(move || {
            context
                .get()
                .map_or_else(Vec::new, |context| sample(context))
        })
    }

    /// Samples of the watches.
    fn of_watches(
        &self,
        sample: impl Fn(&[Report]) -> Vec<Sample> + Send + Sync + 'static,
    ) -> metrics::Read {
        let healths = self.healths.clone();
        Box::new(move || {
            let reports: Vec<_> = healths
                .lock()
                .iter()
                .map(|health| health.report())
                .collect();
            sample(&reports)
        })
    }

    fn samples(&self) -> Samples {
        let leader = self.context.clone();
        Samples {
            workloads: self.of_context(|context| {
                let (workloads, _) = context.state.lock().totals();
                let sample = |((kind, state), count)| (vec![kind, state], f64::from(count));
                workloads.into_iter().map(sample).collect()
            }),
            pods: self.of_context(|context| {
                let (_, tally) = context.state.lock().totals();
                vec![
                    (vec!["Fresh"], f64::from(tally.fresh)),
                    (vec!["Stale"], f64::from(tally.stale)),
                    (vec!["Refreshing"], f64::from(tally.refreshing)),
                    (vec!["Unknown"], f64::from(tally.unknown)),
                ]
            }),
            watch_ages: self.of_watches(watch_ages),
            watch_restarts: self.of_watches(watch_restarts),
            queue_depths: self.of_context(|context| {
                let sample = |name, depth: usize| (vec![name], depth as f64);
                vec![
                    sample(context.sources.name(), context.sources.depth()),
                    sample(context.workloads.name(), context.workloads.depth()),
                    sample(context.reports.name(), context.reports.depth()),
                ]
            }),
            queue_ages: self.of_context(|context| {
                let sample = |name, age: Duration| (vec![name], age.as_secs_f64());
                vec![
                    sample(context.sources.name(), context.sources.oldest()),
                    sample(context.workloads.name(), context.workloads.oldest()),
                    sample(context.reports.name(), context.reports.oldest()),
                ]
            }),
            leader: Box::new(move || leader.get().is_some_and(|context| context.is_leading())),
        }
    }
}

/// A standby is as ready as the leader; it is told which of them this is.
fn lease_check(leadership: &Leadership, now: Instant) -> Check {
    let note = match leadership {
        Leadership::Unknown => {
            let problem =
                "who leads is not known: the API server does not tell of the lease".to_owned();
            return Check::new("lease", Some(problem));
        }
        Leadership::Leader { .. } if leadership.is_leading(now) => "leading".to_owned(),
        Leadership::Leader { .. } => "standing by, the lease was not renewed in time".to_owned(),
        Leadership::Standby {
            holder: Some(holder),
        } => {
            format!("standing by, the lease is held by {holder}")
        }
        Leadership::Standby { holder: None } => "standing by, nobody holds the lease".to_owned(),
    };
    Check::noted("lease", note)
}

/// What is wrong with a watch, if anything is.
fn watch_problem(report: &Report, idle_timeout: Duration) -> Option<String> {
    match &report.failure {
        Some(failure) if report.errors >= WATCH_FAILURES || !report.synced => {
            return Some(failure.clone());
        }
        _ => {}
    }
    if !report.synced {
        return Some("its first list is not complete".to_owned());
    }
    // The watch itself has noticed, and tries again: so far without an answer.
    let silent = report.silence > idle_timeout && !report.unavailable;
    silent.then(|| format!("nothing came for {} s", report.silence.as_secs()))
}

/// The kinds watched, each with the age of its last event: of several watches of
/// a kind that of the most silent.
fn watch_ages(reports: &[Report]) -> Vec<Sample> {
    let mut ages: Vec<(&'static str, f64)> = Vec::new();
    for report in reports {
        let Some(age) = report.last_event else {
            continue;
        };
        let kind = kind(report);
        match ages.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, oldest)) => *oldest = oldest.max(age.as_secs_f64()),
            None => ages.push((kind, age.as_secs_f64())),
        }
    }
    ages.into_iter()
        .map(|(kind, age)| (vec![kind], age))
        .collect()
}

/// How often the watches of each kind were started again, because nothing came
/// any more or because they failed.
fn watch_restarts(reports: &[Report]) -> Vec<Sample> {
    let mut counts: Vec<(&'static str, u64, u64)> = Vec::new();
    for report in reports {
        let kind = kind(report);
        match counts.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, silent, failed)) => {
                *silent += report.stalls;
                *failed += report.failures;
            }
            None => counts.push((kind, report.stalls, report.failures)),
        }
    }
    counts
        .into_iter()
        .flat_map(|(kind, silent, failed)| {
            [
                (vec![kind, "Silent"], silent as f64),
                (vec![kind, "Failed"], failed as f64),
            ]
        })
        .collect()
}

/// A watch's kind as a label.
fn kind(report: &Report) -> &'static str {
    let kind = KINDS.iter().find(|kind| **kind == &*report.kind);
    kind.copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(150);

    fn report() -> Report {
        Report {
            kind: "Pod".into(),
            namespace: None,
            synced: true,
            unavailable: false,
            listing: false,
            last_event: Some(Duration::from_secs(1)),
            silence: Duration::from_secs(60),
            errors: 0,
            failure: None,
            failures: 0,
            stalls: 0,
        }
    }

    #[test]
    fn a_watch_is_ready_while_something_comes() {
        let failing = |errors| Report {
            errors,
            failure: Some("list failed".to_owned()),
            ..report()
        };
        let silent = Report {
            silence: Duration::from_secs(151),
            ..report()
        };
        let unlisted = Report {
            synced: false,
            ..report()
        };
        // One that may be missing is asked for once a minute, and answers nothing.
        let missing = Report {
            unavailable: true,
            ..silent.clone()
        };
        for (report, problem) in [
            (report(), None),
            (failing(2), None),
            (failing(3), Some("list failed")),
            (silent, Some("nothing came for 151 s")),
            (unlisted, Some("its first list is not complete")),
            (missing, None),
        ] {
            assert_eq!(
                watch_problem(&report, IDLE).as_deref(),
                problem,
                "{report:?}"
            );
        }
    }

    #[test]
    fn readiness_tells_who_leads() {
        let now = Instant::now();
        let standby = |holder: Option<&str>| Leadership::Standby {
            holder: holder.map(str::to_owned),
        };
        let until = now + Duration::from_secs(1);
        for (leadership, told) in [
            (
                Leadership::Unknown,
                Err("who leads is not known: the API server does not tell of the lease"),
            ),
            (Leadership::Leader { until }, Ok("leading")),
            (
                Leadership::Leader { until: now },
                Ok("standing by, the lease was not renewed in time"),
            ),
            (
                standby(Some("b")),
                Ok("standing by, the lease is held by b"),
            ),
            (standby(None), Ok("standing by, nobody holds the lease")),
        ] {
            let result = lease_check(&leadership, now).result;
            let wanted = told.map(|note| Some(note.to_owned()));
            assert_eq!(result, wanted.map_err(str::to_owned), "{leadership:?}");
        }
    }

    #[test]
    fn restarts_are_summed_by_kind() {
        let one = Report {
            stalls: 1,
            failures: 2,
            ..report()
        };
        let other = Report {
            kind: "Unheard".into(),
            ..report()
        };
        let samples = watch_restarts(&[one.clone(), other, one]);
        assert_eq!(
            samples,
            [
                (vec!["Pod", "Silent"], 2.0),
                (vec!["Pod", "Failed"], 4.0),
                (vec!["other", "Silent"], 0.0),
                (vec!["other", "Failed"], 0.0),
            ]
        );
    }
}
