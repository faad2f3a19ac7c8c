//! Who projects what, and which Pods are whose: source ↔ workload ↔ Pod.
//!
//! The index holds the newest view of every object and the edges between them.
//! Nothing relates objects of two namespaces, so it is a map of [`Space`]s.
//! Each change gives the set of sources and workloads [`Affected`] by it; what
//! to do about them is planned from the index's current state.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::core::object::{Rv, SourceId, SourceKind, WorkloadId, WorkloadKind};
use crate::core::pod::{Owner, Pod};
use crate::core::policy::{Candidate, Labels, Policies, PolicyId, Selected};
use crate::core::reference::Reference;
use crate::core::source::{Source, SourceMeta};
use crate::core::time::Mono;
use crate::core::workload::{ControllerRevision, ReplicaSet, Workload};

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
}

/// How an event reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// From the watch, so that nothing between is unseen, rather than from a list.
    pub live: bool,
    /// The operator's monotonic clock.
    pub now: Mono,
}

/// Edges between workloads and the sources that they project.
pub type Edges = HashSet<(WorkloadId, SourceId)>;

/// The newest view of all objects, and their edges.
#[derive(Debug, Default)]
pub struct Index {
    spaces: HashMap<Arc<str>, Space>,
    policies: Policies,
}

/// One namespace.
#[derive(Debug, Default)]
pub struct Space {
    /// Those of the namespace; `None` while they are not known.
    labels: Option<Labels>,
    sources: HashMap<SourceName, Source>,
    users: HashMap<SourceName, BTreeSet<WorkloadName>>,
    workloads: HashMap<WorkloadName, Node>,
    replica_sets: Owned<ReplicaSet>,
    revisions: Owned<ControllerRevision>,
    pods: Owned<Pod>,
}

/// A workload with what follows from it.
#[derive(Debug)]
struct Node {
    workload: Arc<Workload>,
    selected: Selected,
    /// The references that the policy lets us act on; none while not managed.
    references: Arc<[Reference]>,
}

