//! Tests that leave the operator alone; all at the same time, each in a namespace of its own.

mod account;
mod changes;
mod crash;
mod gitops;
mod installed;
mod kinds;
mod kubelet;
mod observe;
mod ways;
