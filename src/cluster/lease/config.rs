//! Settings of leader election.

use std::time::Duration;

/// Settings of leader election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this replica, unique among all: becomes `holderIdentity`.
    pub identity: String,
    /// Time for which the record of a dead holder blocks others, rounded up to whole seconds.
    pub lease_duration: Duration,
    /// Time for which the holder acts as the leader without a renewal.
    pub renew_deadline: Duration,
    /// Time between renewals, and between a standby's attempts (times 1 to 2.2).
    pub retry_period: Duration,
    /// Maximum duration of an attempt (a read and a write).
    pub request_timeout: Duration,
}

impl LeaseConfig {
    /// Settings with client-go's usual durations (15 s, 10 s and 2 s) and 5 s for an attempt.
    #[must_use]
    pub fn new(
        namespace: impl Into<String>,
        name: impl Into<String>,
        identity: impl Into<String>,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
            request_timeout: Duration::from_secs(5),
        }
    }

    pub(super) fn check(&self) -> Result<(), LeaseConfigError> {
        if self.identity.is_empty() {
            return Err(LeaseConfigError::Identity);
        }
        if self.lease_duration <= self.renew_deadline {
            return Err(LeaseConfigError::LeaseDuration(
                self.lease_duration,
                self.renew_deadline,
            ));
        }
        if self.retry_period.is_zero() || self.renew_deadline < self.retry_period.mul_f64(1.2) {
            return Err(LeaseConfigError::RenewDeadline(
                self.renew_deadline,
                self.retry_period,
            ));
        }
        if self.request_timeout.is_zero() || self.request_timeout > self.renew_deadline {
            return Err(LeaseConfigError::RequestTimeout(
                self.request_timeout,
                self.renew_deadline,
            ));
        }
        Ok(())
    }
}

/// Settings with which leader election would not be safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseConfigError {
    /// The identity is empty, so nobody could hold the Lease.
    #[error("the identity for leader election is empty")]
    Identity,
    /// The lease duration is too short: two replicas could lead at once.
    #[error("the lease duration ({0:?}) must be longer than the renew deadline ({1:?})")]
    LeaseDuration(Duration, Duration),
    /// The renew deadline is too short for the leader to renew in time.
    #[error(
        "the renew deadline ({0:?}) must be at least 1.2 times the retry period ({1:?}), which must not be zero"
    )]
    RenewDeadline(Duration, Duration),
    /// The request timeout is too long: one lost request would end the leadership.
    #[error(
        "the lease request timeout ({0:?}) must be above zero and at most the renew deadline ({1:?})"
    )]
    RequestTimeout(Duration, Duration),
}
