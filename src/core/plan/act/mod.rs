//! The ways to bring Pods up to date; each has a file.

pub(super) mod roll;

pub use roll::Plan;

/// What is done to bring Pods up to date: something to their workload, or to each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The workload's Pod template is written, so that its controller replaces the Pods.
    Roll(Plan),
}
