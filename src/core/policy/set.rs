//! All policies, and which of them is in force for a workload.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compiled::CompiledPolicy;
use super::effective::{Candidate, Effective, Selected};
use super::error::PolicyError;
use super::id::PolicyId;
use super::level::{Changed, Level};
use crate::api::Reason;
use crate::api::limits::MAX_POLICIES;
use crate::api::names::SYNC_ANNOTATION;
use crate::api::rules::Floors;

/// Number of characters that are shown of a name that no policy has.
const SHOWN: usize = 63;

/// All known policies. ClusterSyncPolicies are missing if they can't be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    by_namespace: BTreeMap<Arc<str>, Level>,
    cluster: Level,
    /// Where no policy is in force.
    defaults: Arc<Effective>,
    floors: Floors,
}

impl Default for Policies {
    fn default() -> Self {
        Self::new(Floors::default())
    }
}

// === impl Policies ===

impl Policies {
    /// No policies, where no duration is less than its floor.
    #[must_use]
    pub fn new(floors: Floors) -> Self {
        let mut defaults = Effective::defaults();
        defaults.rules.raise(floors);
        Self {
            by_namespace: BTreeMap::new(),
            cluster: Level::new(usize::MAX),
            defaults: Arc::new(defaults),
            floors,
        }
    }

    /// Adds or replaces a policy, valid or not.
    pub fn apply(&mut self, id: &PolicyId, policy: Result<CompiledPolicy, PolicyError>) -> Changed {
        let level = match id.namespace() {
            Some(namespace) => {
                let level = || Level::new(MAX_POLICIES);
                self.by_namespace
                    .entry(namespace.clone())
                    .or_insert_with(level)
            }
            None => &mut self.cluster,
        };
        let raised = |policy: CompiledPolicy| Arc::new(policy.raised(self.floors));
        level.set(id.name(), Some(policy.map(raised)))
    }

    /// Removes a policy.
    pub fn delete(&mut self, id: &PolicyId) -> Changed {
        let Some(namespace) = id.namespace() else {
            return self.cluster.set(id.name(), None);
        };
        let Some(level) = self.by_namespace.get_mut(namespace) else {
            return Changed::default();
        };
        let changed = level.set(id.name(), None);
        if level.is_empty() {
            self.by_namespace.remove(namespace);
        }
        changed
    }

    /// All policies and their errors, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (PolicyId, Result<(), &PolicyError>)> {
        let namespaced = self.by_namespace.iter().flat_map(|(namespace, level)| {
            level.iter().map(|(name, valid)| {
                let id = PolicyId::namespaced(namespace.clone(), name.clone());
                (id, valid)
            })
        });
        let cluster = self.cluster.iter();
        namespaced.chain(cluster.map(|(name, valid)| (PolicyId::cluster(name.clone()), valid)))
    }

    /// Returns whether a workload is managed, and under which settings.
    ///
    /// The workload's own annotation comes first, then SyncPolicies, then
    /// ClusterSyncPolicies. Among several the one with the highest priority comes first, then
    /// the first by name.
    #[must_use]
    pub fn select(&self, workload: &Candidate<'_>) -> Selected {
        match self.selected(workload) {
            Selected::Managed(policy) => Selected::Managed(self.braked(policy, workload)),
            not_managed => not_managed,
        }
    }

    /// The settings, with the brake that a policy of the cluster puts on.
    fn braked(&self, policy: Arc<Effective>, workload: &Candidate<'_>) -> Arc<Effective> {
        let mut brakes = self.cluster.counted().filter(|policy| policy.stop);
        match brakes.find(|brake| brake.selects(workload)) {
            None => policy,
            Some(brake) => Arc::new(Effective {
                stopped: brake.selecting.policy.clone(),
                ..(*policy).clone()
            }),
        }
    }

    fn selected(&self, workload: &Candidate<'_>) -> Selected {
        match workload.sync {
            Some("false") => not_managed(
                Reason::NotManaged,
                format!("The workload's annotation {SYNC_ANNOTATION} says \"false\"."),
            ),
            Some("true") => Selected::Managed(
                self.first_selecting(workload)
                    .map_or_else(|| self.defaults.clone(), |policy| policy.selecting.clone()),
            ),
            Some(name) => self.named(workload.namespace, name),
            None => match self.first_selecting(workload) {
                Some(policy) => Selected::Managed(policy.selecting.clone()),
                None => not_managed(
                    Reason::NotManaged,
                    "No policy selects the workload.".to_owned(),
                ),
            },
        }
    }

    /// All policies that select a workload by its kind, namespace and labels, in order of
    /// precedence. The workload's annotation doesn't count.
    #[must_use]
    pub fn selecting(&self, workload: &Candidate<'_>) -> Vec<PolicyId> {
        self.all_selecting(workload)
            .filter_map(|policy| policy.selecting.policy.clone())
            .collect()
    }

    fn first_selecting(&self, workload: &Candidate<'_>) -> Option<&CompiledPolicy> {
        self.all_selecting(workload).next()
    }

    fn all_selecting(&self, workload: &Candidate<'_>) -> impl Iterator<Item = &CompiledPolicy> {
        let all = self.levels(workload.namespace).flat_map(Level::counted);
        all.map(Arc::as_ref)
            .filter(|policy| !policy.stop && policy.selects(workload))
    }

    /// The policy that a workload names. A SyncPolicy of its namespace, valid or not, hides a
    /// ClusterSyncPolicy of the same name.
    fn named(&self, namespace: &str, name: &str) -> Selected {
        let found = self.levels(namespace).find_map(|level| level.get(name));
        match found {
            Some(Ok(policy)) => Selected::Managed(policy.named.clone()),
            Some(Err(error)) => not_managed(
                Reason::PolicyInvalid,
                format!(
                    "The workload's annotation {SYNC_ANNOTATION} names the policy {name:?}, which is invalid: {error}."
                ),
            ),
            None => not_managed(
                Reason::PolicyNotFound,
                format!(
                    "The workload's annotation {SYNC_ANNOTATION} names the policy {}, which does not exist: write \"true\", \"false\" or the name of a policy.",
                    quoted(name)
                ),
            ),
        }
    }

    /// The policies of a namespace, then those of the cluster.
    fn levels(&self, namespace: &str) -> impl Iterator<Item = &Level> {
        let own = self.by_namespace.get(namespace);
        own.into_iter().chain([&self.cluster])
    }
}

/// Shortens a name of any length, so that the text after it stays visible.
fn quoted(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?} (cut)", &name[..end]),
        None => format!("{name:?}"),
    }
}

fn not_managed(reason: Reason, message: String) -> Selected {
    Selected::NotManaged { reason, message }
}
