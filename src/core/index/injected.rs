//! What admission webhooks put into Pods: a sidecar's configuration, a variable, a trust bundle.
//!
//! A workload has the references of its template, and further ones of the Pods of that template.
//! Each Pod tells which of these it has: a Pod without a reference has no old content of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::index::affected::{Affected, WorkloadName};
use crate::core::index::catalog::Catalog;
use crate::core::index::space::Space;
use crate::core::object::pod::Pod;
use crate::core::object::workload::{Template, Workload};
use crate::core::policy::Selected;
use crate::core::project::reference::{Reference, merged};
use crate::kinds::{Pods, WorkloadId, WorkloadKind};

// === impl Space ===

impl Space {
    /// References of the live Pods of a workload's current template beyond those of the template.
    /// While there is no such Pod, as in a rollout that has just begun, the references `known`
    /// before count. After a start of the operator nothing is known: then the Pods count that a
    /// roll of ours is about to replace.
    pub(super) fn injected(
        &self,
        kind: WorkloadKind,
        workload: &Workload,
        known: Option<&Arc<[Reference]>>,
    ) -> Arc<[Reference]> {
        let (pods, _) = self.pods_of(kind, workload);
        let mut current = pods
            .into_iter()
            .filter_map(|(pod, is_current)| (is_current && pod.active).then_some(pod))
            .peekable();
        if current.peek().is_some() {
            return beyond(&workload.references, current);
        }
        match known.filter(|known| !known.is_empty()) {
            Some(known) => Arc::clone(known),
            None => beyond(&workload.references, self.pods_of_same(kind, workload)),
        }
    }

    /// The live Pods of a workload whose template is as the current one but for our annotation.
    fn pods_of_same(&self, kind: WorkloadKind, workload: &Workload) -> Vec<&Pod> {
        let is_same = |template: &Template| template.hash == workload.template.hash;
        let mut pods = Vec::new();
        match kind.pods {
            Pods::ReplicaSets => {
                let sets = self.replica_sets.of(&workload.uid);
                let same = sets.filter(|set| is_same(&set.template));
                pods.extend(same.flat_map(|set| self.pods.of(&set.uid)));
            }
            Pods::UpdateRevision | Pods::NewestRevision => {
                let revisions = self.revisions.of(&workload.uid);
                let same = revisions.filter(|one| one.template.as_ref().is_some_and(is_same));
                let hashes: BTreeSet<_> = same.map(|revision| &revision.hash).collect();
                let is_of_same = |pod: &&Pod| {
                    let hash = pod.revision_hash.as_ref();
                    hash.is_some_and(|hash| hashes.contains(hash))
                };
                pods.extend(self.pods.of(&workload.uid).filter(is_of_same));
            }
        }
        pods.retain(|pod| pod.active);
        pods
    }

    /// Brings the references of a managed workload in line with its Pods.
    pub(super) fn follow_pods(
        &mut self,
        id: &WorkloadId,
        cluster: &mut Catalog<WorkloadId>,
        affected: &mut Affected,
    ) {
        let name: WorkloadName = (id.kind, id.name.clone());
        let Some(node) = self.workloads.get(&name) else {
            return;
        };
        if matches!(node.selected, Selected::NotManaged { .. })
            || self.injected(id.kind, &node.workload, Some(&node.injected)) == node.injected
        {
            return;
        }
        let (workload, selected) = (node.workload.clone(), node.selected.clone());
        self.put(id, name, workload, selected, cluster, affected);
        affected.workloads.insert(id.clone());
    }
}

/// References of Pods beyond those of a template.
fn beyond<'a>(
    template: &Arc<[Reference]>,
    pods: impl IntoIterator<Item = &'a Pod>,
) -> Arc<[Reference]> {
    let mut others: Vec<&Arc<[Reference]>> = pods
        .into_iter()
        .filter_map(|pod| pod.own.as_ref())
        .filter(|own| !Arc::ptr_eq(own, template))
        .collect();
    // Pods that project the same share it.
    others.dedup_by(|one, other| Arc::ptr_eq(one, other));
    let beyond = others.into_iter().flat_map(|own| own.iter());
    merged(beyond.filter(|own| !template.iter().any(|one| one.includes(own)))).into()
}

#[cfg(test)]
mod tests;
