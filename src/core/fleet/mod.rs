//! How the changes of a source go out to the workloads that project it.

mod people;

pub use people::{Approved, Muted, People};
