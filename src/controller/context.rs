//! What the reconcile loops share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::lease::Leadership;
use crate::cluster::pulse::ServerClock;
use crate::controller::queue::Queue;
use crate::controller::state::State;
use crate::core::digest::DigestKey;
use crate::core::index::Affected;
use crate::core::object::{SourceId, WorkloadId};
use crate::core::projection::Clock;
use crate::core::time::{Mono, ServerTime};
use crate::telemetry::client::Clients;
use crate::telemetry::events::EventSender;
use crate::telemetry::metrics::Metrics;

/// How long before the operator's start its clock has its zero.
const ZERO: Duration = Duration::from_secs(24 * 60 * 60);

/// How old a server time must be for everything before it to be seen.
const SETTLED: Duration = Duration::from_secs(3);

/// What the reconcile loops share.
pub struct Context {
    /// What is known and remembered. Never held across an await.
    pub state: Mutex<State>,
    /// Sources that may have to be read.
    pub sources: Arc<Queue<SourceId>>,
    /// Workloads to plan.
    pub workloads: Arc<Queue<WorkloadId>>,
    /// Projections and policies' status to write.
    pub reports: Arc<Queue<Subject>>,
    /// How to reach the API server.
    pub clients: Clients,
    /// Makes digests.
    pub key: DigestKey,
    /// Counters.
    pub metrics: Metrics,
    /// Posts Events.
    pub events: EventSender,
    /// Who leads: only the leader writes.
    pub leadership: watch::Receiver<Leadership>,
    /// The API server's time.
    pub server: ServerClock,
    /// The operator's clock.
    pub clock: OperatorClock,
    /// The most that a request may take.
    pub timeout: Duration,
}

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A workload's Projection.
    Workload(WorkloadId),
    /// The status of all policies.
    Policies,
}

/// The operator's clock.
#[derive(Debug)]
pub struct OperatorClock {
    start: Instant,
    /// Server times with our time of them: the newest that is surely in the
    /// past of everything seen, and a later one on its way to be that.
    dates: Mutex<[Option<(ServerTime, Mono)>; 2]>,
}

// === impl Context ===

impl Context {
    /// Whether this replica may write now.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.leadership.borrow().is_leading(Instant::now())
    }

    /// Both clocks.
    #[must_use]
    pub fn now(&self) -> Clock {
        let now = self.clock.now();
        Clock {
            now,
            server: self.server.now().unwrap_or(ServerTime::UNIX_EPOCH),
        }
    }

    /// Changes the state, and queues what is affected.
    pub fn change(&self, change: impl FnOnce(&mut State) -> Affected) {
        let now = self.clock.now();
        let (affected, synced) = {
            let mut state = self.state.lock();
            let affected = change(&mut state);
            state.align(&affected, now);
            (affected, state.synced)
        };
        // Everything is queued once the first lists are complete.
        if synced {
            self.enqueue(affected);
        }
    }

    /// Queues what is affected.
    pub fn enqueue(&self, affected: Affected) {
        for source in affected.sources {
            self.sources.add(source);
        }
        for workload in affected.workloads {
            self.workloads.add(workload);
        }
    }

    /// A picture of the queues for `/debug/queues`.
    #[must_use]
    pub fn dump_queues(&self) -> serde_json::Value {
        serde_json::json!({
            "sources": self.sources.snapshot(),
            "workloads": self.workloads.snapshot(),
            "reports": self.reports.snapshot(),
        })
    }

    /// Queues everything: at the end of the first lists, and when leadership
    /// comes.
    pub fn enqueue_all(&self) {
        let (affected, remembered) = {
            let state = self.state.lock();
            let affected = Affected {
                sources: state.index.used_sources().collect(),
                workloads: state.index.workloads().collect(),
            };
            (affected, state.remembered())
        };
        self.enqueue(affected);
        for id in remembered {
            self.workloads.add(id);
        }
        self.reports.add(Subject::Policies);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
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

// === impl OperatorClock ===

impl Default for OperatorClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            dates: Mutex::new([None, None]),
        }
    }
}

impl OperatorClock {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Mono {
        Mono(ZERO + self.start.elapsed())
    }

    /// A server time before which everything has been seen, with our time of it,
    /// given the server's time now.
    #[must_use]
    pub fn settled(&self, server: Option<ServerTime>) -> Option<(ServerTime, Mono)> {
        let now = self.now();
        let newest = server.map(|date| (date, now));
        let mut dates = self.dates.lock();
        if let [_, Some((_, at))] = *dates
            && now.since(at) >= SETTLED
        {
            dates[0] = dates[1].take();
        }
        if dates[1].is_none() {
            dates[1] = newest;
        }
        dates[0]
    }
}
