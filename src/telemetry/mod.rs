//! What the operator tells about itself: metrics, Events, logs, health.

pub mod client;
pub mod events;
pub mod health;
pub mod http;
pub mod logs;
pub mod metrics;
mod process;
mod rate_limit;
