//! What the operator serves over HTTP: health, metrics, debugging.

pub mod health;
pub mod http;
pub mod readiness;
