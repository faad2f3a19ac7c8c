//! The policy in force for a workload.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::id::PolicyId;
use super::sources::SourceFilter;
use crate::api::Reason;
use crate::api::rules::Rules;
use crate::kinds::WorkloadKind;

/// A workload for which the policy in force is sought.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Kind of the workload.
    pub kind: WorkloadKind,
    /// Namespace of the workload.
    pub namespace: &'a str,
    /// Labels of its namespace; `None` while they are not known. No selector matches then, not
    /// even one that asks for a label to be absent.
    pub namespace_labels: Option<&'a Labels>,
    /// Labels of the workload.
    pub labels: &'a Labels,
    /// Value of its annotation `projsync.dev/sync`.
    pub sync: Option<&'a str>,
}

/// `metadata.labels`.
pub type Labels = BTreeMap<String, String>;

/// Whether a workload is managed.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// It is managed, under these settings.
    Managed(Arc<Effective>),
    /// It is not managed.
    NotManaged {
        /// `NotManaged`, `PolicyNotFound` or `PolicyInvalid`.
        reason: Reason,
        /// The reason as a sentence.
        message: String,
    },
}

/// Settings in force for a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// The policy; `None` if the defaults are in force.
    pub policy: Option<PolicyId>,
    /// Why this policy is in force, as a sentence.
    pub why: String,
    /// How outdated Pods are handled, and when.
    pub rules: Rules,
    /// The sources that count.
    pub sources: Arc<SourceFilter>,
    /// How a change goes out to many.
    pub rollout: Arc<super::rollout::Rollout>,
    /// The ClusterSyncPolicy that stops all rolls, if one does.
    pub stopped: Option<PolicyId>,
}

// === impl Effective ===

impl Effective {
    /// Settings of a workload that asks to be managed and that no policy selects.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            policy: None,
            why: "The workload asks to be managed and no policy selects it: the defaults apply."
                .to_owned(),
            rules: Rules::default(),
            sources: Arc::default(),
            rollout: Arc::default(),
            stopped: None,
        }
    }
}
