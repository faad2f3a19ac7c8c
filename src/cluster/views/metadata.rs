//! The part of `metadata` that views read.

use std::sync::Arc;

use kube::core::ObjectMeta;
use serde::de::{MapAccess, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

use super::fields::{Bad, fields};
use super::intern::{Shared, intern};
use crate::core::lenient::{Lenient, lenient, lenient_objects};
use crate::core::object::pod::Owner;
use crate::core::policy::Labels;
use crate::core::time::ServerTime;
use crate::kinds::Rv;

/// Which object, and which version of it.
pub(super) struct Identity<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    pub(super) resource_version: &'a str,
}

/// `ObjectMeta`, with labels as each kind needs them.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "L: Lenient"))]
pub(super) struct Metadata<L: Lenient> {
    #[serde(deserialize_with = "lenient")]
    pub(super) namespace: Shared,
    #[serde(deserialize_with = "lenient")]
    pub(super) name: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    pub(super) uid: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    pub(super) resource_version: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    pub(super) generation: i64,
    #[serde(deserialize_with = "lenient")]
    pub(super) creation_timestamp: Time,
    #[serde(deserialize_with = "lenient")]
    pub(super) deletion_timestamp: Time,
    #[serde(deserialize_with = "lenient")]
    pub(super) labels: L,
    #[serde(deserialize_with = "lenient")]
    pub(super) annotations: Annotations,
    #[serde(deserialize_with = "lenient")]
    owner_references: Vec<OwnerReference>,
}

/// A time as the API writes it; `None` where there is none or it is malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Time(pub(super) Option<ServerTime>);

/// The annotations that Projsync reads.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    /// `projsync.dev/sync`.
    #[serde(rename = "projsync.dev/sync", deserialize_with = "lenient")]
    pub(super) sync: Shared,
    /// `projsync.dev/revision`.
    #[serde(rename = "projsync.dev/revision", deserialize_with = "lenient")]
    pub(super) revision: Shared,
}

/// The most labels that are kept of an object: far more than anybody selects by, while the API server
/// sets no limit.
const MAX_LABELS: usize = 256;

/// All labels; of very many the first by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AllLabels(pub(super) Labels);

/// The label that ties a Pod to its ControllerRevision.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RevisionLabel {
    #[serde(rename = "controller-revision-hash", deserialize_with = "lenient")]
    pub(super) hash: Shared,
}

lenient_objects!(Annotations, RevisionLabel);

fields! {
    /// `OwnerReference`.
    OwnerReference {
        api_version: Shared,
        kind: Shared,
        name: Shared,
        uid: Shared,
        controller: bool,
    }
}

// === impl Identity ===

impl Identity<'_> {
    /// As the client library wants it.
    pub(super) fn meta(&self) -> ObjectMeta {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ObjectMeta {
            namespace: text(self.namespace),
            name: text(self.name),
            uid: text(self.uid),
            resource_version: text(self.resource_version),
            ..ObjectMeta::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), Bad> {
        if self.name.is_empty() {
            return Err(Bad::missing("metadata.name"));
        }
        if self.uid.is_empty() {
            return Err(Bad::missing("metadata.uid"));
        }
        Ok(())
    }
}

// === impl Metadata ===

impl<L: Lenient> Metadata<L> {
    pub(super) fn identity(&self) -> Identity<'_> {
        Identity {
            namespace: self.namespace.as_str(),
            name: &self.name,
            uid: &self.uid,
            resource_version: &self.resource_version,
        }
    }

    pub(super) fn rv(&self) -> Option<Rv> {
        Rv::parse(&self.resource_version)
    }

    pub(super) fn created(&self) -> Result<ServerTime, Bad> {
        self.creation_timestamp
            .0
            .ok_or_else(|| Bad::missing("metadata.creationTimestamp"))
    }

    /// The owner that controls the object.
    pub(super) fn controller(&mut self) -> Option<Owner> {
        let owners = std::mem::take(&mut self.owner_references);
        let owner = owners.into_iter().find(|owner| owner.controller)?;
        let group = owner.api_version.as_str().split_once('/');
        Some(Owner {
            group: intern(group.map_or("", |(group, _)| group)),
            kind: owner.kind.get()?,
            name: owner.name.get()?,
            uid: owner.uid.get()?,
        })
    }
}

impl<L: Lenient> Lenient for Metadata<L> {
    fn object<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(fields))
    }
}

// === impl AllLabels ===

impl Lenient for AllLabels {
    fn object<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut labels = Labels::new();
        while let Some((name, Text(value))) = entries.next_entry::<String, Text>()? {
            labels.insert(name, value);
            if labels.len() > MAX_LABELS {
                labels.pop_last();
            }
        }
        Ok(Self(labels))
    }
}

/// The value of a label.
#[derive(Default)]
struct Text(String);

impl Lenient for Text {
    fn text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        lenient(decoder)
    }
}

// === impl Time ===

impl Lenient for Time {
    fn text(text: &str) -> Self {
        Self(text.parse().ok())
    }
}
