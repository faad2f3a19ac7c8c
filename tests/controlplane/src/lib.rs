//! A real Kubernetes control plane for Projsync's tests, demo and benchmark:
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok
//! playing the nodes.
//!
//! ```text
//! ControlPlane::start ─ spawns ─> `controlplane run` (the supervisor) ─ owns ─> etcd, kube-apiserver, ...
//!        │ stdin: a pipe                 │ stdout: one JSON line when ready, then one per command
//!        └ closed when the holder goes, however that goes: the supervisor ends everything
//! ```
//!
//! The supervisor is a process of its own because only that survives a panic or
//! SIGKILL of the test that uses it; its children in turn ask the kernel to be
//! killed with it. See the README beside this crate.

mod client;
mod component;
mod locate;

pub use client::{ControlPlane, Error, Options, Ready, guarded};
pub use component::{Action, Component};
