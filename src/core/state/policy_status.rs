//! The status of one policy.

use std::sync::Arc;

use crate::api::conditions::{ACCEPTED, Statement, set};
use crate::api::policy::PolicyStatus;
use crate::api::reasons::Reason;
use crate::core::policy::PolicyError;
use crate::core::time::ServerTime;

/// Version and status of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyMeta {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.generation`.
    pub generation: i64,
    /// Its status as last seen or written.
    pub status: PolicyStatus,
}

/// Counts for a policy's status.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PolicyCounts {
    /// Workloads that it is in force for.
    pub(super) workloads: u32,
    /// Workloads that it selects, but that another policy is in force for.
    pub(super) overridden: u32,
    /// Pods of the workloads that it is in force for.
    pub(super) pods: u32,
    /// Those of them that are `Stale`.
    pub(super) stale: u32,
}

// === impl PolicyMeta ===

impl PolicyMeta {
    /// Whether a policy says what this one says, but for its status: whoever writes that leaves
    /// the generation as it is.
    #[must_use]
    pub fn says_as_much(&self, other: &Self) -> bool {
        self.generation > 0 && self.generation == other.generation && self.uid == other.uid
    }

    /// What its status should be.
    pub(super) fn status(
        &self,
        counts: PolicyCounts,
        valid: Result<(), &PolicyError>,
        now: ServerTime,
    ) -> PolicyStatus {
        let (accepted, reason, message) = match valid {
            Ok(()) => (true, Reason::Accepted, "The policy is in force.".to_owned()),
            Err(error) => (false, error.reason(), error.to_string()),
        };
        let mut conditions = self.status.conditions.clone();
        set(
            &mut conditions,
            Statement {
                type_: ACCEPTED,
                status: Some(accepted),
                reason,
                message,
                observed_generation: Some(self.generation),
            },
            now,
        );
        PolicyStatus {
            observed_generation: Some(self.generation),
            workloads: counts.workloads,
            overridden: counts.overridden,
            pods: counts.pods,
            stale_pods: counts.stale,
            conditions,
        }
    }
}
