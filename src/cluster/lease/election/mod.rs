//! The state machine of leader election: it knows the state of the Lease and decides
//! what to do. It uses no I/O and no clock: times are arguments.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::time::Instant;

use super::config::LeaseConfig;
use super::leadership::Leadership;

/// A candidate's knowledge of the Lease.
#[derive(Debug)]
pub(super) struct Election {
    config: LeaseConfig,
    seen: Seen,
    /// Time of the API server's last answer about the Lease.
    heard: Option<Instant>,
    /// Time until which this replica may act as the leader, unless it renews.
    leading_until: Option<Instant>,
}

#[derive(Debug, PartialEq)]
enum Seen {
    /// The API server has not answered yet.
    Nothing,
    /// The Lease doesn't exist.
    Absent,
    /// The Lease, and the monotonic time at which its spec was first seen like this.
    Record { lease: Box<Lease>, since: Instant },
}

/// Next action after reading the Lease.
#[derive(Debug, PartialEq)]
pub(super) enum Claim {
    /// Create the Lease, with this replica as the holder.
    Create(Box<Lease>),
    /// Replace the Lease, which is free, expired or held by this replica.
    Replace(Box<Lease>),
    /// Wait until this time, since another replica holds the Lease.
    Held(Instant),
}

impl Election {
    pub(super) fn new(config: LeaseConfig) -> Self {
        Self {
            config,
            seen: Seen::Nothing,
            heard: None,
            leading_until: None,
        }
    }

    /// Takes in the Lease, as read or as brought by a watch.
    ///
    /// Expiry counts from the time at which this replica saw the spec change. The times
    /// in the Lease come from another machine's clock and are never compared with this one.
    pub(super) fn observe(&mut self, lease: Option<Lease>, now: Instant) {
        self.heard = Some(now);
        let Some(lease) = lease else {
            self.seen = Seen::Absent;
            self.leading_until = None;
            return;
        };
        let since = match &self.seen {
            Seen::Record {
                lease: before,
                since,
            } if before.spec == lease.spec => *since,
            _ => now,
        };
        if holder(&lease) != Some(&self.config.identity) {
            self.leading_until = None;
        }
        self.seen = Seen::Record {
            lease: Box::new(lease),
            since,
        };
    }

    /// Takes in that a write of this replica was accepted, and the resulting object.
    ///
    /// Leadership counts from when the write was *sent*: the standbys start to count its
    /// expiry later, and count for longer.
    pub(super) fn accepted(&mut self, lease: Lease, sent: Instant, now: Instant) {
        self.observe(Some(lease), now);
        if self.holder() == Some(&self.config.identity) {
            self.leading_until = Some(sent + self.config.renew_deadline);
        }
    }

    /// The write with which a leader renews, based on the Lease that it last knew.
    pub(super) fn renewal(&self, now: Instant, wall: Timestamp) -> Option<Box<Lease>> {
        match &self.seen {
            Seen::Record { lease, .. } if self.is_leading(now) => {
                Some(Box::new(self.held(lease, wall)))
            }
            _ => None,
        }
    }

    /// Decides what to do with the Lease that was just read.
    pub(super) fn claim(&self, now: Instant, wall: Timestamp) -> Claim {
        let Seen::Record { lease, since } = &self.seen else {
            return Claim::Create(Box::new(self.created(wall)));
        };
        let ours_or_free = holder(lease).is_none_or(|holder| *holder == self.config.identity);
        let expires = self.expires(lease, *since);
        if ours_or_free || expires <= now {
            Claim::Replace(Box::new(self.held(lease, wall)))
        } else {
            Claim::Held(expires)
        }
    }

    /// The write with which the holder gives the Lease up. Like client-go's it clears
    /// the holder and leaves a duration of one second.
    pub(super) fn release(&self, wall: Timestamp) -> Option<Box<Lease>> {
        let Seen::Record { lease, .. } = &self.seen else {
            return None;
        };
        if holder(lease) != Some(&self.config.identity) {
            return None;
        }
        let mut lease = lease.clone();
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.acquire_time = Some(MicroTime(wall));
        spec.renew_time = Some(MicroTime(wall));
        Some(lease)
    }

