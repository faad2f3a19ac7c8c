//! What people are told of a cluster: status, tree, explain, and what a change would do.
//!
//! Everything here is pure: a report is made of objects that were read, serializes as it is,
//! and renders to a [`Page`](output::Page). Whoever shows it (the command line, a web view)
//! reads, calls and prints.
//!
//! - [`objects`] has what was read: workloads, Pods, Projections, and whose Pods are whose.
//! - [`uses`] has what a Pod template projects, in words.
//! - [`effect`] has what a change of content would bring about.
//! - [`status`], [`tree`], [`explain`] and [`undo`] are the reports.
//! - [`output`] is the one way out: text that can't act on a terminal, JSON and YAML.

pub mod age;
pub mod effect;
pub mod explain;
pub mod name;
pub mod objects;
pub mod output;
pub mod projected;
pub mod status;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod undo;
mod unmanaged;
pub mod uses;
mod words;

use jiff::Timestamp;
use serde::Serialize;

use output::Page;

/// What a command shows.
pub trait Report: Serialize {
    /// The report for people; `wide` for those with wide terminals.
    fn page(&self, wide: bool, now: Timestamp) -> Page;

    /// The names of what it is about, as kubectl takes them.
    fn names(&self) -> Vec<String>;

    /// What couldn't be seen, and what looks wrong.
    fn notes(&self) -> &[String];
}
