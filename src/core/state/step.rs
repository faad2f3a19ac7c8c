//! What is to be done next.

use std::sync::Arc;
use std::time::Duration;

use crate::api::reasons::Reason;
use crate::core::plan::{Decision, Plan, Verdict};
use crate::core::time::Mono;

/// What is to be done about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// All references have its newest version.
    Nothing,
    /// It is absent: there is nothing to read.
    Absence,
    /// Its content has to be read.
    Read,
}

/// What is to be done about a workload.
#[derive(Debug)]
pub enum Step {
    /// Nothing until something changes.
    Rest,
    /// Plan again then.
    At(Mono),
    /// Roll it.
    Roll(Order),
}

/// A roll to be made.
#[derive(Debug)]
pub struct Order {
    /// `metadata.uid` of the workload that was planned for.
    pub uid: Arc<str>,
    /// Its `metadata.resourceVersion`.
    pub resource_version: String,
    /// What is written.
    pub plan: Plan,
    /// When we learned of the change.
    pub changed: Mono,
}

/// A decision that was made, and whether it is another than before.
#[derive(Debug)]
pub struct Planned {
    /// What is to be done.
    pub step: Step,
    /// What was decided.
    pub decision: Decision,
    /// Whether reason or outcome differ from the last one.
    pub news: bool,
    /// `metadata.uid` of the workload, if there is one.
    pub uid: Option<Arc<str>>,
    /// In how long the Projection should be looked at, if at all.
    pub report: Option<Duration>,
}

// === impl Planned ===

impl Planned {
    pub(super) fn gone(report: Option<Duration>) -> Self {
        Self {
            step: Step::Rest,
            decision: Decision {
                verdict: Verdict::Nothing,
                reason: Reason::NotManaged,
                message: "It is not managed.".to_owned(),
            },
            news: false,
            uid: None,
            report,
        }
    }
}
