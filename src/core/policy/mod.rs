//! Which workloads are managed, and under which policy.
//!
//! ```text
//! SyncPolicy, ClusterSyncPolicy ─ compile ─▶ Policies ─ select(workload) ─▶ Effective
//! ```
//!
//! A workload is managed once a policy selects it or its own annotation asks for it. An
//! invalid policy selects nothing and does not affect the others.

mod compiled;
mod effective;
mod error;
mod glob;
mod id;
mod level;
mod rollout;
mod selector;
mod set;
pub use rollout::{Rollout, Share, Wave, WaveMembers};
mod sources;
#[cfg(test)]
mod tests;

pub use compiled::CompiledPolicy;
#[cfg(test)]
pub(crate) use compiled::EVALUATIONS;
pub use effective::{Candidate, Effective, Labels, Selected};
pub use error::PolicyError;
pub use id::PolicyId;
pub use level::Changed;
pub use set::Policies;
pub use sources::SourceFilter;
