//! What a decision depends on.

use std::ops::Deref;

use crate::core::content::digest::DigestKey;
use crate::core::history::record::Record;
use crate::core::index::{SourceName, View};
use crate::core::plan::pods::PodFacts;
use crate::core::policy::Effective;
use crate::core::time::{Moment, Mono};

/// Objects that can't be listed, though a workload can't be planned without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// When the operator learned of it.
    pub since: Mono,
    /// Why, and what is to be done: sentences.
    pub why: String,
}

/// Everything that a decision depends on.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Whether every watch has finished its first list, or is left out.
    pub synced: bool,
    /// What it needs that can't be listed.
    pub unlisted: Option<&'a Unlisted>,
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
    /// Now, by the operator's clock and by the API server's.
    pub now: Moment,
}

/// The facts about a workload that is managed.
#[derive(Debug)]
pub(super) struct ManagedFacts<'a> {
    pub(super) facts: &'a Facts<'a>,
    /// The policy in force.
    pub(super) policy: &'a Effective,
}

// === impl Facts ===

impl Facts<'_> {
    /// The outdated Pods.
    pub(super) fn outdated(&self) -> impl Iterator<Item = &PodFacts> {
        self.pods.iter().filter(|pod| pod.is_outdated())
    }

    /// The outdated Pods of the current template: those that only a roll replaces.
    pub(super) fn to_replace(&self) -> impl Iterator<Item = &PodFacts> {
        self.outdated().filter(|pod| pod.current)
    }
}

// === impl ManagedFacts ===

impl<'a> Deref for ManagedFacts<'a> {
    type Target = Facts<'a>;

    fn deref(&self) -> &Self::Target {
        self.facts
    }
}
