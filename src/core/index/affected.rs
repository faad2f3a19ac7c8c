//! Names within a namespace, how an event came, and the objects that a change affects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::time::Mono;
use crate::kinds::{SourceId, SourceKind, WorkloadId, WorkloadKind};

/// Kind and name of a source within a namespace.
pub type SourceName = (SourceKind, Arc<str>);
/// Kind and name of a workload within a namespace.
pub type WorkloadName = (WorkloadKind, Arc<str>);

/// What has to be looked at after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Sources that a managed workload refers to and that have a new version.
    pub sources: BTreeSet<SourceId>,
    /// Workloads whose plan may differ.
    pub workloads: BTreeSet<WorkloadId>,
    /// Workloads of which no more than a Pod has changed, and how many Pods its owner has.
    pub of_pods: BTreeMap<WorkloadId, usize>,
}

// === impl Affected ===

impl Affected {
    /// Adds what else has to be looked at.
    pub fn add(&mut self, other: Self) {
        self.sources.extend(other.sources);
        self.workloads.extend(other.workloads);
        self.of_pods.extend(other.of_pods);
    }
}

/// How an event reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// From the watch, so that nothing between is unseen, rather than from a list.
    pub live: bool,
    /// The operator's monotonic clock.
    pub now: Mono,
}
