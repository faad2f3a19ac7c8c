//! What is known of each kind of object, in one place: the registry.
//!
//! A kind of workload or source is a row; a [`Kind`] is the id of a row. All that differs
//! between kinds is asked of the row, and nothing else names one.

mod api_type;
mod class;
mod id;
mod kind;
mod source;
mod workload;

pub use api_type::{ApiType, CONTROLLER_REVISION, CRON_JOB, NAMESPACE, POD, REPLICA_SET, Scope};
pub use class::Class;
pub use id::{Rv, SourceId, WorkloadId};
pub use kind::{Kind, Row};
pub use source::{SourceKind, SourceRow};
pub use workload::{Pods, Wanted, WorkloadKind, WorkloadRow};

#[cfg(test)]
mod tests;
