//! Own streaming decoder of ConfigMaps and Secrets: every value is hashed where
//! it stands in the body, and no error quotes what it met.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Field, Reading};
use crate::core::content::digest::{DigestKey, KeyDigest};
use crate::core::lenient::{Lenient, lenient, lenient_objects};
use crate::core::time::ServerTime;
use crate::kinds::SourceId;

/// A body isn't the ConfigMap or Secret that was asked for. The messages say
/// where, and never quote what is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON.
    #[error(
        "{object}: the answer to the read is not JSON (line {line}, column {column}); is a proxy in between?"
    )]
    Syntax {
        /// What was read.
        object: SourceId,
        /// Of the body, from 1.
        line: usize,
        /// Of the line, from 1.
        column: usize,
    },
    /// Cut off.
    #[error("{object}: the answer to the read ends early (line {line}, column {column})")]
    Truncated {
        /// What was read.
        object: SourceId,
        /// Of the body, from 1.
        line: usize,
        /// Of the line, from 1.
        column: usize,
    },
    /// A field that is read has a wrong type.
    #[error("{object}: a field is not as the API defines it (line {line}, column {column})")]
    Shape {
        /// What was read.
        object: SourceId,
        /// Of the body, from 1.
        line: usize,
        /// Of the line, from 1.
        column: usize,
    },
    /// A value that must be base64 is not.
    #[error("{object}: a value is not base64 (line {line}, column {column})")]
    Base64 {
        /// What was read.
        object: SourceId,
        /// Of the body, from 1.
        line: usize,
        /// Of the line, from 1.
        column: usize,
    },
    /// Required metadata is missing or malformed.
    #[error("{object}: the answer to the read has no valid metadata.{field}")]
    Metadata {
        /// What was read.
        object: SourceId,
        /// Of `metadata`.
        field: &'static str,
    },
    /// The body is of another object.
    #[error("{object}: the answer to the read is another object")]
    OtherObject {
        /// What was read.
        object: SourceId,
    },
}

/// Hashes the JSON body of a ConfigMap or Secret.
///
/// # Errors
/// Where the body isn't a well-formed object of this kind and name.
pub fn decode_source(
    object: &SourceId,
    body: &[u8],
    key: &DigestKey,
) -> Result<Reading, DecodeError> {
    let mut decoder = serde_json::Deserializer::from_slice(body);
    let mut decoding = Decoding {
        object,
        key,
        kind: Arc::default(),
        metadata: Metadata::default(),
        immutable: false,
        keys: BTreeMap::new(),
        scratch: Vec::new(),
        bad_base64: false,
    };
    let decoded = decoder.deserialize_map(Body(&mut decoding));
    if let Err(error) = decoded.and_then(|()| decoder.end()) {
        return Err(decoding.failed(&error));
    }
    decoding.finish()
}

struct Decoding<'a> {
    object: &'a SourceId,
    key: &'a DigestKey,
    kind: Arc<str>,
    metadata: Metadata,
    immutable: bool,
    keys: BTreeMap<Arc<str>, (Field, KeyDigest)>,
    /// Decoded base64, one value at a time.
    scratch: Vec<u8>,
    bad_base64: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    #[serde(deserialize_with = "lenient")]
    name: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    namespace: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    uid: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    resource_version: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    creation_timestamp: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    managed_fields: Vec<ManagedFields>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ManagedFields {
    #[serde(deserialize_with = "lenient")]
    time: Arc<str>,
    #[serde(deserialize_with = "lenient")]
    fields_v1: OwnsData,
}

lenient_objects!(Metadata, ManagedFields);

/// Whether a FieldsV1 owns `data` or `binaryData`, or anything in them.
#[derive(Default)]
struct OwnsData(bool);

impl Lenient for OwnsData {
    fn object<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut owns = false;
        while let Some((name, IgnoredAny)) = fields.next_entry::<String, _>()? {
            owns |= name == "f:data" || name == "f:binaryData";
        }
        Ok(Self(owns))
    }
}

