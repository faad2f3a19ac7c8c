//! Metrics, logs and measurements of the process.

pub mod logs;
pub mod metrics;
mod process;
