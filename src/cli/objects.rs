//! Workloads and Pods in the few facts that reports show.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::DynamicObject;
use kube::core::Selector;
use serde::{Deserialize, Serialize};

use super::name::{WorkloadName, lower};
use super::uses::Uses;
use crate::api::Projection;
use crate::api::names::SYNC_ANNOTATION;
use crate::api::projection::PodState;
use crate::core::project::pod_spec::PodTemplate;
use crate::core::project::reference::{SelfRefreshedKind, self_refreshing};
use crate::kinds::WorkloadKind;

/// What the kubelet refreshes itself in a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfRefreshing {
    /// The volume.
    pub volume: String,
    /// `downwardAPI`, `serviceAccountToken`, `clusterTrustBundle`, `podCertificate`.
    pub kind: &'static str,
    /// The containers that mount it.
    pub containers: Vec<String>,
}

/// A Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Which.
    pub name: WorkloadName,
    /// What its template projects; of one that can't be read, what its Projection says.
    pub uses: Vec<Uses>,
    /// What its template has that the kubelet refreshes itself.
    pub self_refreshing: Vec<SelfRefreshing>,
    /// `projsync.dev/sync`.
    pub sync: Option<String>,
    /// What Projsync says of it; `None` where it is not managed.
    pub projection: Option<Projection>,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// What it projects.
    pub uses: Vec<Uses>,
    /// Whether it counts.
    pub life: Life,
    /// When its containers started, init containers too, by the node's clock.
    pub starts: BTreeMap<String, Timestamp>,
}

/// Whose a Pod is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A workload's.
    Workload(WorkloadName),
    /// Of another kind, such as a Job.
    Other {
        /// `kind`.
        kind: String,
        /// `name`.
        name: String,
    },
    /// Nobody's.
    Nobody,
}

/// Where in its life a Pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Life {
    /// It runs, or will.
    Active,
    /// It is being deleted.
    Terminating,
    /// Its containers have ended.
    Finished,
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

// === impl Workload ===

impl Workload {
    /// From the object and, where it is managed, its Projection.
    #[must_use]
    pub fn new(kind: WorkloadKind, object: &DynamicObject, projection: Option<Projection>) -> Self {
        let template = object.data.pointer("/spec/template");
        let template = template
            .and_then(|template| PodTemplate::deserialize(template).ok())
            .unwrap_or_default();
        let uid = object.metadata.uid.as_deref();
        Self {
            name: WorkloadName {
                kind,
                name: object.metadata.name.clone().unwrap_or_default(),
            },
            uses: Uses::of(&template.spec),
            self_refreshing: self_refreshing(&template.spec)
                .into_iter()
                .map(|one| SelfRefreshing {
                    volume: one.volume.to_string(),
                    kind: self_refreshed_kind(one.kind),
                    containers: one.containers.iter().map(ToString::to_string).collect(),
                })
                .collect(),
            sync: annotation(object, SYNC_ANNOTATION),
            // One of a workload of the same name that is gone tells nothing of this one.
            projection: projection.filter(|p| Some(p.spec.workload.uid.as_str()) == uid),
        }
    }

    /// Where the object can't be seen.
    #[must_use]
    pub fn of_projection(projection: Projection) -> Self {
        let workload = &projection.spec.workload;
        let status = projection.status.as_ref();
        Self {
            name: WorkloadName {
                kind: workload.kind,
                name: workload.name.clone(),
            },
            uses: status
                .into_iter()
                .flat_map(|status| status.references.iter().map(Uses::from))
                .collect(),
            self_refreshing: Vec::new(),
            sync: None,
            projection: Some(projection),
        }
    }

    /// Whether Projsync remembers a roll of it.
    #[must_use]
    pub fn was_rolled(&self) -> bool {
        let status = self.projection.as_ref().and_then(|p| p.status.as_ref());
        status.is_some_and(|status| !status.rolls.is_empty())
    }

    /// A Pod of this workload, with what its Projection says of it.
    #[must_use]
    pub fn pod(&self, name: &str, life: Life) -> PodLine {
        let status = self.projection.as_ref().and_then(|p| p.status.as_ref());
        let named = status.and_then(|status| {
            let mut pods = status.pods.not_fresh.iter();
            pods.find(|pod| pod.name == name)
        });
        let all_named = status.is_some_and(|status| {
            let pods = &status.pods;
            let others = pods.stale + pods.refreshing + pods.unknown;
            pods.not_fresh.len() >= others as usize
        });
        let state = match (life, named) {
            (Life::Active, Some(pod)) => Some(pod.state),
            (Life::Active, None) if all_named => Some(PodState::Fresh),
            _ => None,
        };
        PodLine {
            name: name.to_owned(),
            state,
            life,
            reason: named
                .filter(|_| state.is_some())
                .map(|pod| pod.reason.clone())
                .unwrap_or_default(),
        }
    }