/// Objects by name, and the names that one owner controls.
#[derive(Debug)]
struct Owned<T> {
    by_name: HashMap<Arc<str>, T>,
    by_owner: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// An object that is listed under its controlling owner.
trait Child {
    fn owner(&self) -> Option<&Owner>;
}

/// A workload as a plan sees it.
#[derive(Debug)]
pub struct View<'a> {
    /// The workload.
    pub workload: &'a Arc<Workload>,
    /// Whether and how it is managed.
    pub selected: &'a Selected,
    /// What it projects, less what its policy leaves out.
    pub references: &'a Arc<[Reference]>,
    /// Its Pods, each with whether it is of the current template.
    pub pods: Vec<(&'a Pod, bool)>,
    /// Whether its controller has observed the current template.
    pub observed: bool,
}

// === impl Index ===

impl Index {
    /// The policies.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Changes the policies and selects anew where that matters.
    pub fn change_policies(&mut self, change: impl FnOnce(&mut Policies)) -> Affected {
        change(&mut self.policies);
        let mut affected = Affected::default();
        for (namespace, space) in &mut self.spaces {
            space.select_all(namespace, &self.policies, &mut affected);
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
            space.select_all(name, &self.policies, &mut affected);
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
        let space = self.spaces.entry(id.namespace.clone()).or_default();
        let name = (id.kind, id.name.clone());
        let source = space.sources.entry(name.clone()).or_default();
        let news = source.apply(meta, seen.live, seen.now);
        space.source_affects(id, &name, news)
    }

    /// Takes in the deletion of a source, by its DELETED event of version `rv` or
    /// (`None`) by its absence from a list.
    pub fn delete_source(&mut self, id: &SourceId, rv: Option<Rv>, seen: Seen) -> Affected {
        let Some(space) = self.spaces.get_mut(&id.namespace) else {
            return Affected::default();
        };
        let name = (id.kind, id.name.clone());
        let news = space
            .sources
            .get_mut(&name)
            .is_some_and(|source| source.delete(rv, seen.now));
        let affected = space.source_affects(id, &name, news);
        if !space.users.contains_key(&name) {
            space.sources.remove(&name);
        }
        self.tidy(&id.namespace);
        affected
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
        let selected = space.select(id.kind, &id.namespace, &workload, &self.policies);
        space.put(id, name, Arc::new(workload), selected, &mut affected);
        affected.workloads.insert(id.clone());
        affected
    }

    /// Takes in the deletion of a workload.
    pub fn delete_workload(&mut self, id: &WorkloadId) -> Affected {
        let mut affected = Affected::default();
        if let Some(space) = self.spaces.get_mut(&id.namespace) {
            let name = (id.kind, id.name.clone());
            if let Some(node) = space.workloads.remove(&name) {
                space.unlink(&name, node.references.iter());
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
        space.affect_owner_of(namespace, before.and_then(Child::owner), &mut affected);
        space.affect_owner_of(namespace, pod.owner(), &mut affected);
        space.pods.put(pod.name.clone(), pod);
        affected
    }

    /// Takes in the deletion of a Pod.
    pub fn delete_pod(&mut self, namespace: &str, name: &str) -> Affected {
        self.delete_child(namespace, |space| {
            space.pods.remove(name).and_then(|pod| pod.owner)
        })
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
        }
        affected
    }

    /// Takes in the deletion of a ControllerRevision.
    pub fn delete_revision(&mut self, namespace: &str, name: &str) -> Affected {
        self.delete_child(namespace, |space| {
            space.revisions.remove(name).map(|revision| revision.owner)
        })
    }

    /// A source, where it is known or referred to.
    #[must_use]
    pub fn source(&self, id: &SourceId) -> Option<&Source> {
        let space = self.spaces.get(&id.namespace)?;
        space.sources.get(&(id.kind, id.name.clone()))
    }

    /// Forgets what went by in a source up to `rv`: all references have it.
    pub fn settle_source(&mut self, id: &SourceId, rv: Option<Rv>) {
        if let Some(source) = self
            .spaces
            .get_mut(&id.namespace)
            .and_then(|space| space.sources.get_mut(&(id.kind, id.name.clone())))
        {
            source.settle(rv);
        }
    }

    /// The managed workloads that refer to a source.
    #[must_use]
    pub fn users(&self, id: &SourceId) -> Vec<WorkloadId> {
        self.spaces
            .get(&id.namespace)
            .and_then(|space| space.users.get(&(id.kind, id.name.clone())))
            .into_iter()
            .flatten()
            .map(|(kind, name)| WorkloadId::new(*kind, id.namespace.clone(), name.clone()))
            .collect()
    }

    /// A workload as a plan sees it.
    #[must_use]
    pub fn view(&self, id: &WorkloadId) -> Option<View<'_>> {
        let space = self.spaces.get(&id.namespace)?;
        let node = space.workloads.get(&(id.kind, id.name.clone()))?;
        let workload = &node.workload;
        let observed = workload.observed_generation >= workload.generation;
        let (pods, current) = match id.kind {
            WorkloadKind::Deployment => space.pods_of_deployment(workload),
            WorkloadKind::StatefulSet => {
                space.pods_of_set(workload, workload.update_revision.as_ref())
            }
            WorkloadKind::DaemonSet => {
                let newest = space.newest_revision(&workload.uid);
                let (mut pods, known) = space.pods_of_set(workload, newest);
                // The revision of our own last roll may be on its way.
                for (pod, current) in &mut pods {
                    *current &= pod.revision == workload.template.revision;
                }
                (pods, known)
            }
        };
        Some(View {
            workload,
            selected: &node.selected,
            references: &node.references,
            pods: pods
                .into_iter()
                .map(|(pod, is_current)| (pod, is_current && observed))
                .collect(),
            observed: observed && current,
        })
    }

    /// Every policy that selects a workload, the one in force first.
    #[must_use]
    pub fn selecting(&self, id: &WorkloadId) -> Vec<PolicyId> {
        let Some(space) = self.spaces.get(&id.namespace) else {
            return Vec::new();
        };
        let node = space.workloads.get(&(id.kind, id.name.clone()));
        node.map_or_else(Vec::new, |node| {
            self.policies
                .selecting(&space.candidate(id.kind, &id.namespace, &node.workload))
        })
    }

    /// Every workload.
    pub fn workloads(&self) -> impl Iterator<Item = WorkloadId> + '_ {
        self.spaces.iter().flat_map(|(namespace, space)| {
            space
                .workloads
                .keys()
                .map(|(kind, name)| WorkloadId::new(*kind, namespace.clone(), name.clone()))
        })
    }

    /// Every source that a managed workload refers to.
    pub fn used_sources(&self) -> impl Iterator<Item = SourceId> + '_ {
        self.spaces.iter().flat_map(|(namespace, space)| {
            space
                .users
                .keys()
                .map(|(kind, name)| SourceId::new(*kind, namespace.clone(), name.clone()))
        })
    }