impl Decoding<'_> {
    fn failed(&self, error: &serde_json::Error) -> DecodeError {
        use serde_json::error::Category;
        let object = self.object.clone();
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data if self.bad_base64 => DecodeError::Base64 {
                object,
                line,
                column,
            },
            Category::Data => DecodeError::Shape {
                object,
                line,
                column,
            },
            Category::Eof => DecodeError::Truncated {
                object,
                line,
                column,
            },
            Category::Syntax | Category::Io => DecodeError::Syntax {
                object,
                line,
                column,
            },
        }
    }

    fn finish(self) -> Result<Reading, DecodeError> {
        let object = self.object;
        let metadata = self.metadata;
        // Items of a list carry no kind.
        let of_kind = self.kind.is_empty() || *self.kind == *object.kind.as_str();
        let named = metadata.name == object.name && *metadata.namespace == *object.namespace();
        if !(of_kind && named) {
            return Err(DecodeError::OtherObject {
                object: object.clone(),
            });
        }
        let lacks = |field| DecodeError::Metadata {
            object: object.clone(),
            field,
        };
        if metadata.uid.is_empty() {
            return Err(lacks("uid"));
        }
        if metadata.resource_version.is_empty() {
            return Err(lacks("resourceVersion"));
        }
        let created = metadata.creation_timestamp.parse();
        let created: ServerTime = created.map_err(|_| lacks("creationTimestamp"))?;
        let managed = &metadata.managed_fields;
        let owning = managed.iter().filter(|entry| entry.fields_v1.0);
        let edited = owning.filter_map(|entry| entry.time.parse().ok()).max();
        Ok(Reading {
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            created,
            data_time: edited.or((!managed.is_empty()).then_some(created)),
            immutable: self.immutable,
            keys: self.keys,
        })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum BodyField {
    Kind,
    Metadata,
    Immutable,
    Data,
    BinaryData,
    #[serde(other)]
    Other,
}

/// The object.
struct Body<'a, 'b>(&'a mut Decoding<'b>);

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(field) = fields.next_key()? {
            match field {
                BodyField::Kind => self.0.kind = fields.next_value()?,
                BodyField::Metadata => self.0.metadata = fields.next_value()?,
                BodyField::Immutable => {
                    self.0.immutable = fields.next_value::<Option<bool>>()?.unwrap_or_default();
                }
                BodyField::Data => fields.next_value_seed(Values(self.0, Field::Data))?,
                BodyField::BinaryData => {
                    fields.next_value_seed(Values(self.0, Field::BinaryData))?;
                }
                BodyField::Other => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// `data` or `binaryData`.
struct Values<'a, 'b>(&'a mut Decoding<'b>, Field);

impl<'de> DeserializeSeed<'de> for Values<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Self(decoding, field) = self;
        while let Some(name) = values.next_key::<Arc<str>>()? {
            let digest = values.next_value_seed(Value {
                encoded: field == Field::BinaryData || decoding.object.kind.encoded,
                name: &name,
                decoding,
            })?;
            // The API admits no key in both; the kubelet would take `data`.
            if field == Field::Data || !decoding.keys.contains_key(&name) {
                decoding.keys.insert(name, (field, digest));
            }
        }
        Ok(())
    }
}

/// The value of one key.
struct Value<'a, 'b> {
    decoding: &'a mut Decoding<'b>,
    name: &'a str,
    encoded: bool,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = KeyDigest;

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<KeyDigest, D::Error> {
        decoder.deserialize_any(self)
    }
}

impl Visitor<'_> for Value<'_, '_> {
    type Value = KeyDigest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<KeyDigest, E> {
        let Decoding {
            object,
            key,
            scratch,
            bad_base64,
            ..
        } = self.decoding;
        if !self.encoded {
            return Ok(key.key_digest(object, self.name, text.as_bytes()));
        }
        scratch.clear();
        if BASE64.decode_vec(text, scratch).is_err() {
            *bad_base64 = true;
            return Err(E::custom("not base64"));
        }
        Ok(key.key_digest(object, self.name, scratch))
    }

    /// Go writes a byte slice that was never set as null.
    fn visit_unit<E: serde::de::Error>(self) -> Result<KeyDigest, E> {
        self.visit_str("")
    }
}

#[cfg(test)]
mod tests;
