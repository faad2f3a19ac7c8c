//! What the operator tells about itself: metrics, logs, figures of the process.

pub mod logs;
pub mod metrics;
mod process;
