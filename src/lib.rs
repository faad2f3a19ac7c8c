//! Projsync keeps running Pods in step with the ConfigMaps and Secrets projected into them.
//!
//! ```text
//! watch event ─▶ index (synchronous) ─▶ affected sources and workloads ─▶ queues
//!                                                                          │
//!          Projection, Events ◀─ act (server-side apply) ◀─ plan (pure) ◀─ read
//! ```
//!
//! - [`core`] is pure: what is projected, what each Pod has, what to do.
//! - [`api`] has the custom resources, names, reasons and conditions.
//! - [`cluster`] has all communication with the API server: watches, reads, writes, the lease.
//! - [`kinds`] has the registry of kinds of workloads and sources, and names of objects.
//! - [`operator`] has the queues and loops between core and cluster.
//! - [`report`] has the reports for people: status, tree, explain, effects of a change.
//! - [`serve`] has the HTTP endpoints.
//! - [`telemetry`] has metrics and logs.
//! - [`cli`] has the commands.
//!
//! An event only names what to look at; a plan reads the current state.

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

/// Version of this build: `PROJSYNC_VERSION` at compile time, or else the crate's version.
pub const VERSION: &str = match option_env!("PROJSYNC_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
