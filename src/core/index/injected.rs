//! What admission webhooks put into Pods: a sidecar's configuration, a variable, a trust bundle.
//!
//! A workload has the references of its template and those that its Pods of that template have
//! beyond it. Which Pods have them is for the Pods to say: one without the use has nothing old.

use std::sync::Arc;

use crate::core::index::affected::{Affected, WorkloadName};
use crate::core::index::catalog::Catalog;
use crate::core::index::space::Space;
use crate::core::object::workload::Workload;
use crate::core::policy::Selected;
use crate::core::project::reference::{Reference, merged};
use crate::kinds::{WorkloadId, WorkloadKind};

// === impl Space ===

impl Space {
    /// What the live Pods of a workload's current template project beyond it. While there is
    /// none, as in a rollout that has just begun, that is what was `known` of the Pods before.
    pub(super) fn injected(
        &self,
        kind: WorkloadKind,
        workload: &Workload,
        known: Option<&Arc<[Reference]>>,
    ) -> Arc<[Reference]> {
        let (pods, _) = self.pods_of(kind, workload);
        let current = pods
            .into_iter()
            .filter(|(pod, is_current)| *is_current && pod.active);
        let mut current = current.map(|(pod, _)| pod).peekable();
        if current.peek().is_none() {
            return known.cloned().unwrap_or_default();
        }
        let template = &workload.references;
        let mut others: Vec<&Arc<[Reference]>> = current
            .filter_map(|pod| pod.own.as_ref())
            .filter(|own| !Arc::ptr_eq(own, template))
            .collect();
        // Pods that project the same share it.
        others.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let beyond = others.into_iter().flat_map(|own| own.iter());
        merged(beyond.filter(|own| !template.iter().any(|one| one.includes(own)))).into()
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

#[cfg(test)]
mod tests;
