//! All policies, and which of them is in force for a workload.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::compiled::CompiledPolicy;
use super::effective::{Candidate, Effective, Selected};
use super::error::PolicyError;
use super::id::PolicyId;
use crate::api::Reason;
use crate::api::names::SYNC_ANNOTATION;

/// Number of characters that are shown of a name that no policy has.
const SHOWN: usize = 63;

type ByName = BTreeMap<Arc<str>, Entry>;
type Entry = Result<CompiledPolicy, PolicyError>;

/// All known policies. ClusterSyncPolicies are missing if they can't be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    by_namespace: BTreeMap<Arc<str>, ByName>,
    cluster: ByName,
}

static DEFAULTS: LazyLock<Arc<Effective>> = LazyLock::new(|| Arc::new(Effective::defaults()));

// === impl Policies ===

impl Policies {
    /// Adds or replaces a policy, valid or not.
    pub fn apply(&mut self, id: &PolicyId, policy: Entry) {
        let by_name = match id.namespace() {
            Some(namespace) => self.by_namespace.entry(namespace.clone()).or_default(),
            None => &mut self.cluster,
        };
        by_name.insert(id.name().clone(), policy);
    }

    /// Removes a policy.
    pub fn delete(&mut self, id: &PolicyId) {
        let by_name = match id.namespace() {
            Some(namespace) => self.by_namespace.get_mut(namespace),
            None => Some(&mut self.cluster),
        };
        if let Some(by_name) = by_name {
            by_name.remove(id.name());
        }
        self.by_namespace.retain(|_, by_name| !by_name.is_empty());
    }

    /// All policies and their errors, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (PolicyId, Result<(), &PolicyError>)> {
        let namespaced = self.by_namespace.iter().flat_map(|(namespace, by_name)| {
            by_name.iter().map(|(name, policy)| {
                let id = PolicyId::namespaced(namespace.clone(), name.clone());
                (id, policy.as_ref().map(drop))
            })
        });
        let cluster = self
            .cluster
            .iter()
            .map(|(name, policy)| (PolicyId::cluster(name.clone()), policy.as_ref().map(drop)));
        namespaced.chain(cluster)
    }

    /// Returns whether a workload is managed, and under which settings.
    ///
    /// The workload's own annotation comes first, then SyncPolicies, then
    /// ClusterSyncPolicies. Among several the one with the highest priority comes first, then
    /// the first by name.
    #[must_use]
    pub fn select(&self, workload: &Candidate<'_>) -> Selected {
        match workload.sync {
            Some("false") => not_managed(
                Reason::NotManaged,
                format!("The workload's annotation {SYNC_ANNOTATION} says \"false\"."),
            ),
            Some("true") => Selected::Managed(
                self.first_selecting(workload)
                    .map_or_else(|| DEFAULTS.clone(), |policy| policy.selecting.clone()),
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
        let mut all: Vec<(&Arc<str>, &CompiledPolicy, bool)> = Vec::new();
        for (by_name, cluster) in self.levels(workload.namespace) {
            all.extend(matching(by_name, workload).map(|(name, policy)| (name, policy, cluster)));
        }
        all.sort_by_key(|(name, policy, cluster)| (*cluster, Reverse(policy.priority), *name));
        all.into_iter()
            .filter_map(|(_, policy, _)| policy.selecting.policy.clone())
            .collect()
    }

    fn first_selecting(&self, workload: &Candidate<'_>) -> Option<&CompiledPolicy> {
        self.levels(workload.namespace)
            .find_map(|(by_name, _)| {
                matching(by_name, workload)
                    .min_by_key(|(name, policy)| (Reverse(policy.priority), *name))
            })
            .map(|(_, policy)| policy)
    }

    /// The policy that a workload names. A SyncPolicy of its namespace, valid or not, hides a
    /// ClusterSyncPolicy of the same name.
    fn named(&self, namespace: &str, name: &str) -> Selected {
        let found = self
            .levels(namespace)
            .find_map(|(by_name, _)| by_name.get_key_value(name));
        match found {
            Some((_, Ok(policy))) => Selected::Managed(policy.named.clone()),
            Some((name, Err(error))) => not_managed(
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

    /// The policies of a namespace, then those of the cluster, each with whether it is the latter.
    fn levels(&self, namespace: &str) -> impl Iterator<Item = (&ByName, bool)> {
        let own = self.by_namespace.get(namespace).map(|own| (own, false));
        own.into_iter().chain([(&self.cluster, true)])
    }
}

fn matching<'a>(
    by_name: &'a ByName,
    workload: &Candidate<'_>,
) -> impl Iterator<Item = (&'a Arc<str>, &'a CompiledPolicy)> {
    by_name
        .iter()
        .filter_map(|(name, policy)| Some((name, policy.as_ref().ok()?)))
        .filter(|(_, policy)| policy.selects(workload))
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
