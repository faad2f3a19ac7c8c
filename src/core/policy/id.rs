//! Names of policies.

use std::fmt;
use std::sync::Arc;

use crate::api::projection::PolicyKind;

/// Names one policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyId {
    /// A `SyncPolicy`.
    Namespaced {
        /// `metadata.namespace`.
        namespace: Arc<str>,
        /// `metadata.name`.
        name: Arc<str>,
    },
    /// A `ClusterSyncPolicy`.
    Cluster {
        /// `metadata.name`.
        name: Arc<str>,
    },
}

// === impl PolicyId ===

impl PolicyId {
    /// Names a `SyncPolicy`.
    pub fn namespaced(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::Namespaced {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Names a `ClusterSyncPolicy`.
    pub fn cluster(name: impl Into<Arc<str>>) -> Self {
        Self::Cluster { name: name.into() }
    }

    /// The kind of the object.
    #[must_use]
    pub fn kind(&self) -> PolicyKind {
        match self {
            Self::Namespaced { .. } => PolicyKind::SyncPolicy,
            Self::Cluster { .. } => PolicyKind::ClusterSyncPolicy,
        }
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Namespaced { name, .. } | Self::Cluster { name } => name,
        }
    }

    /// `metadata.namespace`, if it has one.
    #[must_use]
    pub fn namespace(&self) -> Option<&Arc<str>> {
        match self {
            Self::Namespaced { namespace, .. } => Some(namespace),
            Self::Cluster { .. } => None,
        }
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())?;
        match self {
            Self::Namespaced { namespace, name } => write!(f, " {namespace}/{name}"),
            Self::Cluster { name } => write!(f, " {name}"),
        }
    }
}
