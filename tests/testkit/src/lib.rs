//! What Projsync's integration tests, end-to-end tests, demo and benchmark are made of.
//!
//! It knows nothing of the code under test: it sees what a user sees, and what
//! `/debug` tells.
//!
//! * [`Cluster`]: a control plane ([`controlplane`] supervises its processes), and
//!   [what is installed on it](RIGHTS).
//! * [`Operator`]: a process of the real binary.
//! * [`Space`]: a namespace, where an administrator creates, edits and looks.
//! * [`config_map`], [`deployment`], [`policy`] and so on: builders, one value both to create
//!   and to refer to.
//! * [`eventually`], [`until`]: nothing sleeps in place of a condition; these poll one with a
//!   deadline.
//! * [`Audit`]: every request of a user, from the API server's audit log: what was written is
//!   counted there and nowhere else.

mod audit;
mod cluster;
mod objects;
mod operator;
mod process;
mod space;
mod tools;
mod wait;
mod workload;

pub use audit::{Audit, AuditLog, Request};
pub use cluster::{ACCOUNT, Access, Cluster, DEFINITIONS, HOME, RIGHTS, client, manifests, root};
pub use objects::{
    Object, Policy, Source, SourceKind, WorkloadKind, cluster_policy, config_map, object, policy,
    secret,
};
pub use operator::{Index, Operator, Queue, SourceView, WorkloadView, binary};
pub use process::Process;
pub use space::{Edit, Space, owned_by, rollout_lacks};
pub use tools::{Kubectl, output};
pub use wait::{eventually, until, within};
pub use workload::{Use, Workload, daemon_set, deployment, projected, stateful_set};

/// What a test returns.
pub type Result<T = ()> = anyhow::Result<T>;
