//! What can't be listed, by kind and namespace: nothing is decided that depends on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::plan::Unlisted;
use crate::core::project::reference::Reference;
use crate::kinds::{CONTROLLER_REVISION, NAMESPACE, POD, Pods, REPLICA_SET, WorkloadId};

/// Kinds that tell whether and how a workload is managed, and what is remembered of it.
const SELECTION: [&str; 3] = [NAMESPACE.kind, "SyncPolicy", "ClusterSyncPolicy"];
const MEMORY: &str = "Projection";

/// The kinds that can't be listed, in one namespace or (`None`) in any.
#[derive(Debug, Default)]
pub(super) struct Gaps(pub(super) BTreeMap<(&'static str, Option<Arc<str>>), Unlisted>);

// === impl Gaps ===

impl Gaps {
    /// Whether objects of a kind can't be listed in a namespace.
    pub(super) fn has(&self, kind: &str, namespace: Option<&str>) -> bool {
        self.of(namespace, |unlisted| unlisted == kind).is_some()
    }

    /// Why it can't be told whether a workload is managed, or what is remembered of it.
    pub(super) fn of_record(&self, id: &WorkloadId) -> Option<&Unlisted> {
        self.of(Some(&id.namespace), |kind| {
            SELECTION.contains(&kind) || kind == MEMORY
        })
    }

    /// Why it can't be told whether a workload that isn't seen is gone or not managed.
    pub(super) fn of_absence(&self, id: &WorkloadId) -> Option<&Unlisted> {
        self.of_plan(id, &[])
    }

    /// Why a workload with these references can't be planned.
    pub(super) fn of_plan(&self, id: &WorkloadId, references: &[Reference]) -> Option<&Unlisted> {
        let owner = match id.kind.pods {
            Pods::ReplicaSets => REPLICA_SET.kind,
            Pods::NewestRevision => CONTROLLER_REVISION.kind,
            Pods::UpdateRevision => POD.kind,
        };
        let own = [id.kind.as_str(), owner, POD.kind];
        let projected = |kind: &str| references.iter().any(|one| one.source.0.as_str() == kind);
        self.of_record(id).or_else(|| {
            self.of(Some(&id.namespace), |kind| {
                own.contains(&kind) || projected(kind)
            })
        })
    }

    fn of(&self, namespace: Option<&str>, needs: impl Fn(&str) -> bool) -> Option<&Unlisted> {
        let here = |place: &Option<Arc<str>>| {
            namespace.is_none() || place.is_none() || place.as_deref() == namespace
        };
        let mut gaps = self.0.iter();
        gaps.find(|((kind, place), _)| needs(kind) && here(place))
            .map(|(_, unlisted)| unlisted)
    }
}
