//! The core alone: the same sources, compiled with only the dependencies that
//! this crate lists. A core that reached for a client or a runtime would not build here.

// Its tests run in the main package: `cargo check --all-targets` and editors ask for them here too.
#![cfg(not(test))]

#[path = "../../../src/api/mod.rs"]
pub mod api;
#[path = "../../../src/core/mod.rs"]
pub mod core;
#[path = "../../../src/kinds/mod.rs"]
pub mod kinds;
