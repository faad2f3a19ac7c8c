//! The policies of one namespace, or those of the cluster.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::compiled::CompiledPolicy;
use super::effective::Candidate;
use super::error::PolicyError;

pub(super) type Entry = Result<Arc<CompiledPolicy>, PolicyError>;

/// Place in the order of precedence: the highest priority first, then by name.
type Order = (Reverse<i32>, Arc<str>);

/// Policies among which the first that selects a workload is in force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Level {
    by_name: BTreeMap<Arc<str>, Entry>,
    /// The valid ones, in order of precedence.
    in_order: BTreeMap<Order, Arc<CompiledPolicy>>,
    /// How many of them count.
    limit: usize,
}

/// What a change of policies may change: workloads that the policies select, as they are or were,
/// or that name them.
#[derive(Debug, Default)]
pub struct Changed {
    name: Option<Arc<str>>,
    policies: Vec<Arc<CompiledPolicy>>,
}

// === impl Level ===

impl Level {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            by_name: BTreeMap::new(),
            in_order: BTreeMap::new(),
            limit,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Puts a policy in place of what had its name.
    pub(super) fn set(&mut self, name: &Arc<str>, policy: Option<Entry>) -> Changed {
        if self.by_name.get(name) == policy.as_ref() {
            return Changed::default();
        }
        let before: Vec<_> = self.counted().cloned().collect();
        if let Some(Ok(old)) = self.by_name.remove(name) {
            self.in_order.remove(&(Reverse(old.priority), name.clone()));
        }
        if let Some(policy) = policy {
            if let Ok(policy) = &policy {
                let order = (Reverse(policy.priority), name.clone());
                self.in_order.insert(order, policy.clone());
            }
            self.by_name.insert(name.clone(), policy);
        }
        let after: Vec<_> = self.counted().cloned().collect();
        let lacks = |all: &[Arc<CompiledPolicy>], one: &Arc<CompiledPolicy>| {
            !all.iter().any(|other| Arc::ptr_eq(one, other))
        };
        let gone = before.iter().filter(|one| lacks(&after, one));
        let new = after.iter().filter(|one| lacks(&before, one));
        Changed {
            name: Some(name.clone()),
            policies: gone.chain(new).cloned().collect(),
        }
    }

    /// Those that count, in order of precedence.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Arc<CompiledPolicy>> {
        self.in_order.values().take(self.limit)
    }

    /// A policy, whether it counts or not.
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name)
    }

    /// All, each with why it selects nothing, if so.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Result<(), &PolicyError>)> {
        let last = self.in_order.keys().take(self.limit).next_back();
        self.by_name.iter().map(move |(name, policy)| {
            let valid = match policy {
                Err(error) => Err(error),
                Ok(policy) if last < Some(&(Reverse(policy.priority), name.clone())) => {
                    Err(&PolicyError::TooMany)
                }
                Ok(_) => Ok(()),
            };
            (name, valid)
        })
    }
}

// === impl Changed ===

impl Changed {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.name.is_none()
    }

    /// Whether another policy may be in force for a workload than before.
    #[must_use]
    pub fn may_affect(&self, workload: &Candidate<'_>) -> bool {
        let named = workload.sync.is_some() && workload.sync == self.name.as_deref();
        named || self.policies.iter().any(|one| one.selects(workload))
    }
}
