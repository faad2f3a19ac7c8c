//! The reconcile loops.
//!
//! ```text
//! watch event ─ ingest ─▶ State (synchronous) ─▶ affected sources and workloads ─▶ queues
//! sources:   what lags behind is read ─▶ State ─▶ workloads
//! workloads: plan (pure) ─▶ patch ─▶ State
//! reports:   Projections and policies' status, behind and coalesced
//! ```

pub mod context;
pub mod endpoints;
pub mod ingest;
pub mod loops;
pub mod queue;
pub mod run;
#[cfg(test)]
mod simulation;
mod watches;
