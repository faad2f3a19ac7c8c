//! `SyncRollout`: where the changes of one source stand, and what people say about them.
//!
//! The spec belongs to people, the status to the operator.

#![expect(
    unreachable_pub,
    clippy::duplicated_attributes,
    reason = "KubeSchema repeats each struct inside of a function; clippy takes the columns of a table for one attribute"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::limits::{MAX_IGNORED, MAX_KEYS, MAX_LANES, MAX_MESSAGE, MAX_SKIPPED, MAX_WAVES};
use crate::api::names::rollout_name;
use crate::api::schema;
use crate::kinds::{SourceId, SourceKind};

/// The source, and what people say about its changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "projsync.dev",
    version = "v1alpha1",
    kind = "SyncRollout",
    plural = "syncrollouts",
    namespaced,
    doc = "Where the changes of one ConfigMap or Secret stand, and what people say about them. People write the spec, Projsync the status.",
    status = "SyncRolloutStatus",
    derive = "PartialEq",
    shortname = "sroll",
    category = "projsync",
    printcolumn(
        name = "Source",
        type_ = "string",
        json_path = ".status.summary.source"
    ),
    printcolumn(name = "State", type_ = "string", json_path = ".status.summary.state"),
    printcolumn(
        name = "Rolled",
        type_ = "string",
        json_path = ".status.summary.rolled"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.summary.message"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct SyncRolloutSpec {
    /// The ConfigMap or Secret, which is in the same namespace. It can't be changed.
    #[x_kube(validation = ("self == oldSelf", "the source can't be changed"))]
    pub source: RolloutSource,

    /// If true, nobody is rolled for the source until it is false again.
    #[serde(default)]
    pub paused: bool,

    /// The change that may go on to waves which need approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,

    /// The change that everybody is to have at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_now: Option<RollNow>,

    /// Workloads whose failures with a change stop nobody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_IGNORED))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ignored: Vec<Ignored>,
}

/// Names one ConfigMap or Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSource {
    /// ConfigMap or Secret.
    pub kind: SourceKind,
    /// `metadata.name`.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// Lets one change go on to waves that need approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// `metadata.resourceVersion` of the source with the change, as `status.change` has it.
    #[schemars(length(min = 1, max = 64))]
    pub change: String,
    /// Last wave that it may reach. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub through: Option<String>,
    /// Name of the user who says so.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
}

/// Lets one change out to everybody at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollNow {
    /// `metadata.resourceVersion` of the source with the change, as `status.change` has it.
    #[schemars(length(min = 1, max = 64))]
    pub change: String,
    /// Name of the user who says so.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
}

/// Makes the failures of one workload with one change stop nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// Kind and name of the workload: `Deployment/web`.
    #[schemars(length(min = 1, max = 300))]
    pub workload: String,
    /// `metadata.resourceVersion` of the source with the change, as `status.change` has it.
    #[schemars(length(min = 1, max = 64))]
    pub change: String,
    /// Name of the user who says so.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
}

/// Where the changes of the source stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncRolloutStatus {
    /// `metadata.resourceVersion` of the source with its newest change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub change: Option<String>,
    /// Keys that the change concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_KEYS), inner(length(max = 253)))]
    pub keys: Vec<String>,
    /// Time of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub since: Option<Time>,
    /// The workloads, counted by where they stand.
    #[serde(default)]
    pub workloads: WorkloadCounts,
    /// Policies whose workloads go in an order of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_LANES))]
    pub lanes: Vec<Lane>,
    /// Pods that took the change when they restarted by themselves.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub restarted_themselves: u32,
    /// Why nobody else gets the change, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// The newest change for which an approval counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub accepted: Option<String>,
    /// Workloads for which nobody waits: the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_SKIPPED))]
    pub skipped: Vec<Skipped>,
    /// Conditions. `Progressing`: workloads still get the change. `Halted`: it was stopped
    /// because a workload failed with it. `Complete`: all have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The most important facts, for columns.
    #[serde(default)]
    pub summary: RolloutSummary,
}

