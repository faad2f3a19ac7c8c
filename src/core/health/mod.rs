//! Health of a roll: whether the content that it brought is good for the workload.
//!
//! ```text
//! Rolling ─▶ Complete ─▶ Good        (complete, and nothing failed for the soak)
//!    │  ▲       │          │
//!    ▼  └───────┴──────────┘
//! Stuck       Failed                 (a container that started with it fails)
//! ```
//!
//! Only what a container does accuses a roll. A Pod's condition `Ready` never does, since a
//! lost node sets it too, nor does a container that didn't start, since that is a matter of
//! images, nodes and quotas. A roll of a workload in which something else goes on (it was not
//! wholly ready, it crashed lately, or its owner changed the template at the same time) neither
//! proves nor accuses its content.

mod baseline;
mod complete;
mod failing;
mod judge;
mod seen;

pub use baseline::baseline;
pub use judge::Watched;
pub use seen::Seen;

#[cfg(test)]
mod tests;
