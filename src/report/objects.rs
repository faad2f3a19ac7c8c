//! What was read of a namespace, and whose Pods are whose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1;
use kube::core::Selector;
use serde::Serialize;

use super::name::{WorkloadName, lower};
use super::uses::{SelfRefreshing, Uses};
use crate::api::Projection;
use crate::api::projection::{PodState, ProjectionStatus, ReferenceRecord};
use crate::cluster::views::{Bad, Life, Shown, Slim};
use crate::core::index::Index;
use crate::core::object::{pod, workload};
use crate::kinds::{WorkloadId, WorkloadKind};

/// A namespace as far as it was read.
#[derive(Debug, Default)]
pub struct Objects {
    /// Its name.
    pub namespace: Arc<str>,
    /// The workloads.
    pub workloads: Vec<Workload>,
    /// The Pods by name; `None` where one may not see them.
    pub pods: Option<BTreeMap<Arc<str>, Pod>>,
    /// What the controllers of the workloads keep.
    pub revisions: Vec<Revision>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
    index: Index,
}

/// A Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Which.
    pub name: WorkloadName,
    /// The object; a bare one where one may not see it.
    pub object: workload::Workload,
    /// What its template projects; of one that can't be seen, what its Projection says.
    pub uses: Vec<Uses>,
    /// What its template has that the kubelet refreshes itself.
    pub self_refreshing: Vec<SelfRefreshing>,
    /// What Projsync says of it; `None` where it is not managed.
    pub projection: Option<Projection>,
}

/// A Pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Its owner and the starts of its containers.
    pub object: pod::Pod,
    /// What it projects.
    pub uses: Vec<Uses>,
    /// Whether it counts.
    pub life: Life,
}

/// A revision that a workload's controller keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// `metadata.uid` of the workload.
    pub owner: Arc<str>,
    /// Hash of its Pod template without our annotation.
    pub template: [u8; 16],
}

/// A Pod in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodLine {
    /// `metadata.name`.
    pub name: String,
    /// What it has; `None` where Projsync doesn't say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PodState>,
    /// Whether it counts.
    pub life: Life,
    /// Why it is not Fresh.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

// === impl Objects ===

