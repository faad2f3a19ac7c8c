//! The two kinds of time.
//!
//! Server times order contents and Pods; the operator's own clock only
//! measures waits, so a wrong clock can never misjudge a Pod.

use std::ops::Add;
use std::time::Duration;

/// A time written by the API server, in whole seconds as Kubernetes writes them
/// (`metadata.creationTimestamp`, `managedFields[].time`, the HTTP `Date`).
pub type ServerTime = jiff::Timestamp;

/// A reading of the operator's monotonic clock. Its zero is well before the
/// operator started, so that what happened earlier has a reading too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the operator's clock.
    pub mono: Mono,
    /// By the API server's, as far as that is known.
    pub server: ServerTime,
}

impl Mono {
    /// How long ago `earlier` was; zero if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}
