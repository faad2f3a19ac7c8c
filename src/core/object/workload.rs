//! What is known of a workload and of the objects that say which of its Pods
//! are of its current template.

use std::sync::Arc;

use crate::core::object::pod::Owner;
use crate::core::policy::Labels;
use crate::core::project::reference::Reference;
use crate::kinds::Rv;

/// One Deployment, StatefulSet or DaemonSet, in the few facts that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub rv: Option<Rv>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `metadata.labels`, for the selectors of policies.
    pub labels: Labels,
    /// `projsync.dev/sync` of the workload, or else of its Pod template.
    pub sync: Option<Arc<str>>,
    /// Identity of the Pod template.
    pub template: Template,
    /// What the Pod template projects.
    pub references: Arc<[Reference]>,
    /// Whether that is too much to be followed, so that there are no `references`.
    pub too_many_uses: bool,
    /// `spec.paused` (Deployment).
    pub paused: bool,
    /// How many Pods are wanted: `spec.replicas`, or `status.desiredNumberScheduled`.
    pub replicas: i64,
    /// How many Pods there are, as its controller says.
    pub counts: Counts,
    /// How its controller replaces Pods.
    pub update: Update,
    /// `status.updateRevision` (StatefulSet).
    pub update_revision: Option<Arc<str>>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Why its controller gave up on the rollout: the message of condition
    /// `Progressing` where that is False (Deployment).
    pub stuck: Option<Arc<str>>,
}

/// How many Pods a workload has, as the status tells that its controller wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `status.replicas`; 0 of a DaemonSet, which has none.
    pub replicas: i64,
    /// Those of the newest template: `status.updatedReplicas`, `status.updatedNumberScheduled`.
    pub updated: i64,
    /// Those ready for `minReadySeconds`: `status.availableReplicas`, `status.numberAvailable`.
    pub available: i64,
}

/// Identity of a Pod template, without `pod-template-hash` and our annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template {
    /// Hash of the rest of the template.
    pub hash: [u8; 16],
    /// `projsync.dev/revision` of the template.
    pub revision: Option<Arc<str>>,
}

/// How a workload's controller brings Pods to a new template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// By itself: Deployment (also `Recreate`), DaemonSet `RollingUpdate`.
    #[default]
    Automatic,
    /// StatefulSet `RollingUpdate`: Pods with an ordinal below `partition` stay;
    /// `ordered` (`podManagementPolicy: OrderedReady`) waits for each Pod.
    Ordinal {
        /// `spec.updateStrategy.rollingUpdate.partition`.
        partition: i64,
        /// Whether one Pod that is not Ready stops the others.
        ordered: bool,
    },
    /// `OnDelete`: when somebody deletes the Pod.
    OnDelete,
}

/// A ReplicaSet of a Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// Its Deployment.
    pub owner: Owner,
    /// Identity of its template.
    pub template: Template,
}

/// A ControllerRevision of a DaemonSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerRevision {
    /// The DaemonSet (or StatefulSet).
    pub owner: Owner,
    /// `revision`.
    pub revision: i64,
    /// Identity of the Pod template in its `data`, if that has one.
    pub template: Option<Template>,
    /// Label `controller-revision-hash`, which its Pods carry too.
    pub hash: Arc<str>,
}
