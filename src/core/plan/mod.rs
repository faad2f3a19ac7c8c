//! Deciding: a chain of small guards over the facts about one workload.
//!
//! A decision is a pure function of (workload, references and timelines, Pods,
//! policy, history, now). The first guard that answers decides; where none does,
//! the workload is rolled. Events, conditions, metrics and the command line show
//! the same reason and sentence.

mod guards;
mod pods;
mod roll;

use std::sync::Arc;
use std::time::Duration;

pub use pods::{PodFacts, Tally, assess};
pub use roll::Plan;

use crate::api::projection::Outcome;
use crate::api::reasons::Reason;
use crate::core::content::digest::DigestKey;
use crate::core::history::record::Record;
use crate::core::index::{SourceName, View};
use crate::core::policy::Effective;
use crate::core::time::Mono;

/// How long the kubelet may take to refresh a mounted directory, unless told.
pub const REFRESH_BOUND: Duration = Duration::from_secs(120);

/// Everything that a decision depends on.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Whether every watch has finished its first list.
    pub synced: bool,
    /// The workload, its policy and its Pods.
    pub view: &'a View<'a>,
    /// What is remembered of it.
    pub record: &'a Record,
    /// What each of its Pods has.
    pub pods: &'a [PodFacts],
    /// A source of it whose last version is not read yet.
    pub unread: Option<&'a SourceName>,
    /// Makes the revision.
    pub key: &'a DigestKey,
    /// The operator's clock.
    pub now: Mono,
}

/// What is done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub verdict: Verdict,
    /// Reason, as a constant.
    pub reason: Reason,
    /// Reason, as a sentence.
    pub message: String,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: there is nothing to do, or the workload's controller does it.
    Nothing,
    /// The workload is rolled.
    Roll(Plan),
    /// It is planned again at that time, or when something changes.
    Wait(Option<Mono>),
    /// It needs somebody: it is planned again when something changes.
    Hold,
}

type Guard = fn(&Facts<'_>) -> Option<Decision>;

/// In this order: an earlier guard's answer makes the later ones' moot.
const CHAIN: &[Guard] = &[
    guards::caches_not_complete,
    guards::not_managed,
    guards::terminating,
    guards::own_write_not_seen,
    guards::source_not_read,
    guards::required_missing,
    guards::edit_not_read,
    guards::no_pod_outdated,
    guards::template_not_observed,
    guards::older_templates_only,
    guards::suspended,
    guards::observe_only,
    guards::paused,
    guards::settling,
    guards::minimum_interval,
    guards::contested,
];

/// Decides about one workload.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Decision {
    CHAIN
        .iter()
        .find_map(|guard| guard(facts))
        .unwrap_or_else(|| roll::roll(facts))
}

// === impl Facts ===

impl Facts<'_> {
    /// The policy in force; the first guards have made sure that there is one.
    fn policy(&self) -> Option<&Arc<Effective>> {
        match self.view.selected {
            crate::core::policy::Selected::Managed(policy) => Some(policy),
            crate::core::policy::Selected::NotManaged { .. } => None,
        }
    }

    /// The outdated Pods of the current template: those that only a roll replaces.
    fn to_replace(&self) -> impl Iterator<Item = &PodFacts> {
        self.pods
            .iter()
            .filter(|pod| pod.current && pod.is_outdated())
    }

    fn outdated(&self) -> usize {
        self.pods.iter().filter(|pod| pod.is_outdated()).count()
    }
}

// === impl Decision ===

impl Decision {
    /// The verdict without what goes with it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.verdict {
            Verdict::Nothing => Outcome::Nothing,
            Verdict::Roll(_) => Outcome::Roll,
            Verdict::Wait(_) => Outcome::Wait,
            Verdict::Hold => Outcome::Hold,
        }
    }

    fn new(verdict: Verdict, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            verdict,
            reason,
            message: message.into(),
        }
    }
}

/// `1 Pod`, `2 Pods`.
fn count_pods(count: usize) -> String {
    match count {
        1 => "1 Pod".to_owned(),
        _ => format!("{count} Pods"),
    }
}

/// `500ms`, `2s`, `1m30s`.
fn in_words(duration: Duration) -> String {
    crate::api::duration::Duration::from(duration).to_string()
}

#[cfg(test)]
mod tests;
