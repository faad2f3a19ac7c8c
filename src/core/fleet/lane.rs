//! Who waits for whom.

use std::sync::Arc;

use crate::core::policy::{PolicyId, Rollout};

/// The workloads of a change that wait for each other.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Which lane it is.
    pub id: LaneId,
    /// What the policy says of rollouts.
    pub rollout: Arc<Rollout>,
}

/// Names the workloads of a change that wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LaneId {
    /// Those whose policy says nothing of rollouts: they wait for nobody.
    AtOnce,
    /// Those whose policies have no waves of their own.
    Common,
    /// Those of a policy with waves of its own.
    Of(PolicyId),
}

// === impl Lane ===

impl PartialEq for Lane {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && (Arc::ptr_eq(&self.rollout, &other.rollout) || self.rollout == other.rollout)
    }
}
