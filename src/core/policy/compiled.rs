//! A policy that is checked and ready to match.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::core::{Selector, SelectorExt};

use super::effective::{Candidate, Effective};
use super::error::PolicyError;
use super::id::PolicyId;
use super::rollout::Rollout;
use super::selector::compile_selector;
use super::sources::SourceFilter;
use crate::api::policy::{ClusterSyncPolicySpec, PolicyCommon, SyncPolicySpec};
use crate::api::rollout::RolloutRules;
use crate::api::rules::Floors;
use crate::kinds::WorkloadKind;

/// A valid policy.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledPolicy {
    /// `None` for every namespace that the policy can reach.
    namespaces: Option<Namespaces>,
    kinds: BTreeSet<WorkloadKind>,
    selector: Selector,
    /// Whether it does no more than stop the rolls of what it selects.
    pub(super) stop: bool,
    /// The highest priority comes first.
    pub(super) priority: i32,
    /// Settings of a workload that the policy selects.
    pub(super) selecting: Arc<Effective>,
    /// Settings of a workload that names the policy.
    pub(super) named: Arc<Effective>,
}

#[cfg(test)]
thread_local! {
    /// How often the current thread has asked a policy whether it selects a workload.
    pub(crate) static EVALUATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The union of two ways to select namespaces, as in a Pod affinity term.
#[derive(Clone, Debug, PartialEq)]
struct Namespaces {
    names: BTreeSet<String>,
    selector: Option<Selector>,
}

// === impl CompiledPolicy ===

impl CompiledPolicy {
    /// Checks a `SyncPolicy`.
    ///
    /// # Errors
    ///
    /// If it is invalid; the schema refuses most of these policies.
    pub fn namespaced(id: &PolicyId, spec: &SyncPolicySpec) -> Result<Self, PolicyError> {
        Self::compile(id, None, false, &spec.common)
    }

    /// Checks a `ClusterSyncPolicy`.
    ///
    /// # Errors
    ///
    /// If it is invalid; the schema refuses most of these policies.
    pub fn cluster(id: &PolicyId, spec: &ClusterSyncPolicySpec) -> Result<Self, PolicyError> {
        let selector = spec
            .namespace_selector
            .as_ref()
            .map(|selector| compile_selector("spec.namespaceSelector", selector))
            .transpose()?;
        let unlimited = spec.namespaces.is_empty() && selector.is_none();
        let namespaces = (!unlimited).then(|| Namespaces {
            names: spec.namespaces.iter().cloned().collect(),
            selector,
        });
        Self::compile(id, namespaces, spec.stop, &spec.common)
    }

    fn compile(
        id: &PolicyId,
        namespaces: Option<Namespaces>,
        stop: bool,
        common: &PolicyCommon,
    ) -> Result<Self, PolicyError> {
        let selector = common
            .workloads
            .selector
            .as_ref()
            .map(|selector| compile_selector("spec.workloads.selector", selector))
            .transpose()?
            .unwrap_or_default();
        let rollout = common.rollout.iter().flat_map(RolloutRules::durations);
        let mut durations = common.rules.durations().into_iter().chain(rollout);
        if let Some((value, bounds)) = durations.find(|(value, bounds)| !bounds.admit(*value)) {
            return Err(PolicyError::Duration { value, bounds });
        }
        let selecting = Effective {
            policy: Some(id.clone()),
            why: format!("{id} selects the workload."),
            rules: common.rules.clone(),
            sources: SourceFilter::compile(&common.sources)?.into(),
            rollout: Rollout::compile(common.rollout.as_ref())?.into(),
            stopped: None,
        };
        let named = Effective {
            why: format!("The workload names {id}."),
            ..selecting.clone()
        };
        // The schema forbids an empty list; without the schema it means all, as everywhere.
        let kinds = match common.workloads.kinds.as_slice() {
            [] => WorkloadKind::all().collect(),
            kinds => kinds.iter().copied().collect(),
        };
        Ok(Self {
            namespaces,
            kinds,
            selector,
            stop,
            priority: common.priority,
            selecting: Arc::new(selecting),
            named: Arc::new(named),
        })
    }

    /// The same with durations that are no less than their floors.
    pub(super) fn raised(mut self, floors: Floors) -> Self {
        for settings in [&mut self.selecting, &mut self.named] {
            Arc::make_mut(settings).rules.raise(floors);
        }
        self
    }

    /// Returns whether the policy selects a workload in a namespace that it reaches.
    pub(super) fn selects(&self, workload: &Candidate<'_>) -> bool {
        #[cfg(test)]
        EVALUATIONS.with(|count| count.set(count.get() + 1));
        self.kinds.contains(&workload.kind)
            && self
                .namespaces
                .as_ref()
                .is_none_or(|namespaces| namespaces.contain(workload))
            && self.selector.matches(workload.labels)
    }
}

// === impl Namespaces ===

impl Namespaces {
    fn contain(&self, workload: &Candidate<'_>) -> bool {
        self.names.contains(workload.namespace)
            || self
                .selector
                .as_ref()
                .zip(workload.namespace_labels)
                .is_some_and(|(selector, labels)| selector.matches(labels))
    }
}
