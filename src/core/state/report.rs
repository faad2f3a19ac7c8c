//! What a Projection should be, and what was written of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::api::projection::{ProjectionSpec, ProjectionStatus};
use crate::core::projection::{Clock, Input, render, spec};
use crate::core::state::managed::Reported;
use crate::core::state::{RETIRE_AFTER, State};
use crate::core::time::Mono;
use crate::kinds::{Rv, WorkloadId};

/// What a Projection should be.
#[derive(Debug)]
pub enum Report {
    /// As it is.
    Unchanged,
    /// Written like this.
    Write {
        /// `spec`.
        spec: ProjectionSpec,
        /// `status`.
        status: Box<ProjectionStatus>,
        /// Identifies what it says.
        hash: u64,
        /// The version that it takes the place of, as far as one is known.
        version: Option<Rv>,
    },
    /// Deleted.
    Delete {
        /// The version that goes, as far as one is known.
        version: Option<Rv>,
    },
    /// Looked at again after this time.
    After(Duration),
}

/// How soon a Projection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// With what follows shortly.
    Coalesced,
    /// As it is now.
    AtOnce,
}

// === impl State ===

impl State {
    /// Notes that somebody deleted a Projection of ours.
    pub fn disown_report(&mut self, id: &WorkloadId) -> bool {
        let Some(managed) = self.managed.get_mut(id) else {
            return false;
        };
        managed.shown = None;
        let Some(reported) = managed.reported.as_mut() else {
            return false;
        };
        reported.hash = None;
        reported.rv = None;
        true
    }

    /// Notes that the watch has shown a version of a Projection. If somebody else
    /// has written over ours, returns in how long it may be written again.
    pub fn shown(&mut self, id: &WorkloadId, rv: Option<Rv>, now: Mono) -> Option<Duration> {
        let managed = self.managed.get_mut(id)?;
        managed.shown = rv;
        let overwritten = managed.is_overwritten();
        overwritten.then(|| managed.report_at(now).since(now))
    }

    /// What a workload's Projection should be.
    #[must_use]
    pub fn report(&self, id: &WorkloadId, clock: Clock, pace: Pace) -> Report {
        let Some(managed) = self.managed.get(id) else {
            return Report::Unchanged;
        };
        if let Some(since) = managed.retired {
            let age = clock.now.since(since);
            return match RETIRE_AFTER.checked_sub(age).filter(|left| !left.is_zero()) {
                Some(left) => Report::After(left),
                None => Report::Delete {
                    version: managed.version(),
                },
            };
        }
        let (Some(view), Some(decision)) = (self.index.view(id), &managed.decision) else {
            return Report::Unchanged;
        };
        let wait = managed.report_at(clock.now).since(clock.now);
        if pace == Pace::Coalesced && !wait.is_zero() {
            return Report::After(wait);
        }
        let before = managed.reported.as_ref().map(|reported| ProjectionStatus {
            decision: reported.decision.clone(),
            conditions: reported.conditions.clone(),
            ..ProjectionStatus::default()
        });
        let status = render(&Input {
            id,
            view: &view,
            record: &managed.record,
            pods: &managed.pods,
            decision,
            before: before.as_ref(),
            clock,
        });
        let hash = fingerprint(&status);
        let reported = managed.reported.as_ref();
        let told = reported.is_some_and(|reported| reported.hash == Some(hash))
            && !managed.is_overwritten();
        if told && !managed.can_cover_newest_pod() {
            return Report::Unchanged;
        }
        Report::Write {
            spec: spec(id, &view.workload.uid),
            status: Box::new(status),
            hash,
            version: managed.version(),
        }
    }

    /// Notes that a Projection was written.
    pub fn reported(
        &mut self,
        id: &WorkloadId,
        hash: u64,
        status: &ProjectionStatus,
        rv: Option<Rv>,
        now: Mono,
    ) {
        if let Some(managed) = self.managed.get_mut(id) {
            managed.reported_at = Some(now);
            managed.reported = Some(Reported::of(status, hash, rv));
        }
    }

    /// Forgets a workload whose Projection is deleted.
    pub fn forget(&mut self, id: &WorkloadId) {
        if self
            .managed
            .get(id)
            .is_some_and(|managed| managed.retired.is_some())
        {
            self.managed.remove(id);
        }
    }
}

/// Identifies what a status says, less what moves without telling anything new.
pub(super) fn fingerprint(status: &ProjectionStatus) -> u64 {
    let mut told = status.clone();
    told.last_in_sync = None;
    told.conditions.clear();
    told.observed_generation = None;
    if let Some(decision) = &mut told.decision {
        decision.until = None;
    }
    for reference in &mut told.references {
        reference.source_resource_version = None;
    }
    let mut hasher = DefaultHasher::new();
    // A status is plain data: that it can't be written as JSON can't happen.
    serde_json::to_vec(&told)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}
