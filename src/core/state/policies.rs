//! Policies: whose status is to be written.

use std::collections::HashMap;
use std::time::Duration;

use crate::api::policy::PolicyStatus;
use crate::core::plan::Tally;
use crate::core::policy::{PolicyId, Selected};
use crate::core::state::changes::State;
use crate::core::state::policy_status::PolicyCounts;
use crate::core::state::step::PolicyStep;
use crate::core::time::Moment;

/// The least time between two looks at the policies' status: it counts all workloads.
pub const POLICIES_INTERVAL: Duration = Duration::from_secs(5);

// === impl State ===

impl State {
    /// What is to be done about the status of policies.
    pub fn policy_statuses(&mut self, now: Moment) -> PolicyStep {
        let wait = self.policies_after.since(now.mono);
        if !wait.is_zero() {
            return PolicyStep::After(wait);
        }
        self.policies_after = now.mono + POLICIES_INTERVAL;
        if !self.is_planned() {
            // Before that there is nothing to count.
            return PolicyStep::After(POLICIES_INTERVAL);
        }
        let counts = self.policy_counts();
        let policies = self.index.policies().iter();
        let wanted = policies
            .filter(|(id, _)| self.reports_on(id))
            .filter_map(|(id, valid)| {
                let meta = self.policies.get(&id)?;
                let counts = counts.get(&id).copied().unwrap_or_default();
                let status = meta.status(counts, valid, now.server);
                (status != meta.status).then_some((id, status))
            });
        PolicyStep::Write(wanted.collect())
    }

    /// Takes in that the status of a policy was written.
    pub fn policy_reported(&mut self, id: &PolicyId, status: PolicyStatus) {
        if let Some(meta) = self.policies.get_mut(id) {
            meta.status = status;
        }
    }

    /// Whether a policy's status is for this operator to write: one that watches a
    /// few namespaces sees a part of what a ClusterSyncPolicy selects, and others
    /// like it see other parts.
    fn reports_on(&self, policy: &PolicyId) -> bool {
        self.settings.cluster_wide || policy.namespace().is_some()
    }

    /// Whether every managed workload has been planned at least once.
    fn is_planned(&self) -> bool {
        let mut managed = self.managed.values().filter(|one| one.retired.is_none());
        managed.all(|one| one.decision.is_some())
    }

    /// How many workloads a policy is in force for, and their stale Pods.
    fn policy_counts(&self) -> HashMap<PolicyId, PolicyCounts> {
        let mut counts: HashMap<PolicyId, PolicyCounts> = HashMap::new();
        for (id, managed) in &self.managed {
            let Some(Selected::Managed(policy)) = self.index.selected(id) else {
                continue;
            };
            if let Some(policy) = &policy.policy {
                let tally = Tally::of(&managed.pods);
                let entry = counts.entry(policy.clone()).or_default();
                entry.workloads += 1;
                entry.pods += tally.total;
                entry.stale += tally.stale;
            }
            if let Some(brake) = &policy.stopped {
                counts.entry(brake.clone()).or_default().workloads += 1;
            }
            for other in self.index.selecting(id) {
                if Some(&other) != policy.policy.as_ref() {
                    counts.entry(other).or_default().overridden += 1;
                }
            }
        }
        counts
    }
}
