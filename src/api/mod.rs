//! What Projsync adds to the Kubernetes API: custom resources, annotations,
//! condition types and reasons.

pub mod conditions;
pub mod crd;
pub mod duration;
pub mod limits;
pub mod names;
pub mod policy;
pub mod projection;
pub mod reasons;
pub mod rollout;
pub mod rules;
mod schema;
pub mod sources;

#[cfg(test)]
mod tests;

pub use duration::Duration;
pub use policy::{ClusterSyncPolicy, SyncPolicy};
pub use projection::Projection;
pub use reasons::Reason;
