//! What the index tells.

use std::collections::HashSet;
use std::sync::Arc;

use crate::core::index::owned::Owned;
use crate::core::index::space::{Node, Space};
use crate::core::index::{Edges, Index, SourceName, WorkloadName};
use crate::core::object::pod::Pod;
use crate::core::object::source::Source;
use crate::core::object::workload::Workload;
use crate::core::policy::{PolicyId, Selected};
use crate::core::project::reference::Reference;
use crate::core::time::{Mono, ServerTime};
use crate::kinds::{Scope, SourceId, SourceKind, WorkloadId, WorkloadKind};

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
    /// A source that its policy leaves out, that no Pod starts without, and that doesn't exist;
    /// and when the operator learned that.
    pub absent: Option<(&'a SourceName, Mono)>,
}

impl View<'_> {
    /// The newest creation among the Pods that a list has shown, not an event.
    #[must_use]
    pub fn newest_listed(&self) -> Option<ServerTime> {
        let listed = self.pods.iter().filter(|(pod, _)| pod.start.rv.is_none());
        listed.map(|(pod, _)| pod.start.time).max()
    }
}

impl Index {
    /// A source, where it is known or referred to.
    #[must_use]
    pub fn source(&self, id: &SourceId) -> Option<&Source> {
        let name = (id.kind, id.name.clone());
        match &id.namespace {
            Some(namespace) => self.spaces.get(namespace)?.sources.get(&name),
            None => self.cluster.get(&name),
        }
    }

    /// The managed workloads that refer to a source.
    #[must_use]
    pub fn users(&self, id: &SourceId) -> Vec<WorkloadId> {
        let name = (id.kind, id.name.clone());
        let Some(namespace) = &id.namespace else {
            return self.cluster.users(&name).cloned().collect();
        };
        let space = self.spaces.get(namespace).into_iter();
        space
            .flat_map(|space| space.sources.users(&name))
            .map(|(kind, name)| WorkloadId::new(*kind, namespace.clone(), name.clone()))
            .collect()
    }

    /// A workload as a plan sees it.
    #[must_use]
    pub fn view(&self, id: &WorkloadId) -> Option<View<'_>> {
        let space = self.spaces.get(&id.namespace)?;
        let node = space.workloads.get(&(id.kind, id.name.clone()))?;
        let workload = &node.workload;
        let (pods, observed) = space.pods_of(id.kind, workload);
        Some(View {
            workload,
            selected: &node.selected,
            references: &node.references,
            pods,
            observed,
            absent: self.absent(space, node),
        })
    }

    /// The first of a workload's required sources, though left out by its policy, that doesn't
    /// exist.
    fn absent<'a>(&'a self, space: &'a Space, node: &'a Node) -> Option<(&'a SourceName, Mono)> {
        node.required.iter().find_map(|name| {
            let source = match name.0.api.scope {
                Scope::Namespace => space.sources.get(name),
                Scope::Cluster => self.cluster.get(name),
            };
            match source {
                Some(source) if source.meta.is_some() => None,
                source => Some((name, source.and_then(|it| it.gone).unwrap_or_default())),
            }
        })
    }

    /// How many references of a workload are acted on.
    #[must_use]
    pub fn reference_count(&self, id: &WorkloadId) -> usize {
        let space = self.spaces.get(&id.namespace);
        let node = space.and_then(|space| space.workloads.get(&(id.kind, id.name.clone())));
        node.map_or(0, |node| node.references.len())
    }

    /// Whether and how a workload is managed.
    #[must_use]
    pub fn selected(&self, id: &WorkloadId) -> Option<&Selected> {
        let space = self.spaces.get(&id.namespace)?;
        let node = space.workloads.get(&(id.kind, id.name.clone()))?;
        Some(&node.selected)
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
        let spaces = self.spaces.iter().flat_map(|(namespace, space)| {
            let used = space.sources.used();
            used.map(|((kind, name), _)| SourceId::new(*kind, namespace.clone(), name.clone()))
        });
        let cluster = self.cluster.used();
        spaces.chain(cluster.map(|((kind, name), _)| SourceId::new(*kind, "", name.clone())))
    }

    /// The sources of a kind that exist.
    pub fn sources(&self, kind: SourceKind) -> impl Iterator<Item = SourceId> {
        let spaces = self.spaces.iter().flat_map(|(namespace, space)| {
            let existing = space.sources.existing();
            existing.map(|(kind, name)| SourceId::new(*kind, namespace.clone(), name.clone()))
        });
        let cluster = self.cluster.existing();
        let cluster = cluster.map(|(kind, name)| SourceId::new(*kind, "", name.clone()));
        spaces.chain(cluster).filter(move |id| id.kind == kind)
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

    /// Every edge, forward (workload → source) and reverse, for tests.
    #[must_use]
    pub fn edges(&self) -> (Edges, Edges) {
        let mut forward = HashSet::new();
        let mut reverse = HashSet::new();
        for (namespace, space) in &self.spaces {
            let workload_id =
                |name: &WorkloadName| WorkloadId::new(name.0, namespace.clone(), name.1.clone());
            for (name, node) in &space.workloads {
                for (kind, source) in node.sources() {
                    let id = SourceId::new(*kind, namespace.clone(), source.clone());
                    forward.insert((workload_id(name), id));
                }
            }
            for ((kind, name), users) in space.sources.used() {
                let source = SourceId::new(*kind, namespace.clone(), name.clone());
                reverse.extend(users.iter().map(|user| (workload_id(user), source.clone())));
            }
        }
        for ((kind, name), users) in self.cluster.used() {
            let source = SourceId::new(*kind, "", name.clone());
            reverse.extend(users.iter().map(|user| (user.clone(), source.clone())));
        }
        (forward, reverse)
    }
}
