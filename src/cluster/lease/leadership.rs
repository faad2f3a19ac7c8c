//! Who leads.

use tokio::time::Instant;

/// Who leads, as far as this replica knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leadership {
    /// The API server has not told yet, or not for two lease durations.
    Unknown,
    /// Not we.
    Standby {
        /// Who does, if anybody.
        holder: Option<String>,
    },
    /// We, until then; renewals move it on.
    Leader {
        /// The end of the renew deadline.
        until: Instant,
    },
}

impl Leadership {
    /// Whether a write may be started now. Ask right before each write: the
    /// published value may be one whose time has passed.
    #[must_use]
    pub fn is_leading(&self, now: Instant) -> bool {
        matches!(self, Self::Leader { until } if now < *until)
    }
}
