//! The state and tools that the reconcile loops share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::client::pulse::ServerClock;
use crate::cluster::events::EventSender;
use crate::cluster::lease::Leadership;
use crate::cluster::read::Reader;
use crate::cluster::write::Writer;
use crate::core::index::Affected;
use crate::core::state::{Settings, State};
use crate::core::time::{Moment, ServerTime};
use crate::kinds::{SourceId, WorkloadId};
use crate::operator::clock::OperatorClock;
use crate::operator::queue::{Backoff, OfNamespace, Queue};
use crate::telemetry::metrics::Metrics;

/// Time for which the Pod events of a workload are collected, for each Pod that it has: many times
/// what planning it takes.
const PLAN_OF_POD: Duration = Duration::from_millis(1);

/// The longest time for which they are collected.
const COLLECT_PODS: Duration = Duration::from_secs(5);

/// The state and tools that the reconcile loops share.
pub struct Context {
    /// State of the core. Never hold its lock across an await.
    pub state: Mutex<State>,
    /// Sources that may have to be read.
    pub sources: Arc<Queue<SourceId>>,
    /// Workloads to plan.
    pub workloads: Arc<Queue<WorkloadId>>,
    /// Projections and status of policies to write.
    pub reports: Arc<Queue<Subject>>,
    /// Access to the cluster.
    pub cluster: Access,
    /// Metrics.
    pub metrics: Metrics,
    /// The operator's clock.
    pub clock: OperatorClock,
}

/// Access of the loops to the cluster.
pub struct Access {
    /// Client of the watches.
    pub watches: Client,
    /// Reads sources.
    pub reader: Reader,
    /// Writes everything but Events.
    pub writer: Writer,
    /// Posts Events.
    pub events: EventSender,
    /// Current leadership: only the leader writes.
    pub leadership: watch::Receiver<Leadership>,
    /// The API server's time.
    pub server: ServerClock,
}

/// Subject of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A workload's Projection.
    Workload(WorkloadId),
    /// The status of all policies.
    Policies,
}

// === impl Context ===

impl Context {
    /// Makes a context in which nothing is known yet.
    #[must_use]
    pub fn new(settings: Settings, cluster: Access, metrics: Metrics) -> Self {
        Self {
            state: Mutex::new(State::new(settings)),
            sources: Queue::new("sources", Backoff::default()),
            workloads: Queue::new("workloads", Backoff::default()),
            reports: Queue::new("reports", Backoff::default()),
            cluster,
            metrics,
            clock: OperatorClock::default(),
        }
    }

    /// Returns whether this replica may write now.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.cluster.leadership.borrow().is_leading(Instant::now())
    }

    /// Reads both clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        let server = self.cluster.server.now();
        Moment {
            mono: self.clock.now(),
            server: server.unwrap_or(ServerTime::UNIX_EPOCH),
        }
    }

    /// Begins to decide, since the first lists are complete.
    pub fn start(&self) {
        self.state.lock().start(self.clock.now());
        self.enqueue_all();
    }

    /// Takes in that the cluster is in another history, as the watch of this kind has found.
    pub fn forget_versions(&self, kind: &'static str) {
        self.metrics.server_restores.count([kind]);
        self.state.lock().forget_versions();
    }

    /// Changes the state, and queues what is affected.
    pub fn change(&self, change: impl FnOnce(&mut State) -> Affected) {
        let affected = self.state.lock().change(self.clock.now(), change);
        self.enqueue(affected);
    }

    /// Queues what is affected.
    pub fn enqueue(&self, affected: Affected) {
        for source in affected.sources {
            self.sources.add(source);
        }
        for workload in affected.workloads {
            self.workloads.add(workload);
        }
        // A plan looks at all Pods, so events of a rollout of thousands are collected.
        for (workload, pods) in affected.of_pods {
            let pods = u32::try_from(pods).unwrap_or(u32::MAX);
            let collect = PLAN_OF_POD.saturating_mul(pods).min(COLLECT_PODS);
            self.workloads.add_after(workload, collect);
        }
    }

    /// Snapshots of the queues, for `/debug/queues`.
    #[must_use]
    pub fn dump_queues(&self) -> serde_json::Value {
        serde_json::json!({
            "sources": self.sources.snapshot(),
            "workloads": self.workloads.snapshot(),
            "reports": self.reports.snapshot(),
        })
    }

    /// Queues everything, at the end of the first lists and when this replica begins to lead.
    pub fn enqueue_all(&self) {
        let everything = self.state.lock().everything();
        self.enqueue(everything);
        self.reports.add(Subject::Policies);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

// === impl OfNamespace ===

impl OfNamespace for SourceId {
    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

impl OfNamespace for WorkloadId {
    fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl OfNamespace for Subject {
    fn namespace(&self) -> &str {
        match self {
            Self::Workload(id) => &id.namespace,
            Self::Policies => "",
        }
    }
}

// === impl Subject ===

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(id) => id.fmt(f),
            Self::Policies => f.write_str("policies"),
        }
    }
}
