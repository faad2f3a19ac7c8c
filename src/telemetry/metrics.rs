//! All metrics, declared in one place.
//!
//! The registry is passed in; there are no globals. Labels are kinds, reasons
//! and outcomes known at compile time: never a name, a namespace or anything
//! else read from the cluster.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

pub use self::labels::{KindOutcome, KindReason, Outcome, OutcomeOnly, Verb, VerbCode};
use super::process::Process;

mod labels;

/// Buckets of the time from a change to its patch, in seconds. `settle` alone is 2 s by default.
const CHANGE_BUCKETS: [f64; 15] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1800.0,
];

/// Buckets of the time of an API request, in seconds.
const REQUEST_BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// A family of histograms of request durations.
#[derive(Debug, Clone)]
pub struct RequestBuckets;

impl MetricConstructor<Histogram> for RequestBuckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(REQUEST_BUCKETS)
    }
}

/// Metrics of requests to the API server, for [`super::client`].
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    requests: Family<VerbCode, Counter>,
    duration: Family<Verb, Histogram, RequestBuckets>,
}

impl ApiMetrics {
    /// Counts one request that ended with `code` after `took`.
    pub fn answered(&self, verb: &'static str, code: &'static str, took: Duration) {
        self.requests.get_or_create(&VerbCode { verb, code }).inc();
        self.duration
            .get_or_create(&Verb { verb })
            .observe(took.as_secs_f64());
    }
}

/// The metrics that code counts into. Clones share their values.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Seconds from the receipt of a change to the accepted patch.
    pub change_to_patch: Histogram,
    /// Decisions by workload kind and reason.
    pub decisions: Family<KindReason, Counter>,
    /// Patches that roll, by workload kind.
    pub rolls: Family<KindOutcome, Counter>,
    /// Reads of sources, by source kind.
    pub source_reads: Family<KindOutcome, Counter>,
    /// Writes of Projections and of policy status.
    pub status_writes: Family<OutcomeOnly, Counter>,
    /// Kubernetes Events.
    pub events: Family<OutcomeOnly, Counter>,
    /// Requests to the API server.
    pub api: ApiMetrics,
}

