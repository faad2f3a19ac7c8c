//! A model of how a change that many workloads project goes out: one workload first, then more
//! of them at a time, and nobody after one that fails.
//!
//! ```text
//! history ─▶ World: contents, Pods, controllers, health of rolls
//!               │ members          ▲ rolls
//!               ▼                  │
//!            rules::admit ─────────┘ ──▶ Judge: was any of it wrong?
//! ```
//!
//! [`rules`] is what is to be built: from plain facts about the workloads it says who may be rolled.
//! [`world`] is a simple cluster, in which contents are good or bad for some workloads. [`judge`] knows
//! nothing of the rules; it looks at what the world's Pods really do. Random histories, and the named ones
//! that broke earlier rules, are in the tests; for each promise there is a [`rules::Mutant`] that breaks it.
//!
//! `src/core/fleet` is held against [`rules`]. Windows, approvals and what people may override are not
//! in here.

pub mod judge;
pub mod rules;
pub mod world;

#[cfg(test)]
mod tests;
