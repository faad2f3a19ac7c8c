//! What a workload projects, and the contents of it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::limits::{MAX_CHANGED, MAX_KEYS, MAX_TIMELINE};
use crate::api::schema;
use crate::kinds::{Class, SourceKind};

/// All uses of one source and one class, with the keys that are projected and their last contents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceRecord {
    /// ConfigMap or Secret.
    pub kind: SourceKind,
    /// Name of the source, which is in the workload's namespace.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Live: the kubelet refreshes it in running containers. Frozen: fixed when a
    /// container starts.
    pub class: Class,
    /// Ways in which it is used: `env`, `envFrom`, `projected`, `volume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 32)))]
    pub uses: Vec<String>,
    /// True if Pods start without the source or without one of its keys.
    #[serde(default)]
    pub optional: bool,
    /// The projected keys, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_KEYS), inner(length(max = 253)))]
    pub keys: Vec<String>,
    /// Number of projected keys.
    #[serde(default)]
    #[schemars(schema_with = "schema::count")]
    pub keys_total: u32,
    /// True if the source or a required key of it does not exist now.
    #[serde(default)]
    pub missing: bool,
    /// Hash of the uses. A reference with another hash is another reference.
    #[schemars(length(max = 128))]
    pub fingerprint: String,
    /// `metadata.uid` of the source when it was last read; absent while there is no source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub source_uid: Option<String>,
    /// `metadata.resourceVersion` of the source up to which its content is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub source_resource_version: Option<String>,
    /// Digests of at most 64 projected keys, so that changed keys can be named after a
    /// restart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::digests", extend("maxProperties" = MAX_KEYS))]
    pub key_digests: BTreeMap<String, String>,
    /// True if the keys are left out, as the Projection would be too large with them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keys_left_out: bool,
    /// The last contents, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_TIMELINE))]
    pub timeline: Vec<TimelineEntry>,
    /// True if the content before the first entry is not known. Pods older than that entry
    /// are then Unknown, not outdated.
    #[serde(default)]
    pub open: bool,
    /// Content that nodes may still give to new Pods, because the source was immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<ImmutableRecord>,
}

/// Content of an immutable source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImmutableRecord {
    /// `metadata.uid` of the source.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Digest of its projected content.
    #[schemars(length(max = 128))]
    pub digest: String,
}

/// A content and the time from which it was in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// Digest of the content; absent for a content that was never read, which equals no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub digest: Option<String>,
    /// True if nothing is known about the time from here to the next entry, which may hide an edit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// Start of the time in which it was in force.
    pub since: Since,
    /// True if the source or a required key of it did not exist, so that no Pod could start.
    #[serde(default)]
    pub missing: bool,
    /// Keys that differ from the entry before, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_CHANGED), inner(length(max = 253)))]
    pub changed: Vec<String>,
    /// Whether more keys may differ than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unnamed: bool,
    /// Time at which the workload was proven to be healthy with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub good: Option<Time>,
}

/// Start of the time in which a content was in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// `metadata.resourceVersion` of the source that brought the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub resource_version: Option<String>,
    /// True if that version is known to be the first with this content.
    #[serde(default)]
    pub exact: bool,
    /// The API server's time, used if resourceVersions can't be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::time")]
    pub time: Option<Time>,
}
