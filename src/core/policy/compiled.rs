//! One policy: checked, and ready to match.

use std::collections::BTreeSet;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};
use kube::core::{Selector, SelectorExt};

use super::selector::compile_selector;
use super::{Candidate, Effective, PolicyError, PolicyId};
use crate::api::policy::{
    ClusterSyncPolicySpec, MAX_MIN_INTERVAL, MAX_SETTLE, PolicyCommon, SourceRule, Sources,
    SyncPolicySpec,
};
use crate::kinds::{SourceKind, WorkloadKind};

/// A policy that was found valid.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledPolicy {
    /// None: every namespace that it can see.
    namespaces: Option<Namespaces>,
    kinds: BTreeSet<WorkloadKind>,
    selector: Selector,
    /// Of several the highest comes first.
    pub(super) priority: i32,
    /// What is in force where the policy selects a workload.
    pub(super) selecting: Arc<Effective>,
    /// The same where a workload names the policy.
    pub(super) named: Arc<Effective>,
}

/// The union of two ways to select namespaces, as in a Pod affinity term.
#[derive(Clone, Debug, PartialEq)]
struct Namespaces {
    names: BTreeSet<String>,
    selector: Option<Selector>,
}

/// Which sources count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceFilter {
    include: Vec<CompiledRule>,
    exclude: Vec<CompiledRule>,
}

#[derive(Clone, Debug, PartialEq)]
struct CompiledRule {
    kind: Option<SourceKind>,
    name: Option<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern(GlobMatcher);

// === impl CompiledPolicy ===

impl CompiledPolicy {
    /// Checks a `SyncPolicy`.
    ///
    /// # Errors
    ///
    /// When it is invalid, which the schema refuses for the most part.
    pub fn namespaced(id: &PolicyId, spec: &SyncPolicySpec) -> Result<Self, PolicyError> {
        Self::compile(id, None, &spec.common)
    }

    /// Checks a `ClusterSyncPolicy`.
    ///
    /// # Errors
    ///
    /// When it is invalid, which the schema refuses for the most part.
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
        Self::compile(id, namespaces, &spec.common)
    }

    fn compile(
        id: &PolicyId,
        namespaces: Option<Namespaces>,
        common: &PolicyCommon,
    ) -> Result<Self, PolicyError> {
        let selector = common
            .workloads
            .selector
            .as_ref()
            .map(|selector| compile_selector("spec.workloads.selector", selector))
            .transpose()?
            .unwrap_or_default();
        bounded("spec.settle", common.settle, MAX_SETTLE)?;
        bounded("spec.minInterval", common.min_interval, MAX_MIN_INTERVAL)?;
        let selecting = Effective {
            policy: Some(id.clone()),
            why: format!("{id} selects the workload."),
            strategy: common.strategy,
            settle: common.settle.get(),
            min_interval: common.min_interval.get(),
            suspend: common.suspend,
            sources: SourceFilter::compile(&common.sources)?,
        };
        let named = Effective {
            why: format!("The workload names {id}."),
            ..selecting.clone()
        };
        // The schema forbids an empty list; without the schema it means all, as everywhere.
        let kinds = match common.workloads.kinds.as_slice() {
            [] => WorkloadKind::ALL.into(),
            kinds => kinds.iter().copied().collect(),
        };
        Ok(Self {
            namespaces,
            kinds,
            selector,
            priority: common.priority,
            selecting: Arc::new(selecting),
            named: Arc::new(named),
        })
    }

    /// Whether it selects a workload of a namespace that it reaches.
    pub(super) fn selects(&self, workload: &Candidate<'_>) -> bool {
        self.kinds.contains(&workload.kind)
            && self
                .namespaces
                .as_ref()
                .is_none_or(|namespaces| namespaces.contain(workload))
            && self.selector.matches(workload.labels)
    }
}

fn bounded(
    field: &'static str,
    value: crate::api::Duration,
    max: crate::api::Duration,
) -> Result<(), PolicyError> {
    if value > max {
        return Err(PolicyError::Duration { field, value, max });
    }
    Ok(())
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

// === impl SourceFilter ===

impl SourceFilter {
    fn compile(sources: &Sources) -> Result<Self, PolicyError> {
        let compile = |list: &str, rules: &[SourceRule]| {
            rules
                .iter()
                .enumerate()
                .map(|(at, rule)| CompiledRule::compile(list, at, rule))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            include: compile("include", &sources.include)?,
            exclude: compile("exclude", &sources.exclude)?,
        })
    }

    /// Whether a source counts.
    #[must_use]
    pub fn admits(&self, kind: SourceKind, name: &str) -> bool {
        let names = |rule: &CompiledRule| rule.names(kind, name);
        (self.include.is_empty() || self.include.iter().any(names))
            && !self.exclude.iter().any(names)
    }
}

// === impl CompiledRule ===

impl CompiledRule {
    fn compile(list: &str, at: usize, rule: &SourceRule) -> Result<Self, PolicyError> {
        let name = rule
            .name
            .as_ref()
            .map(|pattern| {
                // Names hold no separators, so `*` stands for any text.
                GlobBuilder::new(pattern)
                    .build()
                    .map(|glob| Pattern(glob.compile_matcher()))
                    .map_err(|error| PolicyError::Pattern {
                        field: format!("spec.sources.{list}[{at}].name"),
                        pattern: pattern.clone(),
                        problem: error.kind().to_string(),
                    })
            })
            .transpose()?;
        Ok(Self {
            kind: rule.kind,
            name,
        })
    }

    fn names(&self, kind: SourceKind, name: &str) -> bool {
        self.kind.is_none_or(|own| own == kind)
            && self
                .name
                .as_ref()
                .is_none_or(|pattern| pattern.0.is_match(name))
    }
}

// === impl Pattern ===

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.glob() == other.0.glob()
    }
}