    /// Names of the sources of a kind that exist, by namespace.
    pub fn source_names(&self, kind: SourceKind) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.spaces.iter().flat_map(move |(namespace, space)| {
            let existing = space
                .sources
                .iter()
                .filter(move |(name, source)| name.0 == kind && source.meta.is_some());
            existing.map(move |(name, _)| (namespace, &name.1))
        })
    }

    /// Names of the workloads of a kind, by namespace.
    pub fn workload_names(
        &self,
        kind: WorkloadKind,
    ) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.spaces.iter().flat_map(move |(namespace, space)| {
            let of_kind = space.workloads.keys().filter(move |name| name.0 == kind);
            of_kind.map(move |name| (namespace, &name.1))
        })
    }

    /// Names of the Pods, by namespace.
    pub fn pod_names(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.names(|space| &space.pods)
    }

    /// Names of the ReplicaSets, by namespace.
    pub fn replica_set_names(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.names(|space| &space.replica_sets)
    }

    /// Names of the ControllerRevisions, by namespace.
    pub fn revision_names(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.names(|space| &space.revisions)
    }

    /// Whether a Pod is known under this name, and its uid.
    #[must_use]
    pub fn pod_uid(&self, namespace: &str, name: &str) -> Option<&Arc<str>> {
        let pod = self.spaces.get(namespace)?.pods.by_name.get(name)?;
        Some(&pod.uid)
    }

    fn names<T: 'static>(
        &self,
        objects: impl Fn(&Space) -> &Owned<T>,
    ) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.spaces.iter().flat_map(move |(namespace, space)| {
            objects(space)
                .by_name
                .keys()
                .map(move |name| (namespace, name))
        })
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
        }
        self.tidy(namespace);
        affected
    }

    /// Drops a namespace that holds nothing.
    fn tidy(&mut self, namespace: &str) {
        if self.spaces.get(namespace).is_some_and(Space::is_empty) {
            self.spaces.remove(namespace);
        }
    }

    /// Every edge, forward (workload → source) and reverse, for tests.
    #[must_use]
    pub fn edges(&self) -> (Edges, Edges) {
        let mut forward = HashSet::new();
        let mut reverse = HashSet::new();
        for (namespace, space) in &self.spaces {
            let workload_id =
                |name: &WorkloadName| WorkloadId::new(name.0, namespace.clone(), name.1.clone());
            let source_id =
                |name: &SourceName| SourceId::new(name.0, namespace.clone(), name.1.clone());
            for (name, node) in &space.workloads {
                for reference in node.references.iter() {
                    forward.insert((workload_id(name), source_id(&reference.source)));
                }
            }
            for (source, users) in &space.users {
                for user in users {
                    reverse.insert((workload_id(user), source_id(source)));
                }
            }
        }
        (forward, reverse)
    }
}

// === impl Space ===

impl Space {
    fn is_empty(&self) -> bool {
        self.labels.is_none()
            && self.sources.is_empty()
            && self.users.is_empty()
            && self.workloads.is_empty()
            && self.replica_sets.by_name.is_empty()
            && self.revisions.by_name.is_empty()
            && self.pods.by_name.is_empty()
    }

    fn source_affects(&self, id: &SourceId, name: &SourceName, news: bool) -> Affected {
        let mut affected = Affected::default();
        if news && self.users.contains_key(name) {
            affected.sources.insert(id.clone());
        }
        affected
    }

    fn select(
        &self,
        kind: WorkloadKind,
        namespace: &str,
        workload: &Workload,
        policies: &Policies,
    ) -> Selected {
        policies.select(&self.candidate(kind, namespace, workload))
    }

    fn candidate<'a>(
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

    fn select_all(&mut self, namespace: &Arc<str>, policies: &Policies, affected: &mut Affected) {
        let names: Vec<WorkloadName> = self.workloads.keys().cloned().collect();
        for name in names {
            let Some(node) = self.workloads.get(&name) else {
                continue;
            };
            let workload = node.workload.clone();
            let selected = self.select(name.0, namespace, &workload, policies);
            if selected != node.selected {
                let id = WorkloadId::new(name.0, namespace.clone(), name.1.clone());
                self.put(&id, name, workload, selected, affected);
                affected.workloads.insert(id);
            }
        }
    }

