//! Pod spec → uses → references: what a workload projects, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::object::SourceKind;

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

/// How a container sees a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Which keys of its source a use sees, and under which names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selection {
    /// Every key, each as a file of its own name.
    Files,
    /// Every key as a variable `prefix + key`, less the variables that the
    /// container's own `env` sets.
    Variables {
        /// `envFrom[].prefix`.
        prefix: Arc<str>,
        /// Names that the container's own `env` hides.
        hidden: BTreeSet<Arc<str>>,
    },
    /// Path or variable name → key.
    Keys(BTreeMap<Arc<str>, Arc<str>>),
}

/// One way in which containers see one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// How.
    pub place: Place,
    /// Which keys.
    pub selection: Selection,
    /// Whether the Pod starts without the source or a key of it.
    pub optional: bool,
}

/// All uses of one source and one class by one workload: the unit of digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is projected (the namespace is the workload's).
    pub source: (SourceKind, Arc<str>),
    /// How it reaches running containers.
    pub class: Class,
    /// Sorted, without duplicates.
    pub uses: BTreeSet<Use>,
    /// The containers that see it, init containers included.
    pub containers: BTreeSet<Arc<str>>,
}
