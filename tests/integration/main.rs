//! Projsync, the real binary, on a real control plane. How to write a test:
//! see [`harness`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod harness;

mod endpoints;
mod limits;
mod rbac;
mod replicas;
mod secrecy;
mod starts;
