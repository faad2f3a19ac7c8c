//! The objects of a namespace, and the workloads that own its Pods.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::batch;
use k8s_openapi::api::core::v1;
use kube::core::Selector;
use serde::Serialize;

use super::name::{WorkloadName, lower};
use super::uses::{SelfRefreshing, Uses};
use crate::api::Projection;
use crate::api::projection::{PodState, ProjectionStatus, ReferenceRecord};
use crate::cluster::views::{AnyWorkload, Bad, Life, Shown};
use crate::core::index::Index;
use crate::core::object::{pod, workload};
use crate::kinds::{WorkloadId, WorkloadKind};

/// The objects of a namespace, as far as they could be read.
#[derive(Debug, Default)]
pub struct Objects {
    /// Its name.
    pub namespace: Arc<str>,
    /// The workloads.
    pub workloads: Vec<Workload>,
    /// The CronJobs.
    pub cron_jobs: Vec<CronJob>,
    /// The Pods by name; `None` without the right to see them.
    pub pods: Option<BTreeMap<Arc<str>, Pod>>,
    /// Revisions that the workloads' controllers keep.
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
    /// The object; an empty one without the right to see it.
    pub object: workload::Workload,
    /// Uses in its template, or in its Projection if the template can't be seen.
    pub uses: Vec<Uses>,
    /// Volumes in its template that the kubelet refreshes by itself.
    pub self_refreshing: Vec<SelfRefreshing>,
    /// Its Projection; `None` if it is not managed.
    pub projection: Option<Projection>,
}

/// A CronJob.
#[derive(Clone, Debug)]
pub struct CronJob {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// What its next run projects.
    pub uses: Vec<Uses>,
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

/// A revision kept by a workload's controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// `metadata.uid` of the workload.
    pub owner: Arc<str>,
    /// Hash of its Pod template without Projsync's annotation.
    pub template: [u8; 16],
    /// Whether it was an earlier revision too, before an undo.
    pub undone: bool,
    /// `projsync.dev/sync` of the workload while it was the newest.
    pub sync: Option<String>,
}

/// A Pod in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodLine {
    /// `metadata.name`.
    pub name: String,
    /// State of the Pod; `None` if it is not known to Projsync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PodState>,
    /// Whether it counts.
    pub life: Life,
    /// Whether it is of an older template than its workload's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub older: bool,
    /// Reason why it is not Fresh.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

// === impl Objects ===

