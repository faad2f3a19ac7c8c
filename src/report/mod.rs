//! Reports for people: status, tree, explain, and the effects of a change.
//!
//! All of this is pure. A report is made of objects that were read; it can be serialized, and
//! renders to a [`Page`]. The command line, or a web view, reads the objects and
//! prints the report.
//!
//! - [`objects`] has the objects that were read, and the workloads that own the Pods.
//! - [`uses`] has the uses in a Pod template, in words.
//! - [`leader`] tells whether an operator leads and has seen the sources as they are now.
//! - [`effect`] has the effects of a change of content.
//! - [`status`], [`tree`], [`explain`] and [`undo`] are the reports.
//! - [`output`] writes text that can't act on a terminal, JSON and YAML.

pub mod age;
pub mod effect;
pub mod explain;
pub mod leader;
pub mod name;
pub mod not_ready;
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

/// A report that can be shown.
pub trait Report: Serialize {
    /// The report as lines for people; `wide` shows more columns.
    fn page(&self, wide: bool, now: Timestamp) -> Page;

    /// The names of the objects in the report, as kubectl accepts them.
    fn names(&self) -> Vec<String>;

    /// What couldn't be seen, and what looks wrong.
    fn notes(&self) -> &[String];
}
