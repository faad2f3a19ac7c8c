//! Sources: their metadata alone.

use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use super::intern::Shared;
use super::json_hash::{JsonHash, hash_of};
use super::metadata::{Identity, Time};
use super::{Bad, Slim, View, fields};
use crate::core::lenient::{Lenient, lenient};
use crate::core::object::source::SourceMeta;
use crate::core::time::ServerTime;
use crate::kinds::{ApiType, Rv, SourceKind};

fields! {
    /// `PartialObjectMetadata`.
    PartialObject {
        metadata: SourceMetadata,
    }

    /// `ObjectMeta`, as a source needs it.
    SourceMetadata {
        namespace: Shared,
        name: Arc<str>,
        uid: Arc<str>,
        resource_version: Arc<str>,
        creation_timestamp: Time,
        deletion_timestamp: JsonHash,
        labels: JsonHash,
        annotations: JsonHash,
        finalizers: JsonHash,
        owner_references: JsonHash,
        managed_fields: ManagedFields,
    }

    /// `ManagedFieldsEntry`.
    ManagedFieldsEntry {
        manager: JsonHash,
        operation: JsonHash,
        api_version: JsonHash,
        subresource: JsonHash,
        time: Time,
        fields_v1: OwnedFields,
    }
}

/// What `managedFields` tell, without the entries.
#[derive(Default)]
struct ManagedFields {
    any: bool,
    data_time: Option<ServerTime>,
    data: u64,
    other: u64,
}

/// `FieldsV1` at the top of a source.
#[derive(Default)]
struct OwnedFields {
    data: Option<JsonHash>,
    binary_data: Option<JsonHash>,
    other: u64,
}

impl ManagedFields {
    /// Sums entry by entry: their order tells nothing.
    fn add(&mut self, entry: &ManagedFieldsEntry) {
        let owner = (entry.manager, entry.operation, entry.subresource);
        let fields = &entry.fields_v1;
        let owns_data = fields.data.is_some() || fields.binary_data.is_some();
        self.any = true;
        if owns_data {
            self.data_time = self.data_time.max(entry.time.0);
            let data = hash_of((owner, fields.data, fields.binary_data));
            self.data = self.data.wrapping_add(data);
        }
        // The time of one who owns data moves with the data.
        let time = entry.time.0.filter(|_| !owns_data);
        let other = hash_of((owner, entry.api_version, fields.other, time));
        self.other = self.other.wrapping_add(other);
    }
}

impl Lenient for ManagedFields {
    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut fields = Self::default();
        while let Some(Entry(entry)) = items.next_element()? {
            fields.add(&entry);
        }
        Ok(fields)
    }
}

struct Entry(ManagedFieldsEntry);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        lenient(decoder).map(Self)
    }
}

impl Lenient for OwnedFields {
    fn object<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut fields = Self::default();
        while let Some((name, hash)) = entries.next_entry::<String, JsonHash>()? {
            match name.as_str() {
                "f:data" => fields.data = Some(hash),
                "f:binaryData" => fields.binary_data = Some(hash),
                _ => fields.other = fields.other.wrapping_add(hash_of((name, hash))),
            }
        }
        Ok(fields)
    }
}

impl super::Fields for PartialObject {
    fn identity(&self) -> Identity<'_> {
        let metadata = &self.metadata;
        Identity {
            namespace: metadata.namespace.as_str(),
            name: &metadata.name,
            uid: &metadata.uid,
            resource_version: &metadata.resource_version,
        }
    }
}

fn slim(object: PartialObject) -> Result<SourceMeta, Bad> {
    let metadata = object.metadata;
    let created = metadata
        .creation_timestamp
        .0
        .ok_or_else(|| Bad::missing("metadata.creationTimestamp"))?;
    let managed = metadata.managed_fields;
    Ok(SourceMeta {
        uid: metadata.uid,
        rv: Rv::parse(&metadata.resource_version),
        created,
        // Where entries are kept but none owns data, nobody wrote any since the creation.
        data_time: managed.data_time.or(managed.any.then_some(created)),
        data_fields: managed.data,
        other: hash_of((
            metadata.deletion_timestamp,
            metadata.labels,
            metadata.annotations,
            metadata.finalizers,
            metadata.owner_references,
            managed.other,
        )),
    })
}

/// A source of any kind.
#[derive(Clone, Debug)]
pub enum AnySource {}

impl Slim for AnySource {
    type Kind = SourceKind;
    type Object = SourceMeta;
    const METADATA_ONLY: bool = true;

    fn api(kind: &SourceKind) -> &'static ApiType {
        kind.api()
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, slim)
    }
}
