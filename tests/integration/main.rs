//! Projsync, the real binary, on a real control plane. How to write a test:
//! see [`harness`].

mod aba;
mod bursts;
mod endpoints;
mod harness;
mod limits;
mod missing;
mod owners;
mod quiet;
mod rbac;
mod replicas;
mod secrecy;
mod starts;
mod updates;
mod uses;
