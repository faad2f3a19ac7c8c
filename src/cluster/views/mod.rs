//! Slim views: objects as the watches keep them.
//!
//! Each is decoded straight from the JSON: what is used goes into the core's
//! types, the rest (managedFields first) is skipped where it stands. Decoding
//! an object never fails; one that isn't as the API defines it becomes a
//! [`Bad`] that still has its name, so it neither stops a list nor hides its
//! own deletion.

mod cron_job;
mod fields;
mod intern;
mod json_hash;
mod metadata;
mod namespace;
mod pod;
mod revision;
mod shown;
mod source;
mod template;
mod workload;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use kube::Resource;
use kube::core::{DynamicResourceScope, ObjectMeta};
use serde::{Deserialize, Deserializer};

use crate::core::lenient::{Lenient, lenient};
use crate::kinds::ApiType;

pub use fields::Bad;
pub use intern::intern;
pub use shown::{Details, Life, Shown};
pub use source::AnySource;
pub use workload::{AnyWorkload, WorkloadView};

use fields::fields;
use metadata::Identity;

/// Names an object of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `metadata.namespace`; empty for an object of the cluster.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

/// An API type of which a slim view is kept, or several that are viewed alike.
pub trait Slim: Clone + fmt::Debug + Send + 'static {
    /// Tells them apart.
    type Kind: Send + Sync + 'static;
    /// What is kept of an object.
    type Object: Clone + fmt::Debug + Send + 'static;
    /// Whether only metadata is asked of the API server.
    const METADATA_ONLY: bool = false;

    /// The API type.
    fn api(kind: &Self::Kind) -> &'static ApiType;

    /// Decodes an object.
    ///
    /// # Errors
    /// Only where the document itself is malformed.
    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error>;
}

/// The fields that are read of an object.
trait Fields: Lenient {
    /// Which object.
    fn identity(&self) -> Identity<'_>;
}

/// One object of API type `K`, as far as it is kept.
#[derive(Clone, Debug)]
pub struct View<K: Slim> {
    /// Name, namespace, uid and resourceVersion.
    meta: ObjectMeta,
    /// What is kept of it.
    pub object: Result<K::Object, Bad>,
}

// === impl Key ===

impl Key {
    /// The name of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self {
            namespace: intern(meta.namespace.as_deref().unwrap_or_default()),
            name: meta.name.as_deref().unwrap_or_default().into(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

// === impl View ===

impl<K: Slim> View<K> {
    /// Decodes the fields of an object and keeps what is used.
    fn decode<'de, D: Deserializer<'de>, F: Fields>(
        decoder: D,
        slim: impl FnOnce(F) -> Result<K::Object, Bad>,
    ) -> Result<Self, D::Error> {
        let fields: F = lenient(decoder)?;
        let identity = fields.identity();
        let meta = identity.meta();
        let object = match identity.check() {
            Ok(()) => slim(fields),
            Err(bad) => Err(bad),
        };
        Ok(Self { meta, object })
    }
}

impl<'de, K: Slim> Deserialize<'de> for View<K> {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        K::decode(decoder)
    }
}

impl<K: Slim> Resource for View<K> {
    type DynamicType = K::Kind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &K::Kind) -> Cow<'_, str> {
        Cow::Borrowed(K::api(kind).kind)
    }

    fn group(kind: &K::Kind) -> Cow<'_, str> {
        Cow::Borrowed(K::api(kind).group)
    }

    fn version(kind: &K::Kind) -> Cow<'_, str> {
        Cow::Borrowed(K::api(kind).version)
    }

    fn plural(kind: &K::Kind) -> Cow<'_, str> {
        Cow::Borrowed(K::api(kind).plural)
    }

    fn metadata_api() -> bool {
        K::METADATA_ONLY
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests;
