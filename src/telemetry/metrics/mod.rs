//! All metrics, with one row each.
//!
//! The registry is an argument; there are no globals. Labels are kinds, reasons and
//! outcomes that are known at compile time, never names, namespaces or other text from the
//! cluster.

mod outcome;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::outcome::Outcome;
pub use self::rows::{Counters, Description, Histograms, Sample};
use self::rows::{Row, Rows};
use super::process;

/// Buckets of the time from a change to its patch, in seconds. `settle` alone is 2 s by default.
const CHANGE_BUCKETS: [f64; 15] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1800.0,
];

/// Buckets of the duration of an API request, in seconds.
const REQUEST_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// The metrics that code counts into. Clones share their values.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Seconds from the receipt of a change to the accepted patch.
    pub change_to_patch: Histogram,
    /// Decisions by workload kind and reason.
    pub decisions: Counters<2>,
    /// Patches that roll, by workload kind and outcome.
    pub rolls: Counters<2>,
    /// Reads of sources, by source kind and outcome.
    pub source_reads: Counters<2>,
    /// Writes of Projections and of policy status, by outcome.
    pub status_writes: Counters<1>,
    /// Kubernetes Events, by outcome.
    pub events: Counters<1>,
    /// How often the API server went back to an earlier state, by the kind that showed it.
    pub server_restores: Counters<1>,
    /// Requests to the API server.
    pub api: ApiMetrics,
}

/// Metrics of requests to the API server.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    /// Requests by verb, as in audit logs, and code. The code is the class of the status
    /// (`2xx`), 409, 429, `error` without an answer, or `cancelled` if nobody waited for it.
    requests: Counters<2>,
    duration: Histograms<1>,
}

impl ApiMetrics {
    /// Counts a request that ended with `code` after `took`.
    pub fn answered(&self, verb: &'static str, code: &'static str, took: Duration) {
        self.requests.count([verb, code]);
        self.duration.observe([verb], took.as_secs_f64());
    }
}

impl Metrics {
    fn declare(rows: &mut Rows<'_>) -> Self {
        Self {
            change_to_patch: rows.histogram(
                "projsync_change_to_patch_seconds",
                "Time from receiving a change to the accepted patch of a workload",
                Histogram::new(CHANGE_BUCKETS),
            ),
            decisions: rows.counters(
                "projsync_decisions",
                ["kind", "reason"],
                "Decisions on workloads, by kind of workload and reason",
            ),
            rolls: rows.counters(
                "projsync_rolls",
                ["kind", "outcome"],
                "Patches that roll a workload, by kind of workload and outcome",
            ),
            source_reads: rows.counters(
                "projsync_source_reads",
                ["kind", "outcome"],
                "Reads of the content of ConfigMaps and Secrets, by kind and outcome",
            ),
            status_writes: rows.counters(
                "projsync_status_writes",
                ["outcome"],
                "Writes of Projections and of the status of policies, by outcome",
            ),
            events: rows.counters(
                "projsync_events",
                ["outcome"],
                "Kubernetes Events, by outcome; an Event is dropped if the queue is full",
            ),
            server_restores: rows.counters(
                "projsync_server_restores",
                ["kind"],
                "How often the API server was found in an earlier state than before, by the kind whose list showed it",
            ),
            api: ApiMetrics {
                requests: rows.counters(
                    "projsync_api_requests",
                    ["verb", "code"],
                    "Requests to the API server, by verb and class of the status code (409 and 429 have their own)",
                ),
                duration: rows.histograms(
                    "projsync_api_request_duration_seconds",
                    ["verb"],
                    "Time until the headers of an answer of the API server, by verb",
                    || Histogram::new(REQUEST_BUCKETS),
                ),
            },
        }
    }
}

/// Metrics that are read at scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampled {
    /// Managed workloads per kind and state (`in_sync`, `out_of_sync`, `unplanned`).
    Workloads,
    /// Managed workloads whose rolls a ClusterSyncPolicy stops.
    Stopped,
    /// Pods of managed workloads per state.
    Pods,
    /// Seconds since the last event of the watches of each kind.
    WatchAges,
    /// Watches of each kind that the API server denies or doesn't know.
    WatchesLeftOut,
    /// Restarts of the watches of each kind, per reason.
    WatchRestarts,
    /// Keys that are due and wait, per queue.
    QueueDepths,
    /// Seconds for which the oldest due key has waited, per queue.
    QueueAges,
    /// Whether this replica leads.
    Leader,
}