/// Workloads that project what changed, counted by where they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadCounts {
    /// All of them.
    #[schemars(schema_with = "schema::count")]
    pub total: u32,
    /// Those that wait to be rolled.
    #[schemars(schema_with = "schema::count")]
    pub pending: u32,
    /// Those whose Pods are being replaced.
    #[schemars(schema_with = "schema::count")]
    pub rolling: u32,
    /// Those that have to stay healthy for a while yet.
    #[schemars(schema_with = "schema::count")]
    pub soaking: u32,
    /// Those that have the change.
    #[schemars(schema_with = "schema::count")]
    pub done: u32,
    /// Those that fail with it.
    #[schemars(schema_with = "schema::count")]
    pub failed: u32,
    /// Those whose roll does not go on.
    #[schemars(schema_with = "schema::count")]
    pub stuck: u32,
    /// Those for which nobody waits.
    #[schemars(schema_with = "schema::count")]
    pub skipped: u32,
}

/// Workloads that go by one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// Kind and name of the policy that gives the order; absent for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub policy: Option<String>,
    /// The waves, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_WAVES))]
    pub waves: Vec<WaveCounts>,
}

/// Workloads of one wave, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveCounts {
    /// Name of the wave.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// All of them.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub total: u32,
    /// Those that stayed healthy with the change.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub proven: u32,
    /// Those that fail with it.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub failed: u32,
}

/// Why nobody else gets a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// `metadata.resourceVersion` of the source with the change.
    #[schemars(length(max = 64))]
    pub change: String,
    /// Kind and name of the workload that fails.
    #[schemars(length(max = 300))]
    pub workload: String,
    /// Pod that fails, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod: Option<String>,
    /// Reason as a constant, such as `CrashLoopBackOff`.
    #[schemars(length(max = MAX_MESSAGE))]
    pub reason: String,
    /// Time since which it is so.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
}

/// A workload for which nobody waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Kind and name of the workload.
    #[schemars(length(max = 300))]
    pub workload: String,
    /// Reason as a constant, such as `Paused`.
    #[schemars(length(max = MAX_MESSAGE))]
    pub reason: String,
}

/// The most important facts, for columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutSummary {
    /// Kind and name of the source: `ConfigMap/app`.
    #[schemars(length(max = 300))]
    pub source: String,
    /// Where it stands, in a word.
    #[schemars(length(max = 64))]
    pub state: String,
    /// Workloads that have the change, of all: `12/40`.
    #[schemars(length(max = 32))]
    pub rolled: String,
    /// What happens, what comes next, and who has to do something.
    #[schemars(length(max = MAX_MESSAGE))]
    pub message: String,
}

// === impl SyncRollout ===

impl SyncRollout {
    /// The source that it is about; `None` if that has another SyncRollout by its name.
    #[must_use]
    pub fn source(&self) -> Option<SourceId> {
        let RolloutSource { kind, name } = &self.spec.source;
        let namespace = self.metadata.namespace.as_deref().unwrap_or_default();
        let own = rollout_name(*kind, name);
        (self.metadata.name.as_deref() == Some(&*own))
            .then(|| SourceId::new(*kind, namespace, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;

    use super::*;

    #[test]
    fn the_source_is_fixed_and_every_list_and_name_is_bounded() {
        let crd = serde_json::to_value(SyncRollout::crd()).expect("JSON");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let source = &schema["spec"]["properties"]["source"];
        assert_eq!(
            source["x-kubernetes-validations"][0]["rule"],
            "self == oldSelf"
        );
        assert_bounded(schema, "");
    }

    /// Fails at a list or string under `schema` that may be of any length.
    fn assert_bounded(schema: &serde_json::Value, path: &str) {
        let has = |bound| schema.get(bound).is_some();
        match schema["type"].as_str() {
            Some("array") => assert!(has("maxItems"), "{path}"),
            Some("string") => assert!(has("maxLength") || has("enum") || has("format"), "{path}"),
            _ => {}
        }
        for (name, below) in schema.as_object().into_iter().flatten() {
            assert_bounded(below, &format!("{path}/{name}"));
        }
    }
}
