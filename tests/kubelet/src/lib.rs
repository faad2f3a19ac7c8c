//! A model of the kubelet: which environment and which files a container has at its start and as
//! time passes, given ConfigMaps and Secrets that change.
//!
//! It is written from the sources of Kubernetes 1.37.2 and shares no code with the operator, so
//! that the two can be held against each other. Each part names the file and the function that it
//! follows. `make e2e` holds the model itself against a real kubelet.
//!
//! - [`spec`]: the part of a Pod that matters here, and [`Sources`], what the API server holds.
//! - [`expand`]: `$(VARIABLE)` in values and paths.
//! - [`environment`]: the variables of a container.
//! - [`Volume`]: the files of a volume, as they are written and written again.
//! - [`Pod`]: a Pod on a node, from its first mount to its containers' restarts.
//! - [`Node`]: which content of a source a node goes by.
//! - [`cases`]: Pods and edits whose outcome is known, for the model, the operator and `make e2e`.
//!
//! Left out are modes and owners of files, Windows, mounts within mounts, and ephemeral containers:
//! these come into a Pod that runs, new Pods don't have them, and no mount of theirs has a `subPath`
//! (`validateEphemeralContainers` of `pkg/apis/core/validation`), so that other containers see nothing
//! else for them.

pub mod cases;
mod environment;
mod expansion;
mod node;
mod pod;
pub mod spec;
mod volume;

pub use environment::environment;
pub use expansion::expand;
pub use node::Node;
pub use pod::{Pod, Seen};
pub use spec::{Given, Id, Kind, PodSpec, Source, Sources};
pub use volume::{Bound, Files, TOKEN, Volume};

/// Why something can't be set up or started; the kubelet tries again later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A required ConfigMap or Secret is absent.
    #[error("{0:?} is absent")]
    NoSource(Id),
    /// A required key is absent.
    #[error("{0:?} has no key {1}")]
    NoKey(Id, String),
    /// A file of variables has no such variable.
    #[error("no variable {0} in a file of a volume")]
    NoVariable(String),
    /// An expression in a path refers to variables without a value.
    #[error("missing value for {0}")]
    NoValue(String),
    /// A path is not one that the kubelet takes.
    #[error("path {0}")]
    Path(String),
    /// Of two paths one leads through the other, which is a file.
    #[error("{0} is not a folder")]
    NotAFolder(String),
    /// There is no such container or volume.
    #[error("no {0} in the Pod")]
    Unknown(String),
}
