//! HTTP endpoints: health, metrics, debugging.

pub mod health;
pub mod http;
pub mod readiness;
