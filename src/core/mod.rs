//! The pure core: what is projected, what each Pod has, what to do about it.
//!
//! ```text
//! Pod template ─ pod_spec ─▶ reference ─┐
//! ConfigMap, Secret ─ content ─ digest ─┼─▶ timeline ─▶ standing of each Pod ─▶ plan ─▶ Decision
//! policies ─ policy ────────────────────┘                                        │
//! index: who projects what, and which Pods are whose                 projection ◀┘
//! ```
//!
//! [`state`] holds all of this together: events in, steps out. [`history`] has a glossary.
//!
//! Nothing in here does I/O, reads a clock, draws a random number or logs:
//! time, keys and identity are arguments.

pub mod content;
pub mod fleet;
pub mod health;
pub mod history;
pub mod index;
pub mod lenient;
pub mod object;
pub mod plan;
pub mod policy;
pub mod project;
pub mod projection;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
