//! One namespace of the index: nothing relates objects of two.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::index::affected::{Affected, SourceName, WorkloadName};
use crate::core::index::catalog::Catalog;
use crate::core::index::owned::Owned;
use crate::core::object::pod::{Owner, Pod};
use crate::core::object::workload::{ControllerRevision, ReplicaSet, Workload};
use crate::core::policy::{Candidate, Effective, Labels, Policies, Selected};
use crate::core::project::reference::{Reference, merged};
use crate::kinds::{Pods, REPLICA_SET, Scope, WorkloadId, WorkloadKind};

/// One namespace.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Labels of the namespace; `None` until it has been seen.
    pub(super) labels: Option<Labels>,
    pub(super) sources: Catalog<WorkloadName>,
    pub(super) workloads: HashMap<WorkloadName, Node>,
    pub(super) replica_sets: Owned<ReplicaSet>,
    pub(super) revisions: Owned<ControllerRevision>,
    pub(super) pods: Owned<Pod>,
}

/// A workload with what follows from it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) workload: Arc<Workload>,
    pub(super) selected: Selected,
    /// References of its Pods beyond those of its template; none while not managed.
    pub(super) injected: Arc<[Reference]>,
    /// The references that the policy lets us act on; none while not managed.
    pub(super) references: Arc<[Reference]>,
    /// The sources that the policy leaves out, and without which no Pod starts all the same.
    pub(super) required: Arc<[SourceName]>,
}

impl Node {
    /// The sources whose events concern the workload.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SourceName> {
        let references = self.references.iter().map(|reference| &reference.source);
        references.chain(self.required.iter())
    }
}

// === impl Space ===

