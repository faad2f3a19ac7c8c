//! The reconcile loops, one file each.

pub mod policies;
pub mod reports;
pub mod sources;
pub mod workloads;
