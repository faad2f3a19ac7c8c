//! Rows of metrics: each is declared once, for the registry and the documentation.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

/// Documentation of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Name in the exposition, with `_total` for a counter.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// Names of the labels.
    pub labels: Vec<&'static str>,
    /// Help text.
    pub help: &'static str,
}

/// A sample that is read at scrape: the values of its labels, and its value.
pub type Sample = (Vec<&'static str>, f64);

/// The row of a metric that is read at scrape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    name: &'static str,
    kind: MetricType,
    labels: &'static [&'static str],
    help: &'static str,
}

/// Label names and values.
type Labels<const N: usize> = [(&'static str, &'static str); N];

/// A counter for each set of values of its labels. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Counters<const N: usize> {
    labels: [&'static str; N],
    family: Family<Labels<N>, Counter>,
}

/// A histogram for each set of values of its labels. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Histograms<const N: usize> {
    labels: [&'static str; N],
    family: Family<Labels<N>, Histogram, fn() -> Histogram>,
}

/// Registers metrics and lists them.
pub(super) struct Rows<'a> {
    registry: &'a mut Registry,
    pub(super) list: Vec<Description>,
}

/// A metric whose samples are read at scrape.
struct Sampled<F> {
    row: Row,
    read: F,
}

// === impl Row ===

impl Row {
    pub(super) const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind: MetricType::Gauge,
            labels,
            help,
        }
    }

    pub(super) const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind: MetricType::Counter,
            labels,
            help,
        }
    }
}

// === impl Counters ===

impl<const N: usize> Counters<N> {
    /// Counts one, with these values of the labels.
    pub fn count(&self, values: [&'static str; N]) {
        let labels = labels(self.labels, values);
        self.family.get_or_create(&labels).inc();
    }
}

// === impl Histograms ===

impl<const N: usize> Histograms<N> {
    /// Counts a value with these values of the labels.
    pub fn observe(&self, values: [&'static str; N], value: f64) {
        let labels = labels(self.labels, values);
        self.family.get_or_create(&labels).observe(value);
    }
}

fn labels<const N: usize>(names: [&'static str; N], values: [&'static str; N]) -> Labels<N> {
    std::array::from_fn(|at| (names[at], values[at]))
}

// === impl Rows ===

impl<'a> Rows<'a> {
    pub(super) fn new(registry: &'a mut Registry) -> Self {
        let list = Vec::new();
        Self { registry, list }
    }

    pub(super) fn counters<const N: usize>(
        &mut self,
        name: &'static str,
        labels: [&'static str; N],
        help: &'static str,
    ) -> Counters<N> {
        let family = Family::default();
        self.metric(name, &labels, help, &family);
        Counters { labels, family }
    }

    pub(super) fn histograms<const N: usize>(
        &mut self,
        name: &'static str,
        labels: [&'static str; N],
        help: &'static str,
        new: fn() -> Histogram,
    ) -> Histograms<N> {
        let family = Family::new_with_constructor(new);
        self.metric(name, &labels, help, &family);
        Histograms { labels, family }
    }

    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        histogram: Histogram,
    ) -> Histogram {
        self.metric(name, &[], help, &histogram);
        histogram
    }

    /// Declares information about the build, with the value 1.
    pub(super) fn info(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: (&'static str, &'static str),
    ) {
        self.describe(name, MetricType::Info, &[label.0], help);
        self.registry.register(name, help, Info::new([label]));
    }

    /// Declares a metric whose samples are read at scrape, without a lock.
    pub(super) fn sampled(
        &mut self,
        row: Row,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        self.describe(row.name, row.kind, row.labels, row.help);
        self.registry
            .register_collector(Box::new(Sampled { row, read }));
    }

    fn metric(
        &mut self,
        name: &'static str,
        labels: &[&'static str],
        help: &'static str,
        metric: &(impl Metric + Clone),
    ) {
        self.describe(name, metric.metric_type(), labels, help);
        self.registry.register(name, help, metric.clone());
    }

    fn describe(
        &mut self,
        name: &str,
        kind: MetricType,
        labels: &[&'static str],
        help: &'static str,
    ) {
        let (kind, suffix) = match kind {
            MetricType::Counter => ("counter", "_total"),
            MetricType::Histogram => ("histogram", ""),
            MetricType::Info => ("info", "_info"),
            _ => ("gauge", ""),
        };
        self.list.push(Description {
            name: format!("{name}{suffix}"),
            kind,
            labels: labels.to_vec(),
            help,
        });
    }
}

// === impl Sampled ===

impl<F> fmt::Debug for Sampled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sampled").field(&self.row).finish()
    }
}

impl<F: Fn() -> Vec<Sample> + Send + Sync + 'static> Collector for Sampled<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Row {
            name, kind, help, ..
        } = self.row;
        // The registry adds a full stop to the help of other metrics.
        let mut metric = encoder.encode_descriptor(name, &format!("{help}."), None, kind)?;
        for (values, value) in (self.read)() {
            let labels: Vec<(&str, &str)> = self.row.labels.iter().copied().zip(values).collect();
            if labels.is_empty() {
                // An empty set of labels would become `{}`.
                return encode(kind, value, metric);
            }
            encode(kind, value, metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn encode(kind: MetricType, value: f64, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(encoder),
        _ => ConstGauge::new(value).encode(encoder),
    }
}