impl Objects {
    /// Makes an empty collection.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            ..Self::default()
        }
    }

    /// Adds a workload with its Projection, if any, and returns the selector of its Pods.
    pub fn add_workload(
        &mut self,
        kind: WorkloadKind,
        shown: Shown<AnyWorkload>,
        projection: Option<Projection>,
    ) -> Option<Selector> {
        let (name, view, details) = self.usable(shown.open(&kind))?;
        let object = view.of(kind);
        let id = WorkloadId::new(kind, self.namespace.clone(), name.clone());
        self.index.apply_workload(&id, object.clone());
        self.workloads.push(Workload {
            name: WorkloadName::new(kind, &*name),
            uses: Uses::of(&details.spec),
            self_refreshing: SelfRefreshing::of(&details.spec),
            // A Projection of an earlier workload of the same name doesn't count.
            projection: projection.filter(|p| *p.spec.workload.uid == *object.uid),
            object,
        });
        details.selector
    }

    /// Adds a workload that can't be seen, by its Projection.
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
            let Some((name, Some(set), details)) = self.usable(shown.open(&())) else {
                continue;
            };
            self.revisions
                .extend(details.revision.map(|number| Revision {
                    number,
                    owner: set.owner.uid.clone(),
                    template: set.template.hash,
                    undone: details.undone,
                    sync: details.sync.clone(),
                }));
            let namespace = self.namespace.clone();
            self.index.apply_replica_set(&namespace, &name, set);
        }
    }

    /// Adds ControllerRevisions, to which StatefulSets and DaemonSets can be undone.
    pub fn add_controller_revisions(&mut self, listed: Vec<Shown<ControllerRevision>>) {
        for shown in listed {
            if let Some((_, Some(revision), _)) = self.usable(shown.open(&())) {
                self.revisions
                    .extend(revision.template.map(|template| Revision {
                        number: revision.revision,
                        owner: revision.owner.uid,
                        template: template.hash,
                        undone: false,
                        sync: None,
                    }));
            }
        }
    }

    /// Adds CronJobs.
    pub fn add_cron_jobs(&mut self, listed: Vec<Shown<batch::v1::CronJob>>) {
        for shown in listed {
            if let Some((name, (), details)) = self.usable(shown.open(&())) {
                let uses = Uses::of(&details.spec);
                self.cron_jobs.push(CronJob { name, uses });
            }
        }
    }

    /// Adds Pods.
    pub fn add_pods(&mut self, listed: Vec<Shown<v1::Pod>>) {
        let mut pods = self.pods.take().unwrap_or_default();
        for shown in listed {
            let Some((name, object, details)) = self.usable(shown.open(&())) else {
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

    /// Returns whether Projsync remembers a roll of a workload.
    #[must_use]
    pub fn was_rolled(&self) -> bool {
        let mut statuses = self.workloads.iter().filter_map(Workload::status);
        statuses.any(|status| !status.rolls.is_empty())
    }

    /// The Pods of a workload, or those that its Projection names if none can be seen.
    #[must_use]
    pub fn pods_of(&self, workload: &Workload) -> Vec<PodLine> {
        match &self.pods {
            Some(pods) => {
                let names = self.names_of(workload).into_iter();
                names
                    .filter_map(|(name, older)| {
                        Some(workload.pod(&name, pods.get(&name)?.life, older))
                    })
                    .collect()
            }
            None => {
                let named = workload.status().into_iter();
                named
                    .flat_map(|status| &status.pods.not_fresh)
                    .map(|pod| workload.pod(&pod.name, Life::Active, false))
                    .collect()
            }
        }
    }

    /// The Pods that no workload owns.
    pub fn other_pods(&self) -> impl Iterator<Item = &Pod> {
        let owned: BTreeSet<_> = self
            .workloads
            .iter()
            .flat_map(|workload| self.names_of(workload).into_keys())
            .collect();
        let pods = self.pods.iter().flatten();
        pods.filter(move |(name, _)| !owned.contains(*name))
            .map(|(_, pod)| pod)
    }

    /// The names of a workload's Pods, each with whether it is known to be of an older template.
    fn names_of(&self, workload: &Workload) -> BTreeMap<Arc<str>, bool> {
        let WorkloadName { kind, name } = &workload.name;
        let id = WorkloadId::new(*kind, self.namespace.clone(), &**name);
        let Some(view) = self.index.view(&id) else {
            return BTreeMap::new();
        };
        let pods = view.pods.into_iter();
        pods.map(|(pod, is_current)| (pod.name.clone(), view.observed && !is_current))
            .collect()
    }

    /// What a Pod of a workload projects: what its own spec says, where that is known.
    #[must_use]
    pub fn uses_of<'a>(&'a self, pod: &PodLine, workload: &'a Workload) -> &'a [Uses] {
        let pods = self.pods.as_ref();
        let pod = pods.and_then(|pods| pods.get(pod.name.as_str()));
        let own = pod.filter(|pod| pod.object.own.is_some());
        own.map_or(&workload.uses, |pod| &pod.uses)
    }
}

// === impl Workload ===

impl Workload {
    /// Status of its Projection.
    #[must_use]
    pub fn status(&self) -> Option<&ProjectionStatus> {
        self.projection.as_ref()?.status.as_ref()
    }

    /// The uses in its template, and what Projsync has found beyond it in its Pods.
    pub(super) fn all_uses(&self) -> impl Iterator<Item = Cow<'_, Uses>> {
        let records = self.status().into_iter().flat_map(|it| &it.references);
        let is_known = |record: &&ReferenceRecord| {
            let mut uses = self.uses.iter();
            uses.any(|uses| uses.is_of(record))
        };
        let beyond = records
            .filter(move |record| !is_known(record))
            .map(|record| Cow::Owned(Uses::from(record)));
        self.uses.iter().map(Cow::Borrowed).chain(beyond)
    }

    /// Projsync's record of these uses; `None` if they don't count.
    #[must_use]
    pub fn record(&self, uses: &Uses) -> Option<&ReferenceRecord> {
        let mut records = self.status()?.references.iter();
        records.find(|record| uses.is_of(record))
    }

    /// A Pod of this workload, with its state from the Projection.
    fn pod(&self, name: &str, life: Life, older: bool) -> PodLine {
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
            older,
            reason,
        }
    }
}

// === impl Pod ===

impl Pod {
    /// The owner in users' words (`job/migrate`), or the Pod itself if nobody owns it.
    #[must_use]
    pub fn owner(&self) -> String {
        match &self.object.owner {
            Some(owner) => format!("{}/{}", lower(&owner.kind), owner.name),
            None => format!("pod/{}", self.object.name),
        }
    }
}
