//! Projsync, the real binary, on a real control plane. How to write a test:
//! see [`harness`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod aba;
mod bursts;
mod harness;

mod pods;
mod quiet;
mod rbac;
mod starts;
mod uses;
