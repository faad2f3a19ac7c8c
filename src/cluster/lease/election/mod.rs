//! The state machine of leader election: what is known of the Lease, and what
//! to do about it. No I/O and no clock: times are arguments.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use tokio::time::Instant;

use super::config::LeaseConfig;
use super::leadership::Leadership;

/// What one candidate knows of the Lease.
#[derive(Debug)]
pub(super) struct Election {
    config: LeaseConfig,
    seen: Seen,
    /// When the API server last told of the Lease.
    heard: Option<Instant>,
    /// Until when we may act as the leader, unless renewed.
    leading_until: Option<Instant>,
}

#[derive(Debug, PartialEq)]
enum Seen {
    /// Nothing was heard from the API server yet.
    Nothing,
    /// There is no Lease.
    Absent,
    /// The Lease, and when by our monotonic clock its spec was first seen so.
    Record { lease: Box<Lease>, since: Instant },
}

/// What to do after having read the Lease.
#[derive(Debug, PartialEq)]
pub(super) enum Claim {
    /// There is none: create it with us as the holder.
    Create(Box<Lease>),
    /// It is free, expired or ours: replace it by this.
    Replace(Box<Lease>),
    /// Somebody else holds it, and nothing can be done before this.
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

    /// Takes in what was read, or what a watch brought.
    ///
    /// Expiry counts from when the spec last changed before our eyes. The
    /// Lease's own times come from another machine's clock and are never
    /// compared with ours.
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

    /// Takes in that our write was accepted, and the object as it is since.
    ///
    /// We lead from when it was *sent*: the standbys' clocks for our expiry
    /// start after that, and run for longer.
    pub(super) fn accepted(&mut self, lease: Lease, sent: Instant, now: Instant) {
        self.observe(Some(lease), now);
        if self.holder() == Some(&self.config.identity) {
            self.leading_until = Some(sent + self.config.renew_deadline);
        }
    }

    /// The write with which a leader renews, trusting what it last knew.
    pub(super) fn renewal(&self, now: Instant, wall: Timestamp) -> Option<Box<Lease>> {
        match &self.seen {
            Seen::Record { lease, .. } if self.is_leading(now) => {
                Some(Box::new(self.held(lease, wall)))
            }
            _ => None,
        }
    }

    /// What to do with the Lease as it was read just now.
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

    /// The write with which the holder gives the Lease up: like client-go's it
    /// clears the holder and leaves a duration of a second.
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

    /// When to try next, with `jitter` in `[0, 1)`.
    pub(super) fn next_attempt(&self, now: Instant, jitter: f64) -> Instant {
        if let Some(until) = self.leading_until.filter(|until| now < *until) {
            // At the deadline too, so that the loss is published in time.
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
        // A standby asks less often than it is told.
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

    /// Until when we may act as the leader.
    pub(super) fn leading_until(&self) -> Option<Instant> {
        self.leading_until
    }

    /// Whether the Lease is known to have no holder.
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

    /// When a record first seen so at `since` lapses, by the holder's duration.
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

    /// The Lease with us as the holder, renewed now. Its resourceVersion stays,
    /// so that a write in between is a conflict.
    fn held(&self, before: &Lease, wall: Timestamp) -> Lease {
        let mut lease = before.clone();
        // The server keeps its own; sending them back would cost bytes for nothing.
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

/// client-go's: standbys wait up to 1.2 periods more than the retry period.
const JITTER_FACTOR: f64 = 1.2;

/// A Lease's holder; one that was given up has an empty one or none.
fn holder(lease: &Lease) -> Option<&String> {
    lease
        .spec
        .as_ref()?
        .holder_identity
        .as_ref()
        .filter(|holder| !holder.is_empty())
}

/// Rounded up: the API counts in seconds, and shorter than promised is unsafe.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
