//! Who projects what, and which Pods are whose: source ↔ workload ↔ Pod.
//!
//! The index holds the newest view of every object and the edges between them.
//! Nothing relates objects of two namespaces, so it is a map of spaces, beside which
//! stand the sources of the cluster.
//! Each change gives the set of sources and workloads [`Affected`] by it; what
//! to do about them is planned from the index's current state.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::api::rules::Floors;
use crate::core::object::pod::{Owner, Pod};
use crate::core::object::source::SourceMeta;
use crate::core::object::workload::{ControllerRevision, ReplicaSet, Workload};
use crate::core::policy::{Changed, CompiledPolicy, Labels, Policies, PolicyError, PolicyId};
use crate::kinds::{Rv, SourceId, WorkloadId};

mod affected;
mod catalog;
mod injected;
mod lookup;
mod owned;
mod space;

pub use affected::{Affected, Seen, SourceName, WorkloadName};
use catalog::Catalog;
pub use lookup::View;
use owned::Child;
use space::Space;

/// Edges between workloads and the sources that they project.
pub type Edges = HashSet<(WorkloadId, SourceId)>;

/// The newest view of all objects, and their edges.
#[derive(Debug, Default)]
pub struct Index {
    spaces: HashMap<Arc<str>, Space>,
    /// Sources of the cluster.
    cluster: Catalog<WorkloadId>,
    policies: Policies,
    /// Workloads whose `projsync.dev/sync` an undo has changed, with its value before.
    undone: BTreeMap<WorkloadId, Option<Arc<str>>>,
}

// === impl Affected ===

impl Affected {
    /// A source, where that is news for a workload.
    fn source(id: &SourceId, news: bool) -> Self {
        Self {
            sources: news.then(|| id.clone()).into_iter().collect(),
            ..Self::default()
        }
    }
}

// === impl Index ===

impl Index {
    /// Nothing yet, for policies whose durations have these floors.
    #[must_use]
    pub fn new(floors: Floors) -> Self {
        Self {
            policies: Policies::new(floors),
            ..Self::default()
        }
    }

    /// The policies.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Takes in a version of a policy, valid or not.
    pub fn apply_policy(
        &mut self,
        id: &PolicyId,
        policy: Result<CompiledPolicy, PolicyError>,
    ) -> Affected {
        let changed = self.policies.apply(id, policy);
        self.select(id.namespace(), &changed)
    }

    /// Takes in the deletion of a policy.
    pub fn delete_policy(&mut self, id: &PolicyId) -> Affected {
        let changed = self.policies.delete(id);
        self.select(id.namespace(), &changed)
    }

    /// Selects anew where a change of policies may matter: in one namespace, or in all.
    fn select(&mut self, within: Option<&Arc<str>>, changed: &Changed) -> Affected {
        let mut affected = Affected::default();
        if changed.is_nothing() {
            return affected;
        }
        let is_within = |namespace: &Arc<str>| within.is_none_or(|within| within == namespace);
        for (namespace, space) in self.spaces.iter_mut().filter(|(one, _)| is_within(one)) {
            space.select_again(
                namespace,
                |workload| changed.may_affect(workload),
                &self.policies,
                &mut self.cluster,
                &mut affected,
            );
        }
        affected
    }

    /// Takes in a namespace's labels.
    pub fn apply_namespace(&mut self, name: &Arc<str>, labels: Labels) -> Affected {
        self.set_labels(name, Some(labels))
    }

    fn set_labels(&mut self, name: &Arc<str>, labels: Option<Labels>) -> Affected {
        let mut affected = Affected::default();
        let space = self.spaces.entry(name.clone()).or_default();
        if space.labels != labels {
            space.labels = labels;
            space.select_again(
                name,
                |_| true,
                &self.policies,
                &mut self.cluster,
                &mut affected,
            );
        }
        affected
    }

    /// Takes in that a namespace is gone: its objects' own events say the rest.
    pub fn delete_namespace(&mut self, name: &str) -> Affected {
        let affected = self.set_labels(&name.into(), None);
        self.tidy(name);
        affected
    }

