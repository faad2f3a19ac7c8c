//! Which workloads are managed, and how: policies, compiled and selected.
//!
//! ```text
//! SyncPolicy, ClusterSyncPolicy ─ compile ─▶ Policies ─ select(workload) ─▶ Effective
//! ```
//!
//! Nothing is managed until a policy selects it or its own annotation asks for it. An
//! invalid policy selects nothing; the others go on.

mod compiled;
mod selector;
mod set;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::api::Reason;
use crate::api::policy::{DEFAULT_MIN_INTERVAL, DEFAULT_SETTLE, Strategy};
use crate::api::projection::PolicyKind;
use crate::kinds::WorkloadKind;

pub use compiled::{CompiledPolicy, SourceFilter};
pub use set::{Affected, Policies};

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

/// Why a policy selects nothing. Each message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A label selector that the API server would refuse on its own kinds.
    #[error("{field}: {problem}")]
    Selector {
        /// Path of the field in the policy.
        field: &'static str,
        /// What is wrong, and what is right.
        problem: String,
    },
    /// A pattern that can't be read.
    #[error("{field}: {pattern:?} is not a pattern: {problem}")]
    Pattern {
        /// Path of the field in the policy.
        field: String,
        /// The text.
        pattern: String,
        /// What is wrong.
        problem: String,
    },
    /// A duration that is out of its bounds.
    #[error("{field}: {value} is too long: write at most {max}")]
    Duration {
        /// Path of the field in the policy.
        field: &'static str,
        /// The value.
        value: crate::api::Duration,
        /// The bound.
        max: crate::api::Duration,
    },
    /// An object that doesn't fit the schema of this version.
    #[error("can't be decoded: {0}: install the CustomResourceDefinitions of this version")]
    Undecodable(String),
}

/// What is known of a workload when its policy is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// The labels of its namespace; `None` while they are not known: no selector matches
    /// them then, not even one that asks for a label to be absent.
    pub namespace_labels: Option<&'a Labels>,
    /// Its own labels.
    pub labels: &'a Labels,
    /// The value of its annotation `projsync.dev/sync`.
    pub sync: Option<&'a str>,
}

/// `metadata.labels`.
pub type Labels = std::collections::BTreeMap<String, String>;

/// Whether a workload is managed.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// It is, in this way.
    Managed(Arc<Effective>),
    /// It isn't.
    NotManaged {
        /// `NotManaged`, `PolicyNotFound` or `PolicyInvalid`.
        reason: Reason,
        /// The same in a sentence.
        message: String,
    },
}

/// What is in force for a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The policy that says so; `None` where the defaults are in force.
    pub policy: Option<PolicyId>,
    /// Why it is this one, in a sentence.
    pub why: String,
    /// How Pods are brought up to date.
    pub strategy: Strategy,
    /// How long edits are collected into one roll.
    pub settle: Duration,
    /// The least time between two rolls.
    pub min_interval: Duration,
    /// Whether nothing is rolled for now.
    pub suspend: bool,
    /// Which sources count.
    pub sources: SourceFilter,
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

// === impl PolicyError ===

impl PolicyError {
    /// The constant for conditions and metrics.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Selector { .. } => Reason::InvalidSelector,
            Self::Pattern { .. } => Reason::InvalidPattern,
            Self::Duration { .. } => Reason::InvalidDuration,
            Self::Undecodable(_) => Reason::Undecodable,
        }
    }
}

// === impl Effective ===

impl Effective {
    /// What is in force where a workload asks to be managed and no policy selects it.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            policy: None,
            why: "The workload asks to be managed and no policy selects it: the defaults apply."
                .to_owned(),
            strategy: Strategy::default(),
            settle: DEFAULT_SETTLE.get(),
            min_interval: DEFAULT_MIN_INTERVAL.get(),
            suspend: false,
            sources: SourceFilter::default(),
        }
    }
}
