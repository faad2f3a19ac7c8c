//! `Projection`: what a workload projects, what its Pods have, and what was decided.
//!
//! It is the operator's memory as well as its report: what a restarted operator must know
//! to tell which Pods have old content is all in here.

#![expect(
    clippy::duplicated_attributes,
    reason = "clippy takes the columns of a table for one attribute"
)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::policy::Strategy;
use crate::api::schema;
use crate::kinds::Class;
use crate::kinds::{SourceKind, WorkloadKind};

/// The most keys of a reference that are listed, and whose digests are kept.
pub const MAX_KEYS: usize = 64;

/// The most contents that a timeline keeps.
pub const MAX_TIMELINE: usize = 8;

/// The most keys that an entry of a timeline names as changed.
pub const MAX_CHANGED: usize = 10;

/// The most Pods that are named as not Fresh.
pub const MAX_NOT_FRESH: usize = 10;

/// The most rolls that are remembered.
pub const MAX_ROLLS: usize = 5;

/// The workload that a Projection is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "projsync.dev",
    version = "v1alpha1",
    kind = "Projection",
    plural = "projections",
    namespaced,
    doc = "What a workload projects, what its Pods have of it, and what Projsync decided. Written by Projsync alone.",
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
        description = "ConfigMaps and Secrets that it projects"
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
    /// The workload, in the same namespace.
    pub workload: WorkloadRef,
}

/// One workload, and not another of the same name.
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

/// What is known, and what was decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionStatus {
    /// The workload's `metadata.generation` that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The most important things, for columns and dashboards.
    #[serde(default)]
    pub summary: Summary,

    /// The policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyInForce>,

    /// A hash of the workload's Pod template, without the annotation of Projsync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub template_hash: Option<String>,

    /// The Pods by what they have.
    #[serde(default)]
    pub pods: Pods,

    /// What was decided last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionRecord>,

    /// The last rolls, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_ROLLS))]
    pub rolls: Vec<RollRecord>,

    /// `InSync`: whether no Pod has old content. `StateKnown`: whether what each Pod
    /// started with can be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// What the workload projects: one entry for each source and class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceRecord>,

    /// When all Pods last had the current content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_in_sync: Option<LastInSync>,

    /// Starts of Pods that a time in whole seconds can't order against a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<PodStart>,

    /// That somebody else keeps removing the revision from the Pod template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contested: Option<ContestedRecord>,
}

/// The most important things, for columns and dashboards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Kind and name of the workload: `Deployment/web`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 300))]
    pub workload: String,

    /// How many ConfigMaps and Secrets it projects.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub sources: u32,

    /// Where things stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,

    /// When Projsync last rolled the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub last_roll: Option<Time>,
}

/// Where things stand with a workload.
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
    /// What some Pods have can't be told.
    Unknown,
}

/// The policy in force, and what it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyInForce {
    /// SyncPolicy or ClusterSyncPolicy; absent where the defaults are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PolicyKind>,
    /// Its name; absent where the defaults are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Why it is the one, in a sentence.
    #[schemars(length(max = 1024))]
    pub why: String,
    /// How Pods are brought up to date.
    pub strategy: Strategy,
    /// How long edits are collected into one roll.
    pub settle: Duration,
    /// The least time between two rolls.
    pub min_interval: Duration,
    /// Whether nothing is rolled for now.
    pub suspend: bool,
}

/// The kinds of policy.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum PolicyKind {
    /// Of the workload's own namespace.
    SyncPolicy,
    /// Of the cluster.
    ClusterSyncPolicy,
}

