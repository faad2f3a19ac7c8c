//! Our rolls of a workload, and whether somebody undoes them.

use std::sync::Arc;

use crate::api::projection::RollState;
use crate::core::object::workload::Template;
use crate::core::time::{Moment, ServerTime};
use crate::kinds::Rv;

/// One roll that we made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The value of `projsync.dev/revision` that was written.
    pub revision: Arc<str>,
    /// The API server's time of it.
    pub time: ServerTime,
    /// The workload's version after it. Pods that carry the revision started later.
    pub rv: Option<Rv>,
    /// `ConfigMap/app: key1, key2`, one for each source.
    pub causes: Vec<String>,
    /// How it goes.
    pub health: Health,
}

/// How a roll goes; see [`crate::core::health`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Where it is.
    pub state: RollState,
    /// How many Pods were not ready before it. `None`: something else goes on in the workload,
    /// so that the roll tells nothing of its content.
    pub unready: Option<u32>,
    /// Since when it is complete, and nothing has failed.
    pub completed: Option<Moment>,
    /// Why it is Failed or Stuck.
    pub trouble: Option<Trouble>,
}

/// Why a roll is Failed or Stuck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The Pod that fails.
    pub pod: Option<Arc<str>>,
    /// `CrashLoopBackOff`, for example.
    pub reason: Arc<str>,
    /// Since when.
    pub since: ServerTime,
}

/// Counts how often somebody else removed our annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contest {
    /// The revision that we last wrote.
    pub revision: Option<Arc<str>>,
    /// Whether the template was seen with it.
    pub present: bool,
    /// How often it was removed while nothing else of the template changed.
    pub removals: u32,
    /// The value that replaced it when it was last removed. It is that of our own next roll
    /// if the watch brings that before the answer to the patch.
    pub replaced_by: Option<Arc<str>>,
}

/// The digest in a revision, without the counter that may follow it.
#[must_use]
pub fn base_of(revision: &str) -> &str {
    // v1.<key id>.<digest>[.<n>]
    match revision.match_indices('.').nth(2) {
        Some((at, _)) => &revision[..at],
        None => revision,
    }
}

// === impl Contest ===

impl Contest {
    /// Takes in another template.
    pub(super) fn see(&mut self, template: &Template, otherwise_same: bool) {
        if !otherwise_same {
            *self = Self::default();
            return;
        }
        let ours = self.revision.is_some() && template.revision == self.revision;
        if self.present && !ours {
            self.removals = self.removals.saturating_add(1);
            self.replaced_by = template.revision.clone();
        }
        self.present = ours;
    }

    /// Notes our own roll to `revision`, whose digest is `base`. The watch may have shown
    /// it already, in `template`.
    pub(super) fn rolled(&mut self, revision: &Arc<str>, base: &str, template: Option<&Template>) {
        let ours = self.revision.as_deref();
        let same_content = ours.is_some_and(|ours| base_of(ours) == base);
        let by_us = self.replaced_by.take().as_ref() == Some(revision);
        if !same_content {
            self.removals = 0;
        } else if by_us {
            self.removals = self.removals.saturating_sub(1);
        }
        self.present =
            template.is_some_and(|template| template.revision.as_ref() == Some(revision));
        self.revision = Some(revision.clone());
    }

    /// Notes that somebody undid our roll to `revision`, whose digest is `base`, in the same
    /// request: the template never had it.
    pub(in crate::core) fn undone_at_once(&mut self, revision: &Arc<str>, base: &str) {
        self.rolled(revision, base, None);
        self.removals = self.removals.saturating_add(1);
    }
}