impl Objects {
    /// Nothing yet.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            ..Self::default()
        }
    }

    /// Adds a workload, with its Projection where it has one, and tells what selects its Pods.
    pub fn add_workload<K: Slim<Object = workload::Workload>>(
        &mut self,
        kind: WorkloadKind,
        shown: Shown<K>,
        projection: Option<Projection>,
    ) -> Option<Selector> {
        let (name, object, details) = self.usable(shown.open())?;
        let id = WorkloadId::new(kind, self.namespace.clone(), name.clone());
        self.index.apply_workload(&id, object.clone());
        self.workloads.push(Workload {
            name: WorkloadName::new(kind, &*name),
            uses: Uses::of(&details.spec),
            self_refreshing: SelfRefreshing::of(&details.spec),
            // That of a workload of the same name that is gone tells nothing of this one.
            projection: projection.filter(|p| *p.spec.workload.uid == *object.uid),
            object,
        });
        details.selector
    }

    /// Adds a workload that can't be seen itself.
    pub fn add_projection(&mut self, projection: Projection) {
        let workload = &projection.spec.workload;
        let references = projection.status.iter().flat_map(|s| &s.references);
        self.workloads.push(Workload {
            name: WorkloadName::new(workload.kind, &*workload.name),
            object: workload::Workload::default(),
            uses: references.map(Uses::from).collect(),
            self_refreshing: Vec::new(),
            projection: Some(projection),
        });
    }

    /// Adds ReplicaSets, which tie Pods to Deployments.
    pub fn add_replica_sets(&mut self, listed: Vec<Shown<ReplicaSet>>) {
        for shown in listed {
            let Some((name, Some(set), details)) = self.usable(shown.open()) else {
                continue;
            };
            self.revisions
                .extend(details.revision.map(|number| Revision {
                    number,
                    owner: set.owner.uid.clone(),
                    template: set.template.hash,
                }));
            let namespace = self.namespace.clone();
            self.index.apply_replica_set(&namespace, &name, set);
        }
    }

    /// Adds ControllerRevisions, to which StatefulSets and DaemonSets can be undone.
    pub fn add_controller_revisions(&mut self, listed: Vec<Shown<ControllerRevision>>) {
        for shown in listed {
            if let Some((_, Some(revision), _)) = self.usable(shown.open()) {
                self.revisions
                    .extend(revision.template.map(|template| Revision {
                        number: revision.revision,
                        owner: revision.owner.uid,
                        template: template.hash,
                    }));
            }
        }
    }

    /// Adds Pods.
    pub fn add_pods(&mut self, listed: Vec<Shown<v1::Pod>>) {
        let mut pods = self.pods.take().unwrap_or_default();
        for shown in listed {
            let Some((name, object, details)) = self.usable(shown.open()) else {
                continue;
            };
            let namespace = self.namespace.clone();
            self.index.apply_pod(&namespace, object.clone());
            let pod = Pod {
                object,
                uses: Uses::of(&details.spec),
                life: details.life,
            };
            pods.insert(name, pod);
        }
        self.pods = Some(pods);
    }

    fn usable<T>(&mut self, object: Result<T, Bad>) -> Option<T> {
        object
            .map_err(|bad| self.notes.push(format!("an object is left out: {bad}")))
            .ok()
    }

    /// Whether Projsync remembers a roll of a workload.
    #[must_use]
    pub fn was_rolled(&self) -> bool {
        let mut statuses = self.workloads.iter().filter_map(Workload::status);
        statuses.any(|status| !status.rolls.is_empty())
    }

    /// The Pods of a workload; where none can be seen, those that its Projection names.
    #[must_use]
    pub fn pods_of(&self, workload: &Workload) -> Vec<PodLine> {
        match &self.pods {
            Some(pods) => {
                let names = self.names_of(workload).into_iter();
                names
                    .filter_map(|name| Some(workload.pod(&name, pods.get(&name)?.life)))
                    .collect()
            }
            None => {
                let named = workload.status().into_iter();
                named
                    .flat_map(|status| &status.pods.not_fresh)
                    .map(|pod| workload.pod(&pod.name, Life::Active))
                    .collect()
            }
        }
    }

    /// The Pods that no workload owns.
    pub fn other_pods(&self) -> impl Iterator<Item = &Pod> {
        let owned: BTreeSet<_> = self
            .workloads
            .iter()
            .flat_map(|workload| self.names_of(workload))
            .collect();
        let pods = self.pods.iter().flatten();
        pods.filter(move |(name, _)| !owned.contains(*name))
            .map(|(_, pod)| pod)
    }

    fn names_of(&self, workload: &Workload) -> BTreeSet<Arc<str>> {
        let WorkloadName { kind, name } = &workload.name;
        let id = WorkloadId::new(*kind, self.namespace.clone(), &**name);
        let view = self.index.view(&id).into_iter();
        view.flat_map(|view| view.pods)
            .map(|(pod, _)| pod.name.clone())
            .collect()
    }
}

// === impl Workload ===

impl Workload {
    /// What Projsync has written of it.
    #[must_use]
    pub fn status(&self) -> Option<&ProjectionStatus> {
        self.projection.as_ref()?.status.as_ref()
    }

    /// What Projsync knows of these uses; `None` where it doesn't count them.
    #[must_use]
    pub fn record(&self, uses: &Uses) -> Option<&ReferenceRecord> {
        self.status()?.references.iter().find(|record| {
            record.kind == uses.source.kind
                && record.name == uses.source.name
                && record.class == uses.class
        })
    }

    /// A Pod of this workload, with what its Projection says of it.
    fn pod(&self, name: &str, life: Life) -> PodLine {
        let pods = self.status().map(|status| &status.pods);
        let named = pods.and_then(|pods| pods.not_fresh.iter().find(|pod| pod.name == name));
        let all_named = pods.is_some_and(|pods| {
            pods.not_fresh.len() >= (pods.stale + pods.refreshing + pods.unknown) as usize
        });
        let (state, reason) = match (life, named) {
            (Life::Active, Some(pod)) => (Some(pod.state), pod.reason.clone()),
            (Life::Active, None) if all_named => (Some(PodState::Fresh), String::new()),
            _ => (None, String::new()),
        };
        PodLine {
            name: name.to_owned(),
            state,
            life,
            reason,
        }
    }
}

// === impl Pod ===

impl Pod {
    /// The owner as users name it (`job/migrate`), or the Pod itself where nobody owns it.
    #[must_use]
    pub fn owner(&self) -> String {
        match &self.object.owner {
            Some(owner) => format!("{}/{}", lower(&owner.kind), owner.name),
            None => format!("pod/{}", self.object.name),
        }
    }
}
