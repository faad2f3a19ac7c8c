//! What is known of each kind of object, in one place: the registry.
//!
//! A kind of workload or source is a row; a [`Kind`] is the id of a row. All that differs
//! between kinds is asked of the row, and nothing else names one.

mod api_type;
mod id;
mod kind;
mod source;
mod workload;

pub use api_type::{ApiType, CONTROLLER_REVISION, NAMESPACE, POD, REPLICA_SET, Scope};
pub use id::{Rv, SourceId, WorkloadId};
pub use kind::{Kind, Row};
pub use source::SourceRow;
pub use workload::{Pods, Wanted, WorkloadRow};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of object whose content can be projected.
pub type SourceKind = Kind<SourceRow>;

/// A kind of workload that can be rolled: a top owner with a Pod template.
pub type WorkloadKind = Kind<WorkloadRow>;

/// Whether a running container ever sees new content of a use.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Class {
    /// A directory mount, which the kubelet refreshes in the running container.
    Live,
    /// Fixed when the container starts: env, envFrom, a mount with subPath or
    /// subPathExpr, and every use by a regular init container.
    Frozen,
}

impl Class {
    /// The name that the API shows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Frozen => "Frozen",
        }
    }
}

#[cfg(test)]
mod tests;
