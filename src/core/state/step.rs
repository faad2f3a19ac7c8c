//! What is to be done next.

use std::sync::Arc;
use std::time::Duration;

use crate::api::policy::PolicyStatus;
use crate::api::projection::{ProjectionSpec, ProjectionStatus};
use crate::api::reasons::Reason;
use crate::core::plan::{Act, Decision, Verdict};
use crate::core::policy::PolicyId;
use crate::core::time::Mono;
use crate::kinds::{Rv, WorkloadId};

/// What is to be done about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceStep {
    /// Its content is read, in this version or a later one.
    Read {
        /// The version that the watch has shown.
        shown: Option<Rv>,
    },
    /// There is nothing to read: these workloads are planned.
    Plan(Vec<WorkloadId>),
}

/// What is to be done about a workload.
#[derive(Debug)]
pub enum WorkloadStep {
    /// Nothing until something changes.
    Rest,
    /// It is planned again then.
    At(Mono),
    /// Its Pods are brought up to date.
    Act(Order),
}

/// What is to be done to bring Pods up to date.
#[derive(Debug)]
pub struct Order {
    /// `metadata.uid` of the workload that was planned for.
    pub uid: Arc<str>,
    /// Its `metadata.resourceVersion`.
    pub resource_version: String,
    /// What is done.
    pub act: Act,
    /// When we learned of the change.
    pub changed: Mono,
}

/// A decision that was made, and what follows from it.
#[derive(Debug)]
pub struct Planned {
    /// What is to be done.
    pub step: WorkloadStep,
    /// What was decided.
    pub decision: Decision,
    /// Whether reason or outcome differ from the last one.
    pub news: bool,
    /// `metadata.uid` of the workload, if there is one.
    pub uid: Option<Arc<str>>,
    /// The time after which the Projection is looked at; `None` if it needn't be.
    pub report: Option<Duration>,
    /// Workloads whose turn it is now: they are planned too.
    pub next: Vec<WorkloadId>,
}

/// What is to be done about a Projection.
#[derive(Debug)]
pub enum ProjectionStep {
    /// Nothing: it is as it should be.
    Rest,
    /// It is looked at again after this time.
    After(Duration),
    /// It is written.
    Write(Box<ProjectionWrite>),
    /// It is deleted.
    Delete {
        /// The version that is deleted, if it is known.
        version: Option<Rv>,
    },
}

/// A Projection to be written.
#[derive(Debug)]
pub struct ProjectionWrite {
    /// `spec`.
    pub spec: ProjectionSpec,
    /// `status`.
    pub status: ProjectionStatus,
    /// The version that it replaces, if it is known.
    pub version: Option<Rv>,
    /// Identifies what it says.
    pub(super) print: Fingerprint,
}

/// Identifies what a status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// All that tells something new.
    pub(super) told: u64,
    /// The versions in which sources were seen.
    pub(super) versions: u64,
}

/// What is to be done about the status of policies.
#[derive(Debug)]
pub enum PolicyStep {
    /// They are looked at again after this time.
    After(Duration),
    /// These are written; the others are as they should be.
    Write(Vec<(PolicyId, PolicyStatus)>),
}

// === impl Planned ===

impl Planned {
    pub(super) fn gone(report: Option<Duration>) -> Self {
        Self {
            step: WorkloadStep::Rest,
            decision: Decision {
                verdict: Verdict::Nothing,
                reason: Reason::NotManaged,
                message: "It is not managed.".to_owned(),
            },
            news: false,
            uid: None,
            report,
            next: Vec::new(),
        }
    }
}
