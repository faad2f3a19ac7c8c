//! The reconcile loops.

pub mod queue;
pub mod state;