/// All uses of one source and one class: what is projected, and what it was when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceRecord {
    /// ConfigMap or Secret.
    pub kind: SourceKind,
    /// Its name, in the workload's namespace.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Live: the kubelet refreshes it in running containers. Frozen: fixed when a
    /// container starts.
    pub class: Class,
    /// In which ways it is used: `env`, `envFrom`, `projected`, `volume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 32)))]
    pub uses: Vec<String>,
    /// Whether Pods start without it, or without a key of it.
    #[serde(default)]
    pub optional: bool,
    /// The projected keys, up to 64 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_KEYS), inner(length(max = 253)))]
    pub keys: Vec<String>,
    /// How many keys are projected.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub keys_total: u32,
    /// Whether the source, or a key that is required, does not exist now.
    #[serde(default)]
    pub missing: bool,
    /// A hash of the uses: where it differs the reference is another.
    #[schemars(length(max = 128))]
    pub fingerprint: String,
    /// `metadata.uid` of the source as last read; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub source_uid: Option<String>,
    /// `metadata.resourceVersion` of the source up to which its content is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_resource_version: Option<String>,
    /// Digests of the projected keys, up to 64 of them, so that the keys that changed can
    /// be named after a restart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "digests", extend("maxProperties" = MAX_KEYS))]
    pub key_digests: BTreeMap<String, String>,
    /// The last contents, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_TIMELINE))]
    pub timeline: Vec<TimelineEntry>,
    /// Whether Pods older than the first entry are Unknown rather than outdated: what was
    /// before it is not known.
    #[serde(default)]
    pub open: bool,
    /// What nodes may go on giving to Pods, as the source was immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<ImmutableRecord>,
}

/// What an immutable source held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImmutableRecord {
    /// Its `metadata.uid`.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// The digest of what was projected of it.
    #[schemars(length(max = 128))]
    pub digest: String,
}

/// A content, and since when it was in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// The content's digest; absent for a content that was never read and equals nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub digest: Option<String>,
    /// Whether nothing is known of the span that begins here: it may hide an edit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// Since when.
    pub since: Since,
    /// Whether the source, or a required key of it, did not exist: no Pod could start.
    #[serde(default)]
    pub missing: bool,
    /// The keys that changed from the entry before, up to 10 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CHANGED), inner(length(max = 253)))]
    pub changed: Vec<String>,
}

/// Since when a content was in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// `metadata.resourceVersion` of the source that brought the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub resource_version: Option<String>,
    /// Whether that version is known to be the first with this content.
    #[serde(default)]
    pub exact: bool,
    /// The API server's time, for where a side has no resourceVersion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
}

/// How many Pods have what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pods {
    /// All that are neither finished nor being deleted.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub total: u32,
    /// Those that have the current content.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub fresh: u32,
    /// Those whose process has old content.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub stale: u32,
    /// Those whose files the kubelet is about to refresh.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub refreshing: u32,
    /// Those of which it can't be told.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub unknown: u32,
    /// The first ten that are not Fresh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NOT_FRESH))]
    pub not_fresh: Vec<PodRecord>,
}

/// A Pod that is not Fresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRecord {
    /// `metadata.name`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What it has.
    pub state: PodState,
    /// Why, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// What a Pod has of the content that its workload projects.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum PodState {
    /// The current content.
    Fresh,
    /// Old content in its files, which the kubelet is about to refresh.
    Refreshing,
    /// Old content in its process.
    Stale,
    /// It can't be told.
    Unknown,
}

/// Where a Pod's start lies among all changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodStart {
    /// `metadata.uid`.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// `metadata.resourceVersion` at its creation.
    #[schemars(length(max = 64))]
    pub resource_version: String,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// What is done.
    pub outcome: Outcome,
    /// Why, as a constant.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, in a sentence.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Since when this has been so.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,
    /// When something will be done, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub until: Option<Time>,
}

/// What a decision comes to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Outcome {
    /// There is nothing to do.
    Nothing,
    /// The workload is rolled.
    Roll,
    /// It will be looked at again at a known time.
    Wait,
    /// Something else must happen first.
    Hold,
}

/// When all Pods last had the current content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastInSync {
    /// The API server's time before which every change had been seen.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// The content of each reference then: its fingerprint, and the digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "digests")]
    pub digests: BTreeMap<String, String>,
}

/// A roll that Projsync made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollRecord {
    /// The value of `projsync.dev/revision` that was set.
    #[schemars(length(max = 128))]
    pub revision: String,
    /// When.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// The highest resourceVersion among the contents that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub resource_version: Option<String>,
    /// What caused it: `ConfigMap/app: key1, key2`, one entry a source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 1024)))]
    pub causes: Vec<String>,
}

/// That somebody else keeps removing the revision from the Pod template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContestedRecord {
    /// The revision that was removed.
    #[schemars(length(max = 128))]
    pub revision: String,
    /// How often.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub removals: u32,
}

fn digests(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string", "maxLength": 128 },
    })
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