    /// Takes in a version of a source.
    pub fn apply_source(&mut self, id: &SourceId, meta: SourceMeta, seen: Seen) -> Affected {
        let name = (id.kind, id.name.clone());
        let news = match &id.namespace {
            Some(namespace) => {
                let space = self.spaces.entry(namespace.clone()).or_default();
                space.sources.apply(name, meta, seen)
            }
            None => self.cluster.apply(name, meta, seen),
        };
        Affected::source(id, news)
    }

    /// Takes in the deletion of a source, by its DELETED event of version `rv` or
    /// (`None`) by its absence from a list.
    pub fn delete_source(&mut self, id: &SourceId, rv: Option<Rv>, seen: Seen) -> Affected {
        let name = (id.kind, id.name.clone());
        let news = match &id.namespace {
            Some(namespace) => {
                let space = self.spaces.get_mut(namespace);
                let news = space.is_some_and(|space| space.sources.delete(&name, rv, seen));
                self.tidy(namespace);
                news
            }
            None => self.cluster.delete(&name, rv, seen),
        };
        Affected::source(id, news)
    }

    /// Takes in a version of a workload.
    pub fn apply_workload(&mut self, id: &WorkloadId, workload: Workload) -> Affected {
        let mut affected = Affected::default();
        let space = self.spaces.entry(id.namespace.clone()).or_default();
        let name = (id.kind, id.name.clone());
        let before = space.workloads.get(&name);
        if before.is_some_and(|node| *node.workload == workload) {
            return affected;
        }
        if let Some(node) = before.filter(|node| space.is_undone(&node.workload, &workload)) {
            let before = node.workload.sync.clone();
            self.undone.entry(id.clone()).or_insert(before);
        }
        let selected = space.select(id.kind, &id.namespace, &workload, &self.policies);
        let workload = Arc::new(workload);
        space.put(
            id,
            name,
            workload,
            selected,
            &mut self.cluster,
            &mut affected,
        );
        affected.workloads.insert(id.clone());
        affected
    }

    /// What `projsync.dev/sync` of a workload was before an undo changed it; told once.
    pub fn take_undone(&mut self, id: &WorkloadId) -> Option<Option<Arc<str>>> {
        self.undone.remove(id)
    }

    /// Takes in the deletion of a workload.
    pub fn delete_workload(&mut self, id: &WorkloadId) -> Affected {
        let mut affected = Affected::default();
        self.undone.remove(id);
        if let Some(space) = self.spaces.get_mut(&id.namespace) {
            let name = (id.kind, id.name.clone());
            if let Some(node) = space.workloads.remove(&name) {
                space.unlink(id, &name, node.sources(), &mut self.cluster);
                affected.workloads.insert(id.clone());
            }
        }
        self.tidy(&id.namespace);
        affected
    }

    /// Takes in a version of a Pod.
    pub fn apply_pod(&mut self, namespace: &Arc<str>, mut pod: Pod) -> Affected {
        let space = self.spaces.entry(namespace.clone()).or_default();
        let before = space.pods.by_name.get(&pod.name);
        if let Some(before) = before.filter(|before| before.uid == pod.uid) {
            pod.inherit(before);
        }
        let mut affected = Affected::default();
        if before == Some(&pod) {
            return affected;
        }
        let same_uses =
            before.is_some_and(|before| before.own == pod.own && before.active == pod.active);
        let owners = before.and_then(Child::owner).into_iter().chain(pod.owner());
        for owner in owners {
            space.affect_owner_of_pod(namespace, owner, &mut affected);
        }
        space.pods.put(pod.name.clone(), pod);
        if !same_uses {
            self.follow_pods(&mut affected);
        }
        affected
    }

    /// Takes in the deletion of a Pod.
    pub fn delete_pod(&mut self, namespace: &str, name: &str) -> Affected {
        let mut affected = Affected::default();
        if let Some(space) = self.spaces.get_mut(namespace)
            && let Some(owner) = space.pods.remove(name).and_then(|pod| pod.owner)
        {
            space.affect_owner_of_pod(&namespace.into(), &owner, &mut affected);
            self.follow_pods(&mut affected);
        }
        self.tidy(namespace);
        affected
    }

