//! The rolls that Projsync made of a workload, and how they went.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::limits::{MAX_CAUSES, MAX_MESSAGE};
use crate::api::schema;

/// A roll that Projsync made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollRecord {
    /// Value of `projsync.dev/revision` that was written.
    #[schemars(length(max = 128))]
    pub revision: String,
    /// Time of the roll.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// `metadata.resourceVersion` of the workload after the roll. Pods that carry the revision
    /// started after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub resource_version: Option<String>,
    /// Causes, one entry for each source: `ConfigMap/app: key1, key2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CAUSES), inner(length(max = MAX_MESSAGE)))]
    pub causes: Vec<String>,
    /// How it goes, or how it ended.
    #[serde(default)]
    pub state: RollState,
    /// Number of Pods that were not ready when it was made; absent if the roll tells nothing
    /// of the content, because something else was going on in the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count")]
    pub unready: Option<u32>,
    /// Time since which it is complete, and nothing has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub completed: Option<Time>,
    /// What is wrong with it, if it is Failed or Stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<TroubleRecord>,
}

/// State of a roll.
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
pub enum RollState {
    /// Its Pods are still to be replaced or to become ready.
    #[default]
    Rolling,
    /// All Pods are replaced, and as many are ready as before.
    Complete,
    /// It stayed complete for a minute without a failure, so its content is good for the
    /// workload.
    Good,
    /// A container that it started crashes or is not ready.
    Failed,
    /// It does not go on, for a reason that need not be its content.
    Stuck,
}

/// Reason why a roll is Failed or Stuck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TroubleRecord {
    /// Pod that fails, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod: Option<String>,
    /// Reason as a constant, such as `CrashLoopBackOff`.
    #[schemars(length(max = MAX_MESSAGE))]
    pub reason: String,
    /// Time since which it is so.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,
}
