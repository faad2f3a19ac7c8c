//! What was read of a ConfigMap or Secret: digests of its keys, never bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::content::key_digest::KeyDigest;
use crate::core::time::ServerTime;
use crate::kinds::Rv;

mod decode;
pub mod digest;
pub(crate) mod encoding;
pub mod hex;
mod key_digest;

pub use decode::{DecodeError, decode_source};

/// The content of a source, as digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceContent {
    /// The API server says that there is no such object.
    Absent,
    /// It was read.
    Present(Reading),
}

/// One version of a source, read and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`, as served.
    pub resource_version: Arc<str>,
    /// `metadata.creationTimestamp`.
    pub created: ServerTime,
    /// The newest `managedFields` time that owns `data` or `binaryData`; the
    /// creation where no entry does (nobody ever wrote content); `None` where
    /// the object has no managedFields, so edits can't be told from its times.
    pub data_time: Option<ServerTime>,
    /// `immutable`: the kubelet does not watch it.
    pub immutable: bool,
    /// Every key with its digest.
    pub keys: BTreeMap<Arc<str>, (Field, KeyDigest)>,
}

/// Where a key of a source is. Everything of a Secret is `Data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `data`.
    Data,
    /// `binaryData`: seen by volumes, not by env and envFrom.
    BinaryData,
}

// === impl SourceContent ===

impl SourceContent {
    /// Every key with where it is and its digest; none if absent.
    pub fn keys(&self) -> impl Iterator<Item = (&Arc<str>, Field, KeyDigest)> {
        let reading = self.reading().into_iter();
        let keys = reading.flat_map(|reading| &reading.keys);
        keys.map(|(key, (field, digest))| (key, *field, *digest))
    }

    /// Where a key is, and its digest.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<(Field, KeyDigest)> {
        self.reading()?.keys.get(key).copied()
    }

    /// What was read, unless absent.
    #[must_use]
    pub fn reading(&self) -> Option<&Reading> {
        match self {
            Self::Absent => None,
            Self::Present(reading) => Some(reading),
        }
    }
}

// === impl Reading ===

impl Reading {
    /// The resourceVersion as a number; `None` where it isn't one.
    #[must_use]
    pub fn rv(&self) -> Option<Rv> {
        Rv::parse(&self.resource_version)
    }
}