    /// Takes in a version of a ReplicaSet.
    pub fn apply_replica_set(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        replica_set: ReplicaSet,
    ) -> Affected {
        let mut affected = Affected::default();
        let space = self.spaces.entry(namespace.clone()).or_default();
        let before = space.replica_sets.by_name.get(name);
        if before != Some(&replica_set) {
            space.affect_owner_of(namespace, before.and_then(Child::owner), &mut affected);
            space.affect_owner_of(namespace, Some(&replica_set.owner), &mut affected);
            space.replica_sets.put(name.clone(), replica_set);
            self.follow_pods(&mut affected);
        }
        affected
    }

    /// Takes in the deletion of a ReplicaSet.
    pub fn delete_replica_set(&mut self, namespace: &str, name: &str) -> Affected {
        self.delete_child(namespace, |space| {
            space.replica_sets.remove(name).map(|set| set.owner)
        })
    }

    /// Takes in a version of a ControllerRevision.
    pub fn apply_revision(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        revision: ControllerRevision,
    ) -> Affected {
        let mut affected = Affected::default();
        let space = self.spaces.entry(namespace.clone()).or_default();
        let before = space.revisions.by_name.get(name);
        if before != Some(&revision) {
            space.affect_owner_of(namespace, before.and_then(Child::owner), &mut affected);
            space.affect_owner_of(namespace, Some(&revision.owner), &mut affected);
            space.revisions.put(name.clone(), revision);
            self.follow_pods(&mut affected);
        }
        affected
    }

    /// Takes in the deletion of a ControllerRevision.
    pub fn delete_revision(&mut self, namespace: &str, name: &str) -> Affected {
        self.delete_child(namespace, |space| {
            space.revisions.remove(name).map(|revision| revision.owner)
        })
    }

    /// Forgets what happened to a source up to `rv`: all references have taken it in.
    pub fn forget_events(&mut self, id: &SourceId, rv: Option<Rv>) {
        let name = (id.kind, id.name.clone());
        match &id.namespace {
            Some(namespace) => {
                if let Some(space) = self.spaces.get_mut(namespace) {
                    space.sources.forget(&name, rv);
                }
            }
            None => self.cluster.forget(&name, rv),
        }
    }

    /// Forgets every version of Pods and sources: they were of another history of the cluster.
    pub fn forget_versions(&mut self) {
        self.cluster.forget_versions();
        for space in self.spaces.values_mut() {
            space.sources.forget_versions();
            let pods = space.pods.by_name.values_mut();
            pods.for_each(Pod::forget_versions);
        }
    }

    fn delete_child(
        &mut self,
        namespace: &str,
        remove: impl FnOnce(&mut Space) -> Option<Owner>,
    ) -> Affected {
        let mut affected = Affected::default();
        if let Some(space) = self.spaces.get_mut(namespace) {
            let owner = remove(space);
            space.affect_owner_of(&namespace.into(), owner.as_ref(), &mut affected);
            self.follow_pods(&mut affected);
        }
        self.tidy(namespace);
        affected
    }

    /// Follows what the Pods of affected workloads project beyond their templates.
    fn follow_pods(&mut self, affected: &mut Affected) {
        let of_pods = affected.of_pods.keys().cloned();
        let workloads: Vec<WorkloadId> =
            affected.workloads.iter().cloned().chain(of_pods).collect();
        for id in workloads {
            if let Some(space) = self.spaces.get_mut(&id.namespace) {
                space.follow_pods(&id, &mut self.cluster, affected);
            }
        }
    }

    /// Drops a namespace that holds nothing.
    fn tidy(&mut self, namespace: &str) {
        if self.spaces.get(namespace).is_some_and(Space::is_empty) {
            self.spaces.remove(namespace);
        }
    }
}

#[cfg(test)]
mod tests;
