//! Whether running containers see new content.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