/// Reads the samples of a metric at scrape. It is called without a lock, so it may take one.
pub type Read = Arc<dyn Fn(Sampled) -> Vec<Sample> + Send + Sync>;

impl Sampled {
    /// Declares all of them.
    pub const ALL: [Self; 9] = [
        Self::Workloads,
        Self::Stopped,
        Self::Pods,
        Self::WatchAges,
        Self::WatchesLeftOut,
        Self::WatchRestarts,
        Self::QueueDepths,
        Self::QueueAges,
        Self::Leader,
    ];

    const fn row(self) -> Row {
        match self {
            Self::Workloads => Row::gauge(
                "projsync_workloads",
                &["kind", "state"],
                "Managed workloads, by kind and by state (in_sync, out_of_sync or unplanned)",
            ),
            Self::Stopped => Row::gauge(
                "projsync_stopped_workloads",
                &[],
                "Managed workloads whose rolls a ClusterSyncPolicy stops",
            ),
            Self::Pods => Row::gauge(
                "projsync_pods",
                &["state"],
                "Pods of managed workloads, by state",
            ),
            Self::WatchAges => Row::gauge(
                "projsync_watch_last_event_age_seconds",
                &["kind"],
                "Time since the last event, bookmark or list of a watch, by kind of objects",
            ),
            Self::WatchesLeftOut => Row::gauge(
                "projsync_watches_left_out",
                &["kind"],
                "Watches that the API server denies or does not know, by kind of objects; workloads that need them are held",
            ),
            Self::WatchRestarts => Row::counter(
                "projsync_watch_restarts",
                &["kind", "reason"],
                "Restarts of watches, by kind of objects and reason",
            ),
            Self::QueueDepths => Row::gauge(
                "projsync_queue_depth",
                &["queue"],
                "Keys that are due and wait for a worker, by queue",
            ),
            Self::QueueAges => Row::gauge(
                "projsync_queue_oldest_seconds",
                &["queue"],
                "Time for which the oldest due key has been due, by queue",
            ),
            Self::Leader => Row::gauge("projsync_leader", &[], "1 if this replica leads, else 0"),
        }
    }
}

/// Declares the metrics that are counted into.
pub fn register(registry: &mut Registry) -> Metrics {
    Metrics::declare(&mut Rows::new(registry))
}

/// Declares the metrics that are read at scrape, and those of the process.
pub fn register_samples(registry: &mut Registry, read: &Read) {
    declare_samples(&mut Rows::new(registry), read);
}

/// All metrics, for the documentation.
#[must_use]
pub fn descriptions() -> Vec<Description> {
    let mut registry = Registry::default();
    let mut rows = Rows::new(&mut registry);
    Metrics::declare(&mut rows);
    let nothing: Read = Arc::new(|_| Vec::new());
    declare_samples(&mut rows, &nothing);
    rows.list
}

fn declare_samples(rows: &mut Rows<'_>, read: &Read) {
    for metric in Sampled::ALL {
        let read = read.clone();
        rows.sampled(metric.row(), move || read(metric));
    }
    rows.info(
        "projsync_build",
        "Version of the operator",
        ("version", crate::VERSION),
    );
    let process = |read: fn() -> Option<f64>| {
        move || {
            read()
                .map(|value| (Vec::new(), value))
                .into_iter()
                .collect()
        }
    };
    rows.sampled(
        Row::gauge(
            "process_resident_memory_bytes",
            &[],
            "Resident memory of the process",
        ),
        process(process::resident_memory),
    );
    rows.sampled(
        Row::counter(
            "process_cpu_seconds",
            &[],
            "Processor time that the process has used, in user and system mode",
        ),
        process(process::cpu_seconds),
    );
    rows.sampled(
        Row::gauge(
            "process_start_time_seconds",
            &[],
            "Start of the process, in seconds since 1970",
        ),
        process(process::start_time),
    );
}

#[cfg(test)]
mod tests;
