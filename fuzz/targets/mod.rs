//! What is fuzzed: one function a target, which panics where something is not so.
//!
//! `make fuzz` runs them with libFuzzer. `tests/corpus.rs` runs them once for each
//! input of `corpus/`, which is how a crash that was found stays mended.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a panic is what is looked for"
)]

pub mod annotations;
pub mod digest;
pub mod pod_spec;
pub mod policy;
pub mod watch;
