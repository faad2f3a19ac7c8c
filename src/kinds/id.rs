//! Ids of objects, and their versions.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Scope, SourceKind, WorkloadKind};

/// Names one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    /// Its kind.
    pub kind: SourceKind,
    /// `metadata.namespace`; `None` for a source of the cluster.
    pub namespace: Option<Arc<str>>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

/// Names one workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId {
    /// Its kind.
    pub kind: WorkloadKind,
    /// `metadata.namespace`.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

/// A `metadata.resourceVersion` as a number.
///
/// ConfigMaps, Secrets and Pods share one etcd unless an administrator split
/// them, so their versions can be ordered. See KEP-5504 (comparable resource versions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rv(pub u64);

// === impl SourceId ===

impl SourceId {
    /// Names a source as objects of `namespace` see it: a kind of the cluster has none.
    pub fn new(
        kind: SourceKind,
        namespace: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            kind,
            namespace: match kind.api.scope {
                Scope::Namespace => Some(namespace.into()),
                Scope::Cluster => None,
            },
            name: name.into(),
        }
    }

    /// The namespace; empty for a source of the cluster.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

// === impl WorkloadId ===

impl WorkloadId {
    /// Names a workload.
    pub fn new(
        kind: WorkloadKind,
        namespace: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

// === impl Rv ===

impl Rv {
    /// Reads a `metadata.resourceVersion`; `None` where it isn't a number.
    #[must_use]
    pub fn parse(version: &str) -> Option<Self> {
        version.parse().ok().map(Self)
    }
}

impl fmt::Display for Rv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
