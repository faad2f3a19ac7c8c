//! The places in a Pod spec where a source is used.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Place in the Pod spec where a container uses a source.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// `volumes[].configMap` or `volumes[].secret`.
    Volume,
    /// `volumes[].projected.sources[]`.
    Projected,
    /// `env[].valueFrom`.
    Env,
    /// `envFrom[]`.
    EnvFrom,
}

// === impl Place ===

impl Place {
    /// Name in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Projected => "projected",
            Self::Env => "env",
            Self::EnvFrom => "envFrom",
        }
    }

    /// Whether containers see it as files of a volume.
    #[must_use]
    pub fn is_in_volume(self) -> bool {
        matches!(self, Self::Volume | Self::Projected)
    }

    /// Returns whether a ConfigMap's `binaryData` is seen here besides its `data`.
    #[must_use]
    pub fn sees_binary_data(self) -> bool {
        self.is_in_volume()
    }
}
