//! What the reconcile loops share.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::client::Clients;
use crate::cluster::client::pulse::ServerClock;
use crate::cluster::events::EventSender;
use crate::cluster::lease::Leadership;
use crate::core::content::digest::DigestKey;
use crate::core::index::Affected;
use crate::core::state::State;
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::{SourceId, WorkloadId};
use crate::operator::queue::Queue;
use crate::telemetry::metrics::Metrics;

/// How long before the operator's start its clock has its zero.
const ZERO: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two samples of the server's time.
pub const SAMPLING: Duration = Duration::from_secs(1);

/// What happened before a sample has been seen once so many, it included, were
/// taken: after three seconds in which the process ran.
const SETTLED: usize = 4;

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
    /// The server's times as they were received, oldest first; at most [`SETTLED`].
    samples: Mutex<VecDeque<Moment>>,
}

// === impl Context ===

impl Context {
    /// Whether this replica may write now.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.leadership.borrow().is_leading(Instant::now())
    }

    /// Now, by both clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment {
            mono: self.clock.now(),
            server: self.server.now().unwrap_or(ServerTime::UNIX_EPOCH),
        }
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
            samples: Mutex::default(),
        }
    }
}

impl OperatorClock {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Mono {
        Mono(ZERO + self.start.elapsed())
    }

    /// Takes a sample of the server's time. To be called each [`SAMPLING`] while
    /// the process runs: one that was suspended has yet to see what happened.
    pub fn sample(&self, server: Option<ServerTime>) {
        let Some(date) = server else { return };
        let mut samples = self.samples.lock();
        if samples.len() >= SETTLED {
            samples.pop_front();
        }
        samples.push_back(Moment {
            mono: self.now(),
            server: date,
        });
    }

    /// The moment before which everything has been seen.
    #[must_use]
    pub fn settled(&self) -> Option<Moment> {
        let samples = self.samples.lock();
        samples
            .front()
            .filter(|_| samples.len() >= SETTLED)
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_happened_is_seen_after_three_seconds_in_which_the_process_ran() {
        let clock = OperatorClock::default();
        let date = |second| ServerTime::from_second(second).ok();
        clock.sample(None);
        let begun = clock.now();
        for second in 0..3 {
            clock.sample(date(second));
            assert_eq!(clock.settled(), None);
            tokio::time::advance(SAMPLING).await;
        }
        clock.sample(date(3));
        let first = date(0).map(|server| Moment {
            mono: begun,
            server,
        });
        assert_eq!(clock.settled(), first);
        // Suspended for a minute: what happened meanwhile has yet to be seen.
        tokio::time::advance(Duration::from_secs(60)).await;
        clock.sample(date(63));
        assert_eq!(clock.settled().map(|seen| seen.server), date(1));
    }
}
