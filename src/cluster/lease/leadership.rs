//! Who leads.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

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

/// Ends once this replica leads no more; each renewal until then puts that off.
pub async fn lapse(mut leadership: watch::Receiver<Leadership>) {
    loop {
        let until = match *leadership.borrow_and_update() {
            Leadership::Leader { until } if Instant::now() < until => until,
            _ => return,
        };
        tokio::select! {
            () = sleep_until(until) => {}
            changed = leadership.changed() => {
                // Nobody renews any more.
                if changed.is_err() {
                    return sleep_until(until).await;
                }
            }
        }
    }
}
