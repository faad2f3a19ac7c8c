//! The reconcile loops.

pub mod state;