impl Space {
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_none()
            && self.sources.is_empty()
            && self.workloads.is_empty()
            && self.replica_sets.by_name.is_empty()
            && self.revisions.by_name.is_empty()
            && self.pods.by_name.is_empty()
    }

    pub(super) fn select(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        workload: &Workload,
        policies: &Policies,
    ) -> Selected {
        policies.select(&self.candidate(kind, namespace, workload))
    }

    pub(super) fn candidate<'a>(
        &'a self,
        kind: WorkloadKind,
        namespace: &'a str,
        workload: &'a Workload,
    ) -> Candidate<'a> {
        Candidate {
            kind,
            namespace,
            namespace_labels: self.labels.as_ref(),
            labels: &workload.labels,
            sync: workload.sync.as_deref(),
        }
    }

    /// Selects anew for `which` workloads.
    pub(super) fn select_again(
        &mut self,
        namespace: &Arc<str>,
        which: impl Fn(&Candidate<'_>) -> bool,
        policies: &Policies,
        cluster: &mut Catalog<WorkloadId>,
        affected: &mut Affected,
    ) {
        let which = |name: &WorkloadName, node: &Node| {
            which(&self.candidate(name.0, namespace, &node.workload))
        };
        let workloads = self.workloads.iter();
        let workloads = workloads.filter(|(name, node)| which(name, node));
        let names: Vec<WorkloadName> = workloads.map(|(name, _)| name.clone()).collect();
        for name in names {
            let Some(node) = self.workloads.get(&name) else {
                continue;
            };
            let workload = node.workload.clone();
            let selected = self.select(name.0, namespace, &workload, policies);
            if selected != node.selected {
                let id = WorkloadId::new(name.0, namespace.clone(), name.1.clone());
                self.put(&id, name, workload, selected, cluster, affected);
                affected.workloads.insert(id);
            }
        }
    }

    /// Puts a workload in, with its edges.
    pub(super) fn put(
        &mut self,
        id: &WorkloadId,
        name: WorkloadName,
        workload: Arc<Workload>,
        selected: Selected,
        cluster: &mut Catalog<WorkloadId>,
        affected: &mut Affected,
    ) {
        let before = self.workloads.remove(&name);
        let known = before.as_ref().map(|node| &node.injected);
        let (injected, (references, required)) = match &selected {
            Selected::Managed(policy) => {
                let injected = self.injected(id.kind, &workload, known);
                let all = match &*injected {
                    [] => workload.references.clone(),
                    injected => merged(workload.references.iter().chain(injected)).into(),
                };
                (injected, acted_on(&all, policy))
            }
            Selected::NotManaged { .. } => Default::default(),
        };
        let node = Node {
            workload,
            selected,
            injected,
            references,
            required,
        };
        for source in node.sources() {
            match source.0.api.scope {
                Scope::Namespace => self.sources.link(source, name.clone()),
                Scope::Cluster => cluster.link(source, id.clone()),
            }
        }
        for reference in node.references.iter() {
            let known = before
                .as_ref()
                .is_some_and(|node| node.references.contains(reference));
            if !known {
                affected.sources.insert(reference.source_id(&id.namespace));
            }
        }
        if let Some(before) = &before {
            let gone = |old: &&SourceName| node.sources().all(|new| new != *old);
            self.unlink(id, &name, before.sources().filter(gone), cluster);
        }
        self.workloads.insert(name, node);
    }

    pub(super) fn unlink<'a>(
        &mut self,
        id: &WorkloadId,
        name: &WorkloadName,
        sources: impl IntoIterator<Item = &'a SourceName>,
        cluster: &mut Catalog<WorkloadId>,
    ) {
        for source in sources {
            match source.0.api.scope {
                Scope::Namespace => self.sources.unlink(source, name),
                Scope::Cluster => cluster.unlink(source, id),
            }
        }
    }

    /// Whether a Deployment has got the template of an earlier ReplicaSet, and another
    /// `projsync.dev/sync` with it: `kubectl rollout undo` brings back the annotations of then.
    pub(super) fn is_undone(&self, before: &Workload, now: &Workload) -> bool {
        before.uid == now.uid
            && before.sync != now.sync
            && before.template.hash != now.template.hash
            && self
                .replica_sets
                .of(&now.uid)
                .any(|set| set.template.hash == now.template.hash)
    }

    /// Adds the workload that `owner` is or belongs to.
    pub(super) fn affect_owner_of(
        &self,
        namespace: &Arc<str>,
        owner: Option<&Owner>,
        affected: &mut Affected,
    ) {
        let workload = owner.and_then(|owner| self.workload_of(namespace, owner));
        affected.workloads.extend(workload);
    }

    /// Adds the workload that `owner`, of a Pod that has changed, is or belongs to.
    pub(super) fn affect_owner_of_pod(
        &self,
        namespace: &Arc<str>,
        owner: &Owner,
        affected: &mut Affected,
    ) {
        if let Some(workload) = self.workload_of(namespace, owner) {
            affected
                .of_pods
                .insert(workload, self.pods.count(&owner.uid));
        }
    }

    /// The workload that `owner` is or belongs to.
    fn workload_of(&self, namespace: &Arc<str>, owner: &Owner) -> Option<WorkloadId> {
        let workload = match owner.is(&REPLICA_SET) {
            true => {
                let set = self.replica_sets.by_name.get(&owner.name)?;
                (set.uid == owner.uid).then_some(&set.owner)?
            }
            false => owner,
        };
        let kind = WorkloadKind::of_object(&workload.group, &workload.kind)?;
        let name = (kind, workload.name.clone());
        let is_known = self.workloads.contains_key(&name);
        is_known.then(|| WorkloadId::new(kind, namespace.clone(), name.1))
    }

    /// A workload's Pods, each with whether it is of the current template, and whether its
    /// controller has observed that.
    pub(super) fn pods_of(
        &self,
        kind: WorkloadKind,
        workload: &Workload,
    ) -> (Vec<(&Pod, bool)>, bool) {
        let (mut pods, known) = match kind.pods {
            Pods::ReplicaSets => {
                let (pods, known) = self.pods_of_deployment(workload);
                // While it is paused its controller makes no ReplicaSet.
                (pods, known || workload.paused)
            }
            Pods::UpdateRevision => self.pods_of_set(workload, workload.update_revision.as_ref()),
            Pods::NewestRevision => self.pods_of_set(workload, self.revision_of(workload)),
        };
        let observed = workload.observed_generation >= workload.generation;
        for (_, is_current) in &mut pods {
            *is_current &= observed;
        }
        (pods, observed && known)
    }

    /// A Deployment's Pods, and whether the ReplicaSet of its template exists.
    /// The Pods of the current template are those of the ReplicaSet whose
    /// template equals the Deployment's.
    fn pods_of_deployment(&self, deployment: &Workload) -> (Vec<(&Pod, bool)>, bool) {
        let mut pods = Vec::new();
        let mut current = false;
        for set in self.replica_sets.of(&deployment.uid) {
            let is_current = set.template == deployment.template;
            current |= is_current;
            pods.extend(self.pods.of(&set.uid).map(|pod| (pod, is_current)));
        }
        (pods, current)
    }

    /// A StatefulSet's or DaemonSet's Pods, and whether its newest revision is known.
    fn pods_of_set(&self, set: &Workload, newest: Option<&Arc<str>>) -> (Vec<(&Pod, bool)>, bool) {
        let is_current = |pod: &Pod| newest.is_some() && pod.revision_hash.as_ref() == newest;
        let pods = self.pods.of(&set.uid).map(|pod| (pod, is_current(pod)));
        (pods.collect(), newest.is_some())
    }

    /// The hash of a DaemonSet's newest ControllerRevision of its own template: that
    /// of the template of now may not have come yet.
    fn revision_of(&self, set: &Workload) -> Option<&Arc<str>> {
        let same =
            |revision: &&ControllerRevision| revision.template.as_ref() == Some(&set.template);
        let revisions = self.revisions.of(&set.uid).filter(same);
        revisions
            .max_by_key(|revision| revision.revision)
            .map(|revision| &revision.hash)
    }
}

/// The references that are acted on, and the required sources among the others.
fn acted_on(all: &Arc<[Reference]>, policy: &Effective) -> (Arc<[Reference]>, Arc<[SourceName]>) {
    let admits = |reference: &Reference| {
        let (kind, name) = &reference.source;
        policy.sources.admits(*kind, name)
    };
    if all.iter().all(admits) {
        return (all.clone(), Arc::new([]));
    }
    let (admitted, others): (Vec<_>, Vec<_>) = all.iter().cloned().partition(admits);
    let required = others.into_iter().filter(Reference::requires_source);
    let required = required.map(|reference| reference.source);
    (admitted.into(), required.collect())
}
