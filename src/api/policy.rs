//! `SyncPolicy` and `ClusterSyncPolicy`: which workloads are managed, and how.

#![expect(
    unreachable_pub,
    reason = "KubeSchema repeats each struct inside of a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::schema;
use crate::kinds::{SourceKind, WorkloadKind};

/// `settle` where a policy doesn't say.
pub const DEFAULT_SETTLE: Duration = Duration::from_secs(2);

/// The longest `settle`.
pub const MAX_SETTLE: Duration = Duration::from_secs(10 * 60);

/// `minInterval` where a policy doesn't say.
pub const DEFAULT_MIN_INTERVAL: Duration = Duration::from_secs(30);

/// The longest `minInterval`.
pub const MAX_MIN_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How Pods are brought up to date.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Strategy {
    /// Roll the workload.
    #[default]
    Rollout,
    /// Only report.
    Observe,
}

/// Which workloads, by kind and label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workloads {
    /// The kinds of workload: Deployment, StatefulSet, DaemonSet. All three unless named.
    #[serde(default = "all_kinds")]
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub kinds: Vec<WorkloadKind>,

    /// Selects workloads by their own labels (not their Pods'). All unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

/// Names some sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.kind) || has(self.name)", "kind or name must be given"))]
pub struct SourceRule {
    /// ConfigMap or Secret. Both unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<SourceKind>,

    /// A pattern that the whole name must match: `*` stands for any text, `?` for one
    /// character, `[a-c]` for one of several, `{a,b}` for either. Every name unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
}

/// Which sources count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sources {
    /// A source counts if one of these names it. Every source unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub include: Vec<SourceRule>,

    /// A source that one of these names doesn't count, whatever `include` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub exclude: Vec<SourceRule>,
}

/// What the two kinds of policy have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCommon {
    /// Which workloads, by kind and label. All unless given.
    #[serde(default)]
    pub workloads: Workloads,

    /// Which of the ConfigMaps and Secrets that they project count. All unless given.
    #[serde(default)]
    pub sources: Sources,

    /// How Pods are brought up to date. Rollout: roll their workload. Observe: only report.
    #[serde(default)]
    pub strategy: Strategy,

    /// How long edits are collected into one roll, from the first edit: 0s to 10m.
    #[serde(default = "default_settle")]
    #[x_kube(validation = (
        "duration(self) >= duration('0s') && duration(self) <= duration('10m')",
        "settle must be between 0s and 10m"
    ))]
    pub settle: Duration,

    /// The least time between two rolls of one workload: 0s to 1h.
    #[serde(default = "default_min_interval")]
    #[x_kube(validation = (
        "duration(self) >= duration('0s') && duration(self) <= duration('1h')",
        "minInterval must be between 0s and 1h"
    ))]
    pub min_interval: Duration,

    /// Rolls nothing while true; what would have rolled does so afterwards.
    #[serde(default)]
    pub suspend: bool,

    /// Of several policies of a kind that select a workload the highest priority is in
    /// force; of equals the first by name.
    #[serde(default)]
    pub priority: i32,
}

/// Manages workloads of its own namespace.
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
    printcolumn(name = "Workloads", type_ = "integer", json_path = ".status.workloads", description = "Workloads under this policy"),
    printcolumn(name = "Stale", type_ = "integer", json_path = ".status.stalePods", description = "Their Pods that have old content"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SyncPolicySpec {
    /// What the two kinds of policy have in common.
    #[serde(flatten)]
    pub common: PolicyCommon,
}

/// Manages workloads of any namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "projsync.dev",
    version = "v1alpha1",
    kind = "ClusterSyncPolicy",
    plural = "clustersyncpolicies",
    doc = "Keeps the Pods of the workloads that it selects, in the namespaces that it selects, in step with the ConfigMaps and Secrets that they project. A SyncPolicy of the workload's own namespace comes first.",
    status = "PolicyStatus",
    derive = "PartialEq",
    shortname = "csyncpol",
    category = "projsync",
    validation = Rule::new(NAME_RULE).message(NAME_MESSAGE),
    printcolumn(name = "Strategy", type_ = "string", json_path = ".spec.strategy"),
    printcolumn(name = "Suspended", type_ = "boolean", json_path = ".spec.suspend"),
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority", priority = 1),
    printcolumn(name = "Workloads", type_ = "integer", json_path = ".status.workloads", description = "Workloads under this policy"),
    printcolumn(name = "Stale", type_ = "integer", json_path = ".status.stalePods", description = "Their Pods that have old content"),
    printcolumn(name = "Accepted", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Accepted\")].reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSyncPolicySpec {
    /// Namespaces by name. With `namespaceSelector`: those that either of them selects.
    /// All unless one of the two is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "namespaces")]
    pub namespaces: Vec<String>,

    /// Namespaces by label. With `namespaces`: those that either of them selects. All
    /// unless one of the two is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,

    /// What the two kinds of policy have in common.
    #[serde(flatten)]
    pub common: PolicyCommon,
}

/// What became of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyStatus {
    /// The metadata.generation that the rest was said of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Workloads that it is in force for.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub workloads: u32,

    /// Workloads that it selects but that another policy is in force for.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub overridden: u32,

    /// Pods of the workloads that it is in force for.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub pods: u32,

    /// Those of them whose process has old content.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub stale_pods: u32,

    /// `Accepted`: whether the policy is valid and in force; if not, what is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// The values of the workload's annotation that can't be the name of a policy.
const NAME_RULE: &str = "!(self.metadata.name in ['true', 'false'])";
const NAME_MESSAGE: &str =
    "a policy can't be named true or false: projsync.dev/sync could not name it";

fn all_kinds() -> Vec<WorkloadKind> {
    WorkloadKind::ALL.to_vec()
}

fn default_settle() -> Duration {
    DEFAULT_SETTLE
}

fn default_min_interval() -> Duration {
    DEFAULT_MIN_INTERVAL
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

// === impl PolicyCommon ===

impl Default for PolicyCommon {
    fn default() -> Self {
        Self {
            workloads: Workloads::default(),
            sources: Sources::default(),
            strategy: Strategy::default(),
            settle: DEFAULT_SETTLE,
            min_interval: DEFAULT_MIN_INTERVAL,
            suspend: false,
            priority: 0,
        }
    }
}

// === impl Strategy ===

impl Strategy {
    /// The constant, as `strategy` fields spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rollout => "Rollout",
            Self::Observe => "Observe",
        }
    }
}