    /// Time of the next attempt, with `jitter` in `[0, 1)`.
    pub(super) fn next_attempt(&self, now: Instant, jitter: f64) -> Instant {
        if let Some(until) = self.leading_until.filter(|until| now < *until) {
            // One attempt is at the deadline, so that the loss is published in time.
            return (now + self.config.retry_period).min(until);
        }
        let period = self
            .config
            .retry_period
            .mul_f64(1.0 + JITTER_FACTOR * jitter);
        let poll = now + period;
        match &self.seen {
            Seen::Record { lease, since } => {
                let expires = self.expires(lease, *since);
                if expires > now {
                    poll.min(expires)
                } else {
                    poll
                }
            }
            _ => poll,
        }
    }

    pub(super) fn leadership(&self, now: Instant) -> Leadership {
        // A standby hears little while nothing changes, so an answer counts for two lease durations.
        let fresh = self
            .heard
            .is_some_and(|heard| now < heard + self.config.lease_duration * 2);
        match self.leading_until {
            Some(until) if now < until => Leadership::Leader { until },
            _ if !fresh => Leadership::Unknown,
            _ => Leadership::Standby {
                holder: self.holder().cloned(),
            },
        }
    }

    pub(super) fn is_leading(&self, now: Instant) -> bool {
        self.leadership(now).is_leading(now)
    }

    /// Time until which this replica may act as the leader.
    pub(super) fn leading_until(&self) -> Option<Instant> {
        self.leading_until
    }

    /// Returns whether the Lease is known to have no holder.
    pub(super) fn is_free(&self) -> bool {
        match self.seen {
            Seen::Nothing => false,
            _ => self.holder().is_none(),
        }
    }

    fn holder(&self) -> Option<&String> {
        match &self.seen {
            Seen::Record { lease, .. } => holder(lease),
            _ => None,
        }
    }

    /// Time at which a record that was first seen at `since` lapses, by the holder's duration.
    fn expires(&self, lease: &Lease, since: Instant) -> Instant {
        let seconds = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.lease_duration_seconds);
        let duration = match seconds.map(u64::try_from) {
            Some(Ok(seconds)) => Duration::from_secs(seconds),
            _ => self.config.lease_duration,
        };
        since + duration
    }

    /// The Lease with this replica as the holder, renewed now. It keeps its resourceVersion,
    /// so that a write in between causes a conflict.
    fn held(&self, before: &Lease, wall: Timestamp) -> Lease {
        let mut lease = before.clone();
        // The server ignores managedFields here, so sending them would waste bytes.
        lease.metadata.managed_fields = None;
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.config.identity) {
            spec.holder_identity = Some(self.config.identity.clone());
            spec.acquire_time = Some(MicroTime(wall));
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
        }
        spec.lease_duration_seconds = Some(whole_seconds(self.config.lease_duration));
        spec.renew_time = Some(MicroTime(wall));
        lease
    }

    fn created(&self, wall: Timestamp) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.config.name.clone()),
                namespace: Some(self.config.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.config.identity.clone()),
                lease_duration_seconds: Some(whole_seconds(self.config.lease_duration)),
                acquire_time: Some(MicroTime(wall)),
                renew_time: Some(MicroTime(wall)),
                lease_transitions: Some(0),
                ..LeaseSpec::default()
            }),
        }
    }
}

/// Jitter of client-go: standbys wait up to 1.2 retry periods longer.
const JITTER_FACTOR: f64 = 1.2;

/// Holder of a Lease. A Lease that was given up has an empty holder or none.
fn holder(lease: &Lease) -> Option<&String> {
    lease
        .spec
        .as_ref()?
        .holder_identity
        .as_ref()
        .filter(|holder| !holder.is_empty())
}

/// Whole seconds of a duration, rounded up: the API counts in seconds, and a shorter lease is unsafe.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
