//! Projsync keeps running Pods in step with the ConfigMaps and Secrets projected into them.
//!
//! ```text
//! watch event ─▶ index (synchronous) ─▶ affected sources and workloads ─▶ queues
//!                                                                          │
//!          Projection, Events ◀─ act (server-side apply) ◀─ plan (pure) ◀─ read
//! ```
//!
//! - [`core`] is pure: what is projected, what each Pod has, what to do.
//! - [`api`] has the custom resources and every name, reason and condition.
//! - [`cluster`] sees and writes the cluster: watches, reads, patches, the lease.
//! - [`kinds`] names kinds of workloads and sources, and their objects.
//! - [`operator`] has the reconcile loops between them.
//! - [`report`] has what people are told: status, tree, explain, the effect of a change.
//! - [`serve`] has the HTTP endpoints.
//! - [`telemetry`] has metrics and logs.
//! - [`cli`] has the commands.
//!
//! An event only names what to look at; a plan reads current state.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod core;
pub mod kinds;
pub mod operator;
mod random;
pub mod report;
pub mod serve;
pub mod telemetry;

/// The version of this build: that of the crate, unless `PROJSYNC_VERSION` gave another when it
/// was compiled.
pub const VERSION: &str = match option_env!("PROJSYNC_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
