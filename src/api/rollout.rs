//! What a policy says about how a change goes out to many workloads.

#![expect(
    unreachable_pub,
    reason = "KubeSchema repeats each struct inside of a function"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;
use crate::api::rules::Bounds;
use crate::api::schema;
use crate::api::sources::SourceRule;

/// How a change goes out where several workloads project it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRules {
    /// The waves in which a change goes out, each when the one before has proven it. Default: one
    /// workload first, then all others. An empty list: all at once. Workloads of a policy that
    /// gives waves wait only for each other; all others of a change wait for each other too,
    /// whatever their policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[x_kube(validation = (WAVES_RULE, WAVES_MESSAGE))]
    pub waves: Option<Vec<WaveRules>>,

    /// How many workloads of a change may be rolled at a time: a number, or a percentage, of which
    /// it is five at least.
    #[serde(default = "max_concurrent")]
    #[schemars(schema_with = "schema::amount")]
    pub max_concurrent: Amount,

    /// Time for which a workload must stay healthy with a change until that counts as proven: 0s
    /// to 24h.
    #[serde(default = "soak")]
    #[x_kube(validation = SOAK.rule())]
    pub soak: Duration,

    /// Time that a rollout of a workload may make no progress, after which it counts as failed or
    /// stuck: 1m to 24h.
    #[serde(default = "deadline")]
    #[x_kube(validation = DEADLINE.rule())]
    pub deadline: Duration,

    /// What a failure means for the other workloads of a change. Halt: none of them is rolled until
    /// the content changes or the workload recovers. Continue: they go on.
    #[serde(default)]
    pub on_failure: OnFailure,

    /// Sources whose changes go to everybody at once, apart from maxConcurrent: credentials whose
    /// old value ends at once. A failure stops them all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub urgent: Vec<SourceRule>,
}

/// Workloads that get a change together: those with the labels of `selector`, so many as `size` says
/// of those that no selector selects, or all others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!(has(self.size) && has(self.selector))", "give size or selector, not both"))]
pub struct WaveRules {
    /// Name of the wave.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,

    /// Selects workloads by their own labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,

    /// How many workloads: a number, or a percentage of all of the change, rounded down, of which it
    /// is one at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub size: Option<Amount>,
}

/// A number, or a percentage such as `25%`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// At least 1.
    Count(u32),
    /// `1%` to `100%`.
    Percent(String),
}

/// What a failure means for the other workloads of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OnFailure {
    /// None of them is rolled until the content changes or the workload recovers.
    #[default]
    Halt,
    /// They go on.
    Continue,
}

const WAVES_RULE: &str = "self.map(w, has(w.selector) ? 1 : (has(w.size) ? 2 : 3)).isSorted() && self.filter(w, !has(w.selector) && !has(w.size)).size() <= 1";

const WAVES_MESSAGE: &str = "waves with a selector come first, then those with a size; a wave with neither takes all the rest and comes last";

const SOAK: Bounds = Bounds {
    field: "rollout.soak",
    default: Duration::from_secs(60),
    min: Duration::from_secs(0),
    max: Duration::from_secs(24 * 60 * 60),
};

const DEADLINE: Bounds = Bounds {
    field: "rollout.deadline",
    default: Duration::from_secs(10 * 60),
    min: Duration::from_secs(60),
    max: Duration::from_secs(24 * 60 * 60),
};

fn max_concurrent() -> Amount {
    Amount::Percent("25%".to_owned())
}

fn soak() -> Duration {
    SOAK.default
}

fn deadline() -> Duration {
    DEADLINE.default
}

// === impl RolloutRules ===

impl RolloutRules {
    /// Each duration with its bounds.
    #[must_use]
    pub fn durations(&self) -> [(Duration, Bounds); 2] {
        [(self.soak, SOAK), (self.deadline, DEADLINE)]
    }
}

impl Default for RolloutRules {
    fn default() -> Self {
        Self {
            waves: None,
            max_concurrent: max_concurrent(),
            soak: soak(),
            deadline: deadline(),
            on_failure: OnFailure::default(),
            urgent: Vec::new(),
        }
    }
}
