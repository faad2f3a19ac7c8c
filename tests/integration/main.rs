//! Projsync, the real binary, on a real control plane. How to write a test:
//! see [`env`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod aba;
mod bursts;
mod cli;
mod downtime;
mod endpoints;
mod env;
mod faults;
mod injected;
mod limits;
mod lost_key;
mod missing;
mod owners;
mod pods;
mod policies;
mod proxy;
mod quiet;
mod rbac;
mod replicas;
mod rights;
mod rollout;
mod secrecy;
mod soak;
mod tenants;
mod updates;
mod uses;
