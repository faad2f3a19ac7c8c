//! Rollouts: how a change goes out to the workloads that project it.
//!
//! A *change* is a version of a source that touched what a workload projects of it. The
//! workloads whose newest content of the source came with it are its *members*. Members under a
//! policy with waves of its own are a *lane*; all others are one lane. Members of one change and
//! lane wait for each other; what a failure tells, it tells to all lanes.
//!
//! ```text
//! plan of a workload ─▶ Member ─▶ Fleet ─▶ its turn, or a Gate
//!                                   └────▶ whose turn it is now: they are planned again
//! ```
//!
//! Where a rollout stands is a sum over its members, and each member is a function of what is
//! stored of it and of the cluster: no lock, no cursor, nothing to give back after a crash.

mod bypass;
mod gate;
mod group;
mod lane;
mod member;
mod store;
mod turns;
mod waves;

pub use bypass::Bypass;
pub use gate::{Gate, Why};
pub use lane::{Lane, LaneId};
pub use member::{Known, LastRoll, Member, Rank, Stand};
pub use store::Fleet;

#[cfg(test)]
mod tests;