    /// Puts a workload in, with its edges.
    fn put(
        &mut self,
        id: &WorkloadId,
        name: WorkloadName,
        workload: Arc<Workload>,
        selected: Selected,
        affected: &mut Affected,
    ) {
        let references: Arc<[Reference]> = match &selected {
            Selected::Managed(policy) => {
                let acted_on = |reference: &&Reference| {
                    policy
                        .sources
                        .admits(reference.source.0, &reference.source.1)
                };
                if workload
                    .references
                    .iter()
                    .all(|reference| acted_on(&reference))
                {
                    workload.references.clone()
                } else {
                    workload
                        .references
                        .iter()
                        .filter(acted_on)
                        .cloned()
                        .collect()
                }
            }
            Selected::NotManaged { .. } => Arc::new([]),
        };
        let before = self.workloads.remove(&name);
        for reference in references.iter() {
            self.users
                .entry(reference.source.clone())
                .or_default()
                .insert(name.clone());
            let known = before
                .as_ref()
                .is_some_and(|node| node.references.contains(reference));
            if !known {
                let (kind, source) = reference.source.clone();
                affected
                    .sources
                    .insert(SourceId::new(kind, id.namespace.clone(), source));
            }
        }
        if let Some(before) = &before {
            let gone = |old: &&Reference| references.iter().all(|new| new.source != old.source);
            self.unlink(&name, before.references.iter().filter(gone));
        }
        self.workloads.insert(
            name,
            Node {
                workload,
                selected,
                references,
            },
        );
    }

    fn unlink<'a>(
        &mut self,
        name: &WorkloadName,
        references: impl IntoIterator<Item = &'a Reference>,
    ) {
        for reference in references {
            if let Some(users) = self.users.get_mut(&reference.source) {
                users.remove(name);
                if users.is_empty() {
                    self.users.remove(&reference.source);
                    if self
                        .sources
                        .get(&reference.source)
                        .is_some_and(|source| source.meta.is_none())
                    {
                        self.sources.remove(&reference.source);
                    }
                }
            }
        }
    }

    /// Adds the workload that `owner` is or belongs to.
    fn affect_owner_of(
        &self,
        namespace: &Arc<str>,
        owner: Option<&Owner>,
        affected: &mut Affected,
    ) {
        let Some(owner) = owner else {
            return;
        };
        let workload = match &*owner.kind {
            "ReplicaSet" => match self.replica_sets.by_name.get(&owner.name) {
                Some(set) if set.uid == owner.uid => &set.owner,
                _ => return,
            },
            _ => owner,
        };
        let kind = match &*workload.kind {
            "Deployment" => WorkloadKind::Deployment,
            "StatefulSet" => WorkloadKind::StatefulSet,
            "DaemonSet" => WorkloadKind::DaemonSet,
            _ => return,
        };
        if self.workloads.contains_key(&(kind, workload.name.clone())) {
            affected.workloads.insert(WorkloadId::new(
                kind,
                namespace.clone(),
                workload.name.clone(),
            ));
        }
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

    /// The hash of the ControllerRevision with the highest revision.
    fn newest_revision(&self, uid: &Arc<str>) -> Option<&Arc<str>> {
        self.revisions
            .of(uid)
            .max_by_key(|revision| revision.revision)
            .map(|revision| &revision.hash)
    }
}

// === impl Owned ===

impl<T> Default for Owned<T> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            by_owner: HashMap::new(),
        }
    }
}

impl<T: Child> Owned<T> {
    fn put(&mut self, name: Arc<str>, object: T) {
        self.remove(&name);
        if let Some(owner) = object.owner() {
            self.by_owner
                .entry(owner.uid.clone())
                .or_default()
                .insert(name.clone());
        }
        self.by_name.insert(name, object);
    }

    fn remove(&mut self, name: &str) -> Option<T> {
        let object = self.by_name.remove(name)?;
        if let Some(owner) = object.owner()
            && let Some(names) = self.by_owner.get_mut(&owner.uid)
        {
            names.remove(name);
            if names.is_empty() {
                let uid = owner.uid.clone();
                self.by_owner.remove(&uid);
            }
        }
        Some(object)
    }

    fn of(&self, uid: &Arc<str>) -> impl Iterator<Item = &T> {
        self.by_owner
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|name| self.by_name.get(name))
    }
}

impl Child for Pod {
    fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }
}

impl Child for ReplicaSet {
    fn owner(&self) -> Option<&Owner> {
        Some(&self.owner)
    }
}

impl Child for ControllerRevision {
    fn owner(&self) -> Option<&Owner> {
        Some(&self.owner)
    }
}

#[cfg(test)]
mod tests;
