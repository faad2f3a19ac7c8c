//! The operator's clock, with samples of the API server's time.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cluster::client::pulse::ServerClock;
use crate::core::time::{Moment, Mono, ServerTime};

/// Reading of the clock at the operator's start.
const ZERO: Duration = Duration::from_secs(24 * 60 * 60);

/// Time between two samples of the server's time.
const SAMPLING: Duration = Duration::from_secs(1);

/// Number of samples, including a first one, after which everything before that one has been
/// seen: three seconds in which the process ran.
const SAMPLES: usize = 4;

/// The operator's clock.
#[derive(Debug)]
pub struct OperatorClock {
    start: Instant,
    /// Samples of the server's time, oldest first; at most [`SAMPLES`].
    samples: Mutex<VecDeque<Moment>>,
}

impl Default for OperatorClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            samples: Mutex::default(),
        }
    }
}

impl OperatorClock {
    /// Reads the clock.
    #[must_use]
    pub fn now(&self) -> Mono {
        Mono(ZERO + self.start.elapsed())
    }

    /// Takes a sample of the server's time. Call it each `SAMPLING` while the process runs.
    /// After a suspension the process has yet to see what happened meanwhile.
    pub fn sample(&self, server: Option<ServerTime>) {
        let Some(date) = server else { return };
        let mut samples = self.samples.lock();
        if samples.len() >= SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Moment {
            mono: self.now(),
            server: date,
        });
    }

    /// Time before which everything has been seen. Where the samples disagree, as the server's
    /// clock was set, the earliest time counts: nothing is claimed of a time yet to come.
    #[must_use]
    pub fn watched_until(&self) -> Option<Moment> {
        let samples = self.samples.lock();
        let first = samples.front().filter(|_| samples.len() >= SAMPLES)?;
        let then = |sample: &Moment| sample.server.checked_sub(sample.mono.since(first.mono));
        let server = samples
            .iter()
            .filter_map(|sample| then(sample).ok())
            .min()?;
        Some(Moment {
            mono: first.mono,
            server,
        })
    }
}

/// Takes samples of the API server's time for ever.
pub(super) async fn follow(clock: &OperatorClock, server: &ServerClock) {
    let mut tick = interval(SAMPLING);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        clock.sample(server.now());
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
            assert_eq!(clock.watched_until(), None);
            tokio::time::advance(SAMPLING).await;
        }
        clock.sample(date(3));
        let first = date(0).map(|server| Moment {
            mono: begun,
            server,
        });
        assert_eq!(clock.watched_until(), first);
        // Suspended for a minute: what happened meanwhile has yet to be seen.
        tokio::time::advance(Duration::from_secs(60)).await;
        clock.sample(date(63));
        assert_eq!(clock.watched_until().map(|seen| seen.server), date(1));
    }

    /// One API server is a day ahead, and answers for a while.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_of_a_time_yet_to_come() {
        const DAY: i64 = 24 * 60 * 60;
        let clock = OperatorClock::default();
        let told = |seconds: i64| {
            clock.sample(ServerTime::from_second(seconds).ok());
            clock.watched_until().map(|seen| seen.server.as_second())
        };
        for (second, seen) in [
            (100, None),
            (101, None),
            (DAY + 102, None),
            (DAY + 103, Some(100)),
            (DAY + 104, Some(101)),
            (DAY + 105, Some(DAY + 102)),
            (106, Some(103)),
            (107, Some(104)),
        ] {
            assert_eq!(told(second), seen, "{second}");
            tokio::time::advance(SAMPLING).await;
        }
    }
}