    /// Its Pods among these; where none can be seen, those that its Projection names.
    #[must_use]
    pub fn pods(&self, pods: Option<&[Pod]>) -> Vec<PodLine> {
        let owner = Owner::Workload(self.name.clone());
        match pods {
            Some(pods) => pods
                .iter()
                .filter(|pod| pod.owner == owner)
                .map(|pod| self.pod(&pod.name, pod.life))
                .collect(),
            None => {
                let status = self.projection.as_ref().and_then(|p| p.status.as_ref());
                status
                    .into_iter()
                    .flat_map(|status| &status.pods.not_fresh)
                    .map(|pod| self.pod(&pod.name, Life::Active))
                    .collect()
            }
        }
    }
}

/// The field's name in a volume.
fn self_refreshed_kind(kind: SelfRefreshedKind) -> &'static str {
    match kind {
        SelfRefreshedKind::DownwardApi => "downwardAPI",
        SelfRefreshedKind::ServiceAccountToken => "serviceAccountToken",
        SelfRefreshedKind::ClusterTrustBundle => "clusterTrustBundle",
        SelfRefreshedKind::PodCertificate => "podCertificate",
    }
}

/// An annotation of an object.
#[must_use]
pub fn annotation(object: &DynamicObject, name: &str) -> Option<String> {
    object.metadata.annotations.as_ref()?.get(name).cloned()
}

/// What selects a workload's Pods and revisions.
#[must_use]
pub fn selector(object: &DynamicObject) -> Option<Selector> {
    let selector = object.data.pointer("/spec/selector")?;
    Selector::try_from(LabelSelector::deserialize(selector).ok()?).ok()
}

// === impl Pod ===

impl Pod {
    /// From the object.
    #[must_use]
    pub fn new(object: &DynamicObject) -> Self {
        let template = PodTemplate::deserialize(&object.data).unwrap_or_default();
        let phase = object.data.pointer("/status/phase");
        let phase = phase.and_then(|phase| phase.as_str());
        let life = match (&object.metadata.deletion_timestamp, phase) {
            (Some(_), _) => Life::Terminating,
            (None, Some("Succeeded" | "Failed")) => Life::Finished,
            (None, _) => Life::Active,
        };
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            owner: owner(object),
            uses: Uses::of(&template.spec),
            life,
            starts: starts(object),
        }
    }
}

/// The last start of each container.
fn starts(pod: &DynamicObject) -> BTreeMap<String, Timestamp> {
    let lists = ["initContainerStatuses", "containerStatuses"];
    let statuses = lists
        .iter()
        .filter_map(|list| pod.data.pointer(&format!("/status/{list}")));
    let statuses = statuses.filter_map(|list| list.as_array()).flatten();
    statuses
        .filter_map(|status| {
            let state = &status["state"];
            let of = |state: &serde_json::Value| state["startedAt"].as_str()?.parse().ok();
            let start = of(&state["running"]).or_else(|| of(&state["terminated"]))?;
            Some((status["name"].as_str()?.to_owned(), start))
        })
        .collect()
}

/// The top owner of a Pod. A Deployment's ReplicaSet is named after it and the hash
/// that the Pod has as a label, so ReplicaSets needn't be read.
fn owner(pod: &DynamicObject) -> Owner {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    let Some(owner) = controller else {
        return Owner::Nobody;
    };
    let workload = |kind, name: &str| {
        let name = name.to_owned();
        Owner::Workload(WorkloadName { kind, name })
    };
    let apps = owner.api_version.starts_with("apps/");
    match owner.kind.as_str() {
        "StatefulSet" if apps => return workload(WorkloadKind::StatefulSet, &owner.name),
        "DaemonSet" if apps => return workload(WorkloadKind::DaemonSet, &owner.name),
        "ReplicaSet" if apps => {
            let labels = pod.metadata.labels.as_ref();
            let hash = labels.and_then(|labels| labels.get("pod-template-hash"));
            let deployment = hash
                .and_then(|hash| owner.name.strip_suffix(hash.as_str()))
                .and_then(|name| name.strip_suffix('-'));
            if let Some(deployment) = deployment {
                return workload(WorkloadKind::Deployment, deployment);
            }
        }
        _ => {}
    }
    Owner::Other {
        kind: owner.kind.clone(),
        name: owner.name.clone(),
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workload(name) => name.fmt(f),
            Self::Other { kind, name } => write!(f, "{}/{name}", lower(kind)),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}