/// One sample that is read at scrape: its label values and its value.
pub type Sample = (Vec<&'static str>, f64);

/// Reads a metric's samples at scrape. Called without a lock held, so it may take its own.
pub type Read = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// What is read at scrape rather than counted.
pub struct Samples {
    /// Per workload kind and state (`in_sync`, `out_of_sync`, `unplanned`): how
    /// many managed workloads.
    pub workloads: Read,
    /// Per Pod state: how many Pods of managed workloads.
    pub pods: Read,
    /// Per kind: seconds since the watch's last event.
    pub watch_ages: Read,
    /// Per kind and reason: how often its watches were started again.
    pub watch_restarts: Read,
    /// Per queue: how many keys are due and wait.
    pub queue_depths: Read,
    /// Per queue: for how many seconds the oldest due key has waited.
    pub queue_ages: Read,
    /// Whether this replica leads.
    pub leader: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Default for Samples {
    /// Nothing of anything.
    fn default() -> Self {
        fn none() -> Read {
            Box::new(Vec::new)
        }
        Self {
            workloads: none(),
            pods: none(),
            watch_ages: none(),
            watch_restarts: none(),
            queue_depths: none(),
            queue_ages: none(),
            leader: Box::new(|| false),
        }
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").finish_non_exhaustive()
    }
}

/// A metric as documented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name in the exposition, with `_total` where it is a counter.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Declares the metrics that are counted into.
pub fn register(registry: &mut Registry) -> Metrics {
    declare(&mut Declarations {
        registry,
        list: Vec::new(),
    })
}

/// Declares the metrics that are read at scrape, and those of the process.
pub fn register_samples(registry: &mut Registry, samples: Samples) {
    declare_samples(
        &mut Declarations {
            registry,
            list: Vec::new(),
        },
        samples,
    );
}

/// Every metric there is, for the documentation.
#[must_use]
pub fn descriptions() -> Vec<Description> {
    let mut registry = Registry::default();
    let mut declarations = Declarations {
        registry: &mut registry,
        list: Vec::new(),
    };
    declare(&mut declarations);
    declare_samples(&mut declarations, Samples::default());
    declarations.list
}

fn declare(to: &mut Declarations<'_>) -> Metrics {
    Metrics {
        change_to_patch: to.metric(
            "projsync_change_to_patch_seconds",
            &[],
            "Time from the receipt of a change to the accepted patch of a workload",
            Histogram::new(CHANGE_BUCKETS),
        ),
        decisions: to.metric(
            "projsync_decisions",
            &["kind", "reason"],
            "Decisions on workloads, by kind of the workload and reason",
            Family::default(),
        ),
        rolls: to.metric(
            "projsync_rolls",
            &["kind", "outcome"],
            "Patches that roll a workload, by its kind and outcome",
            Family::default(),
        ),
        source_reads: to.metric(
            "projsync_source_reads",
            &["kind", "outcome"],
            "Reads of the content of ConfigMaps and Secrets",
            Family::default(),
        ),
        status_writes: to.metric(
            "projsync_status_writes",
            &["outcome"],
            "Writes of Projections and of the status of policies",
            Family::default(),
        ),
        events: to.metric(
            "projsync_events",
            &["outcome"],
            "Kubernetes Events posted; dropped ones found the queue full",
            Family::default(),
        ),
        api: ApiMetrics {
            requests: to.metric(
                "projsync_api_requests",
                &["verb", "code"],
                "Requests to the API server, by verb and class of the status code (409 and 429 apart)",
                Family::default(),
            ),
            duration: to.metric(
                "projsync_api_request_duration_seconds",
                &["verb"],
                "Time until the headers of the API server's answer",
                Family::new_with_constructor(RequestBuckets),
            ),
        },
    }
}

fn declare_samples(to: &mut Declarations<'_>, samples: Samples) {
    to.sampled(
        "projsync_workloads",
        &["kind", "state"],
        "Managed workloads, by kind and by whether the last decision found them in sync",
        samples.workloads,
    );
    to.sampled(
        "projsync_pods",
        &["state"],
        "Pods of managed workloads, by state",
        samples.pods,
    );
    to.sampled(
        "projsync_watch_last_event_age_seconds",
        &["kind"],
        "Time since the last event, a bookmark too, of the watch of a kind",
        samples.watch_ages,
    );
    to.sampled_counter(
        "projsync_watch_restarts",
        &["kind", "reason"],
        "Watches that were started again, by kind of the objects watched and reason",
        samples.watch_restarts,
    );
    to.sampled(
        "projsync_queue_depth",
        &["queue"],
        "Keys that are due and wait for a worker",
        samples.queue_depths,
    );
    to.sampled(
        "projsync_queue_oldest_seconds",
        &["queue"],
        "For how long the oldest due key of a queue has been due",
        samples.queue_ages,
    );
    let leader = samples.leader;
    to.sampled(
        "projsync_leader",
        &[],
        "1 where this replica leads, else 0",
        Box::new(move || vec![(Vec::new(), f64::from(u8::from(leader())))]),
    );
    to.build_info();
    to.process();
}

/// Registers metrics and keeps the list of them.
struct Declarations<'a> {
    registry: &'a mut Registry,
    list: Vec<Description>,
}

impl Declarations<'_> {
    fn metric<M>(
        &mut self,
        name: &str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M
    where
        M: Metric + Clone,
    {
        let (kind, suffix) = match metric.metric_type() {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Histogram => ("histogram", ""),
            _ => ("gauge", ""),
        };
        self.describe(format!("{name}{suffix}"), kind, labels, help);
        self.registry.register(name, help, metric.clone());
        metric
    }

    fn build_info(&mut self) {
        const HELP: &str = "The version that runs";
        self.describe("projsync_build_info".to_owned(), "info", &["version"], HELP);
        self.registry.register(
            "projsync_build",
            HELP,
            Info::new([("version", crate::VERSION)]),
        );
    }

    fn sampled(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        read: Read,
    ) {
        self.describe(name.to_owned(), "gauge", labels, help);
        self.registry.register_collector(Box::new(Sampled {
            name,
            metric_type: MetricType::Gauge,
            labels,
            help,
            read,
        }));
    }

    fn sampled_counter(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        read: Read,
    ) {
        self.describe(format!("{name}_total"), "counter", labels, help);
        self.registry.register_collector(Box::new(Sampled {
            name,
            metric_type: MetricType::Counter,
            labels,
            help,
            read,
        }));
    }

    fn process(&mut self) {
        for (name, kind, help) in Process::METRICS {
            let suffix = if kind == "counter" { "_total" } else { "" };
            self.describe(format!("{name}{suffix}"), kind, &[], help);
        }
        self.registry.register_collector(Box::new(Process));
    }

    fn describe(
        &mut self,
        name: String,
        kind: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) {
        self.list.push(Description {
            name,
            kind,
            labels,
            help,
        });
    }
}

/// A gauge or counter whose samples are read at scrape.
struct Sampled {
    name: &'static str,
    metric_type: MetricType,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
}

impl fmt::Debug for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // The registry ends the others' help with a full stop.
        let help = format!("{}.", self.help);
        let mut metric = encoder.encode_descriptor(self.name, &help, None, self.metric_type)?;
        for (values, value) in (self.read)() {
            let gauge = ConstGauge::new(value);
            let labels: Vec<(&str, &str)> = self.labels.iter().copied().zip(values).collect();
            if matches!(self.metric_type, MetricType::Counter) {
                ConstCounter::new(value).encode(metric.encode_family(&labels)?)?;
                continue;
            }
            if labels.is_empty() {
                // An empty label set would be written as `{}`.
                return gauge.encode(metric);
            }
            gauge.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// Counts a decision on a workload.
    pub fn decided(&self, kind: &'static str, reason: &'static str) {
        self.decisions
            .get_or_create(&KindReason { kind, reason })
            .inc();
    }

    /// Counts a patch, and if it was accepted how long after the change.
    pub fn rolled(&self, kind: &'static str, outcome: Outcome, since_change: Duration) {
        self.rolls
            .get_or_create(&KindOutcome { kind, outcome })
            .inc();
        if outcome == Outcome::Success {
            self.change_to_patch.observe(since_change.as_secs_f64());
        }
    }

    /// Counts a read of a source.
    pub fn read_source(&self, kind: &'static str, outcome: Outcome) {
        self.source_reads
            .get_or_create(&KindOutcome { kind, outcome })
            .inc();
    }

    /// Counts a write of a Projection or of a policy's status.
    pub fn wrote_status(&self, outcome: Outcome) {
        self.status_writes
            .get_or_create(&OutcomeOnly { outcome })
            .inc();
    }

    /// Counts a Kubernetes Event.
    pub fn posted_event(&self, outcome: Outcome) {
        self.events.get_or_create(&OutcomeOnly { outcome }).inc();
    }
}

#[cfg(test)]
mod tests;
