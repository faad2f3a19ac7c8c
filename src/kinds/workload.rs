//! The kinds of workload that can be rolled.

use super::{ApiType, CONTROLLER_REVISION, Kind, REPLICA_SET, Row, Scope};

/// A kind of workload that can be rolled: a top owner with a Pod template.
pub type WorkloadKind = Kind<WorkloadRow>;

/// What is known of a kind of workload.
#[derive(Debug)]
pub struct WorkloadRow {
    order: u16,
    /// Its API type.
    pub api: ApiType,
    /// Path of the Pod template in an object. The annotation that rolls a workload is
    /// written there.
    pub template: &'static [&'static str],
    /// How its Pods are tied to it.
    pub pods: Pods,
    /// How many Pods it wants.
    pub wanted: Wanted,
    /// Whether its Pods have ordinals, of which the highest is replaced first.
    pub ordinals: bool,
}

/// How the Pods of a workload are tied to it, and which of them are of its current template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods {
    /// ReplicaSets own the Pods. The Pods of the ReplicaSet with the workload's template are current.
    ReplicaSets,
    /// The workload owns the Pods. The Pods with the hash that its `status.updateRevision` names
    /// are current.
    UpdateRevision,
    /// The workload owns the Pods. The Pods with the hash of its newest ControllerRevision with its
    /// template are current.
    NewestRevision,
}

/// Where a workload says how many Pods it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `spec.replicas`, 1 unless given.
    Replicas,
    /// `status.desiredNumberScheduled`: one a node.
    Nodes,
}

impl WorkloadKind {
    /// `apps/v1 Deployment`.
    pub const DEPLOYMENT: Self = Kind::new(&WorkloadRow {
        order: 0,
        api: ApiType {
            group: "apps",
            version: "v1",
            kind: "Deployment",
            plural: "deployments",
            short_names: &["deploy"],
            scope: Scope::Namespace,
        },
        template: &["spec", "template"],
        pods: Pods::ReplicaSets,
        wanted: Wanted::Replicas,
        ordinals: false,
    });

    /// `apps/v1 StatefulSet`.
    pub const STATEFUL_SET: Self = Kind::new(&WorkloadRow {
        order: 1,
        api: ApiType {
            group: "apps",
            version: "v1",
            kind: "StatefulSet",
            plural: "statefulsets",
            short_names: &["sts"],
            scope: Scope::Namespace,
        },
        template: &["spec", "template"],
        pods: Pods::UpdateRevision,
        wanted: Wanted::Replicas,
        ordinals: true,
    });

    /// `apps/v1 DaemonSet`.
    pub const DAEMON_SET: Self = Kind::new(&WorkloadRow {
        order: 2,
        api: ApiType {
            group: "apps",
            version: "v1",
            kind: "DaemonSet",
            plural: "daemonsets",
            short_names: &["ds"],
            scope: Scope::Namespace,
        },
        template: &["spec", "template"],
        pods: Pods::NewestRevision,
        wanted: Wanted::Nodes,
        ordinals: false,
    });
}

impl WorkloadRow {
    /// In what its controller keeps earlier templates.
    #[must_use]
    pub fn revisions(&self) -> &'static ApiType {
        match self.pods {
            Pods::ReplicaSets => &REPLICA_SET,
            Pods::UpdateRevision | Pods::NewestRevision => &CONTROLLER_REVISION,
        }
    }
}

impl Row for WorkloadRow {
    const SCHEMA: &'static str = "WorkloadKind";
    const DESCRIPTION: &'static str =
        "The kinds of workload that can be rolled: the top owners with a Pod template.";
    const ALL: &'static [WorkloadKind] = &[
        WorkloadKind::DEPLOYMENT,
        WorkloadKind::STATEFUL_SET,
        WorkloadKind::DAEMON_SET,
    ];

    fn order(&self) -> u16 {
        self.order
    }

    fn api(&self) -> &ApiType {
        &self.api
    }
}
