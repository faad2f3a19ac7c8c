//! What was decided and done about a workload.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::limits::MAX_MESSAGE;
use crate::api::schema;

/// A decision on a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// What is done about the workload.
    pub outcome: Outcome,
    /// Reason, as a constant.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Reason, as a sentence.
    #[schemars(length(max = MAX_MESSAGE))]
    pub message: String,
    /// Time at which the decision became this one.
    #[schemars(schema_with = "schema::time")]
    pub since: Time,
    /// Time at which something will be done, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub until: Option<Time>,
}

/// What is done about a workload.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Outcome {
    /// There is nothing to do.
    Nothing,
    /// The workload is rolled.
    Roll,
    /// The workload will be looked at again at a known time.
    Wait,
    /// Something else must happen first.
    Hold,
}

/// Last time when all Pods had the current content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastInSync {
    /// The API server's time up to which every change had been seen.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// The content of each reference at that time: fingerprint and digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::digests")]
    pub digests: BTreeMap<String, String>,
}

/// Record of somebody else removing the revision from the Pod template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContestedRecord {
    /// Revision that was removed.
    #[schemars(length(max = 128))]
    pub revision: String,
    /// Number of removals.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub removals: u32,
}
