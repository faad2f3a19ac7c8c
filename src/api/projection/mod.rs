//! `Projection`: what a workload projects, what its Pods have, and what was decided.
//!
//! It is the operator's memory as well as its report: it holds everything that a restarted operator
//! must know to find the Pods with old content.

#![expect(
    clippy::duplicated_attributes,
    reason = "clippy takes the columns of a table for one attribute"
)]

mod decisions;
mod pods;
mod references;
mod rolls;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::limits::{MAX_MESSAGE, MAX_ROLLS};
use crate::api::names::projection_name;
use crate::api::rules::Rules;
use crate::api::schema;
use crate::kinds::{WorkloadId, WorkloadKind};

pub use decisions::{ContestedRecord, DecisionRecord, LastInSync, Outcome};
pub use pods::{PodRecord, PodStart, PodState, Pods};
pub use references::{ImmutableRecord, ReferenceRecord, Since, TimelineEntry};
pub use rolls::{RollRecord, RollState, TroubleRecord};

/// The workload that a Projection is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "projsync.dev",
    version = "v1alpha1",
    kind = "Projection",
    plural = "projections",
    namespaced,
    doc = "Report on one workload: what it projects, which content its Pods have, and what Projsync decided. Only Projsync writes it.",
    status = "ProjectionStatus",
    derive = "PartialEq",
    shortname = "proj",
    category = "projsync",
    printcolumn(
        name = "Workload",
        type_ = "string",
        json_path = ".status.summary.workload"
    ),
    printcolumn(
        name = "Sources",
        type_ = "integer",
        json_path = ".status.summary.sources",
        description = "ConfigMaps and Secrets that the workload projects"
    ),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.pods.total"),
    printcolumn(
        name = "Stale",
        type_ = "integer",
        json_path = ".status.pods.stale",
        description = "Pods whose process has old content"
    ),
    printcolumn(
        name = "Last Roll",
        type_ = "date",
        json_path = ".status.summary.lastRoll"
    ),
    printcolumn(name = "State", type_ = "string", json_path = ".status.summary.state"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.decision.reason"
    ),
    printcolumn(
        name = "Policy",
        type_ = "string",
        json_path = ".status.policy.name",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.decision.message",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionSpec {
    /// The workload, which is in the same namespace.
    pub workload: WorkloadRef,
}

/// Names one workload; the uid tells it from later ones of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadRef {
    /// Deployment, StatefulSet or DaemonSet.
    pub kind: WorkloadKind,
    /// `metadata.name`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// `metadata.uid`.
    #[schemars(length(max = 128))]
    pub uid: String,
}

/// What Projsync knows about the workload, and what it decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionStatus {
    /// `metadata.generation` of the workload that the status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The most important facts, for columns and dashboards.
    #[serde(default)]
    pub summary: Summary,

    /// The policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyInForce>,

    /// Hash of the workload's Pod template without Projsync's annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub template_hash: Option<String>,

    /// The Pods, counted by the content that they have.
    #[serde(default)]
    pub pods: Pods,

    /// The last decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionRecord>,

    /// The last rolls, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_ROLLS))]
    pub rolls: Vec<RollRecord>,

    /// Conditions. `InSync`: no Pod has old content. `StateKnown`: it is known which content
    /// each Pod started with. `StateStored`, if False: the Projection would be too large, and what is
    /// left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What the workload projects, with one entry for each source and class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceRecord>,

    /// Last time when all Pods had the current content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_in_sync: Option<LastInSync>,

    /// Starts of Pods whose time in whole seconds is not precise enough to order them against a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<PodStart>,

    /// Present if somebody else keeps removing the revision from the Pod template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<ContestedRecord>,
}

/// The most important facts, for columns and dashboards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Kind and name of the workload: `Deployment/web`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 300))]
    pub workload: String,

    /// Number of ConfigMaps and Secrets that it projects.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub sources: u32,

    /// State of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,

    /// Time of the last roll by Projsync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_roll: Option<Time>,
}

/// State of a workload.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum State {
    /// No Pod is outdated.
    InSync,
    /// Outdated Pods are being replaced.
    Rolling,
    /// Outdated Pods will be brought up to date at a known time.
    Waiting,
    /// Outdated Pods stay until somebody does something.
    Held,
    /// It is not known which content some Pods have.
    Unknown,
    /// Projsync does not manage the workload any more, and looks at none of its Pods.
    NotManaged,
}

/// The policy in force and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyInForce {
    /// Kind of the policy; absent if the defaults are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PolicyKind>,
    /// Name of the policy; absent if the defaults are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Why this policy is in force, as a sentence.
    #[schemars(length(max = MAX_MESSAGE))]
    pub why: String,
    /// Name of a ClusterSyncPolicy that stops all rolls of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub stopped_by: Option<String>,
    /// How outdated Pods are handled, and when.
    #[serde(flatten)]
    pub rules: Rules,
}

/// Kind of a policy: SyncPolicy or ClusterSyncPolicy.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum PolicyKind {
    /// A policy of the workload's own namespace.
    SyncPolicy,
    /// A policy of the cluster.
    ClusterSyncPolicy,
}

// === impl Projection ===

impl Projection {
    /// The workload that it is about; `None` if that has another Projection by its name, so that
    /// somebody else made this one.
    #[must_use]
    pub fn workload(&self) -> Option<WorkloadId> {
        let WorkloadRef { kind, name, .. } = &self.spec.workload;
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let own = projection_name(*kind, name);
        (self.metadata.name.as_deref() == Some(&*own))
            .then(|| WorkloadId::new(*kind, namespace, name.as_str()))
    }
}

// === impl PolicyKind ===

impl PolicyKind {
    /// The `kind` of the object, as the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SyncPolicy => "SyncPolicy",
            Self::ClusterSyncPolicy => "ClusterSyncPolicy",
        }
    }
}
