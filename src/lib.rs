//! Projsync keeps running Pods in step with the ConfigMaps and Secrets projected into them.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod controller;
pub mod core;
mod random;
pub mod telemetry;
