//! The content of an Event.

use crate::api::reasons::EventType;

/// Object that an Event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    /// `apiVersion` of the object.
    pub api_version: String,
    /// Kind of the object.
    pub kind: String,
    /// Namespace of the object; empty for a cluster-scoped object, whose Events go to `default`.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// Uid of the object.
    pub uid: String,
    /// resourceVersion of the object that the Event is about, if known.
    pub resource_version: Option<String>,
}

/// An Event to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Object that the Event is about.
    pub regarding: Regarding,
    /// Type of the Event.
    pub event_type: EventType,
    /// Reason, a constant in CamelCase.
    pub reason: &'static str,
    /// Action that was or was not taken, a constant in CamelCase.
    pub action: &'static str,
    /// A sentence for people. Cut to 1 KiB; control characters become spaces.
    pub note: String,
}
