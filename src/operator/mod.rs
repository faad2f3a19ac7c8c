//! The reconcile loops.
//!
//! ```text
//! watch event ─ ingest ─▶ State (synchronous) ─▶ affected sources and workloads ─▶ queues
//! sources:   what lags behind is read ─▶ State ─▶ workloads
//! workloads: plan (pure) ─▶ patch ─▶ State
//! reports:   Projections and policies' status, behind and coalesced
//! ```

mod announce;
pub mod clock;
pub mod context;
pub mod drain;
pub mod ingest;
pub mod insight;
pub mod leadership;
pub mod loops;
pub mod queue;
pub mod run;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
mod watches;
