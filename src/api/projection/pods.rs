//! The Pods of a workload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::limits::{MAX_MESSAGE, MAX_NOT_FRESH};
use crate::api::schema;

/// Number of Pods in each state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pods {
    /// Pods that are neither finished nor being deleted.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub total: u32,
    /// Pods that have the current content.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub fresh: u32,
    /// Pods whose process has old content.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub stale: u32,
    /// Pods whose files are old and are about to be refreshed by the kubelet.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub refreshing: u32,
    /// Pods whose content is not known.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub unknown: u32,
    /// Pods that are in sync and have not been ready since Projsync's last roll.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub not_ready: u32,
    /// The first ten Pods that are not Fresh.
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
    /// State of the Pod.
    pub state: PodState,
    /// Reason for the state, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = MAX_MESSAGE))]
    pub reason: String,
}

/// State of a Pod: whether it has the content that its workload projects.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum PodState {
    /// The Pod has the current content.
    Fresh,
    /// The files of the Pod have old content, which the kubelet is about to refresh.
    Refreshing,
    /// The process of the Pod has old content.
    Stale,
    /// It is not known which content the Pod has.
    Unknown,
}

/// Start of a Pod, in the order of all changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodStart {
    /// `metadata.uid` of the Pod.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// `metadata.resourceVersion` of the Pod at its creation.
    #[schemars(length(max = 64))]
    pub resource_version: String,
}
