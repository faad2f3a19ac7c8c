//! `SyncPolicy` and `ClusterSyncPolicy`: which workloads are managed, and how.

#![expect(
    unreachable_pub,
    reason = "KubeSchema repeats each struct inside of a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::rollout::RolloutRules;
use crate::api::rules::Rules;
use crate::api::schema;
use crate::api::sources::Sources;
use crate::kinds::WorkloadKind;

/// Selects workloads by kind and label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workloads {
    /// Kinds of workload: Deployment, StatefulSet, DaemonSet. Default: all three.
    #[serde(default = "all_kinds")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub kinds: Vec<WorkloadKind>,

    /// Selects workloads by their own labels, not by those of their Pods. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// The fields that both kinds of policy have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCommon {
    /// Workloads to manage, by kind and label. Default: all.
    #[serde(default)]
    pub workloads: Workloads,

    /// ConfigMaps and Secrets that count, among those that the workloads project. Default: all.
    #[serde(default)]
    pub sources: Sources,

    /// How outdated Pods are handled, and when.
    #[serde(flatten)]
    pub rules: Rules,

    /// How a change goes out where several workloads project it. Default: to all at once. With `{}`:
    /// to one first; when that has been healthy for a minute, to a quarter of the others at a time; to
    /// nobody after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutRules>,

    /// If several policies of the same kind select a workload, the one with the highest priority
    /// is in force. If they are equal, it is the first by name.
    #[serde(default)]
    pub priority: i32,
}

/// A policy for workloads of its own namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "projsync.dev",
    version = "v1alpha1",
    kind = "SyncPolicy",
    plural = "syncpolicies",
    namespaced,
    doc = "Keeps the Pods of the workloads that it selects, in its own namespace, in step with the ConfigMaps and Secrets that they project.",
    status = "PolicyStatus",
    derive = "PartialEq",
    shortname = "syncpol",
    category = "projsync",
    validation = Rule::new(NAME_RULE).message(NAME_MESSAGE),
    printcolumn(name = "Strategy", type_ = "string", json_path = ".spec.strategy"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority", priority = 1),
    printcolumn(name = "Workloads", type_ = "integer", json_path = ".status.workloads", description = "Workloads that the policy is in force for"),
    printcolumn(name = "Stale", type_ = "integer", json_path = ".status.stalePods", description = "Pods of these workloads whose process has old content"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SyncPolicySpec {
    /// The fields that both kinds of policy have.
    #[serde(flatten)]
    pub common: PolicyCommon,
}

/// A policy for workloads of any namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "projsync.dev",
    version = "v1alpha1",
    kind = "ClusterSyncPolicy",
    plural = "clustersyncpolicies",
    doc = "Keeps the Pods of the workloads that it selects, in the namespaces that it selects, in step with the ConfigMaps and Secrets that they project. A SyncPolicy in the workload's own namespace comes first.",
    status = "PolicyStatus",
    derive = "PartialEq",
    shortname = "csyncpol",
    category = "projsync",
    validation = Rule::new(NAME_RULE).message(NAME_MESSAGE),
    printcolumn(name = "Strategy", type_ = "string", json_path = ".spec.strategy"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(name = "Stop", type_ = "boolean", json_path = ".spec.stop"),
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority", priority = 1),
    printcolumn(name = "Workloads", type_ = "integer", json_path = ".status.workloads", description = "Workloads that the policy is in force for"),
    printcolumn(name = "Stale", type_ = "integer", json_path = ".status.stalePods", description = "Pods of these workloads whose process has old content"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSyncPolicySpec {
    /// Namespaces by name. A namespace counts if this or `namespaceSelector` selects it. Default
    /// without both: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "namespaces")]
    pub namespaces: Vec<String>,

    /// Namespaces by label. A namespace counts if this or `namespaces` selects it. Default
    /// without both: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,

    /// If true, no workload that the policy selects is rolled, whatever policy is in force for it:
    /// a brake that no SyncPolicy and no annotation of a workload takes off. Such a policy has no
    /// workloads managed, and its other settings have no effect.
    #[serde(default)]
    pub stop: bool,

    /// The fields that both kinds of policy have.
    #[serde(flatten)]
    pub common: PolicyCommon,
}

/// Status of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// `metadata.generation` of the policy that the status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Number of workloads that the policy is in force for.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub workloads: u32,

    /// Number of workloads that the policy selects although another policy is in force for them.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub overridden: u32,

    /// Number of Pods of the workloads that the policy is in force for.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub pods: u32,

    /// Number of those Pods whose process has old content.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub stale_pods: u32,

    /// Conditions. `Accepted`: the policy is valid and in force, or the message says what is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Rule for names of policies: these values of the workload's annotation mean something else.
const NAME_RULE: &str = "!(self.metadata.name in ['true', 'false'])";
const NAME_MESSAGE: &str =
    "a policy can't be named true or false: projsync.dev/sync could not name it";

fn all_kinds() -> Vec<WorkloadKind> {
    WorkloadKind::all().collect()
}

fn namespaces(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 256,
        "x-kubernetes-list-type": "set",
        "items": schema::object_name(generator),
    })
}

// === impl Workloads ===

impl Default for Workloads {
    fn default() -> Self {
        Self {
            kinds: all_kinds(),
            selector: None,
        }
    }
}
