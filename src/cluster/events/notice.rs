//! What an Event tells, and of which object.

use crate::api::reasons::EventType;

/// The object an Event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for a cluster-scoped object, whose Events go to `default`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The version the Event speaks of, where known.
    pub resource_version: Option<String>,
}

/// An Event to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub regarding: Regarding,
    /// Whether all is well.
    pub event_type: EventType,
    /// Why: a CamelCase constant.
    pub reason: &'static str,
    /// What was or was not done: a CamelCase constant.
    pub action: &'static str,
    /// A sentence for people. Cut to 1 KiB; control characters become spaces.
    pub note: String,
}
