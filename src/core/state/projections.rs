//! Projections: what each should say, and what the stored ones say.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::api::projection::{ProjectionSpec, ProjectionStatus};
use crate::core::projection::{Input, render, restore, spec};
use crate::core::state::changes::State;
use crate::core::state::managed::{Managed, RETIRE_AFTER, Reported};
use crate::core::state::step::{ProjectionStep, ProjectionWrite};
use crate::core::time::{Moment, Mono};
use crate::kinds::{Rv, WorkloadId};

/// How soon a Projection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Together with what follows shortly.
    Coalesced,
    /// At once.
    AtOnce,
}

// === impl State ===

impl State {
    /// Takes in a stored Projection, as the watch shows it in version `rv`. It is adopted
    /// unless this replica wrote it: one that leads (`leads`) writes once the first lists
    /// are complete. If somebody else has overwritten ours, returns the time after which
    /// it may be written again.
    pub fn shown(
        &mut self,
        id: &WorkloadId,
        spec: &ProjectionSpec,
        status: &ProjectionStatus,
        rv: Option<Rv>,
        leads: bool,
        now: Moment,
    ) -> Option<Duration> {
        // The last write of the leader before us may come after its lease.
        let unlisted = self.gaps.has("Projection", Some(&id.namespace));
        if !leads || !self.synced || unlisted || self.is_unknown_roll(id, status) {
            self.adopt(id, spec, status, rv, now);
        }
        let managed = self.managed.get_mut(id)?;
        managed.shown = rv;
        let overwritten = leads && managed.is_overwritten();
        overwritten.then(|| managed.report_at(now.mono).since(now.mono))
    }

    fn adopt(
        &mut self,
        id: &WorkloadId,
        spec: &ProjectionSpec,
        status: &ProjectionStatus,
        rv: Option<Rv>,
        now: Moment,
    ) {
        let stored = restore(spec, status, &self.settings.key, now);
        let reported = Some(Reported::of(status, fingerprint(status), rv));
        match self.managed.get_mut(id) {
            Some(managed) => {
                managed.record.merge(stored);
                managed.reported = reported;
            }
            None => {
                let mut managed = Box::new(Managed::new(stored));
                managed.reported = reported;
                managed.retired = Some(now.mono);
                self.managed.insert(id.clone(), managed);
            }
        }
    }

    /// Whether a stored Projection has a later roll than we know of. Another replica made
    /// it.
    fn is_unknown_roll(&self, id: &WorkloadId, status: &ProjectionStatus) -> bool {
        let Some(theirs) = status.rolls.first() else {
            return false;
        };
        let known = self.managed.get(id).map(|managed| &managed.record.rolls);
        let ours = known.and_then(|rolls| rolls.last());
        ours.is_none_or(|ours| ours.time < theirs.time.0 && *ours.revision != *theirs.revision)
    }

    /// Takes in that somebody deleted a Projection. Returns whether it is to be written
    /// again.
    pub fn disowned(&mut self, id: &WorkloadId) -> bool {
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

    /// What is to be done about a workload's Projection.
    #[must_use]
    pub fn report(&self, id: &WorkloadId, now: Moment, pace: Pace) -> ProjectionStep {
        let Some(managed) = self.managed.get(id) else {
            return ProjectionStep::Rest;
        };
        if let Some(since) = managed.retired {
            if self.gaps.of_absence(id).is_some() {
                return ProjectionStep::Rest;
            }
            let left = RETIRE_AFTER.saturating_sub(now.mono.since(since));
            return match left.is_zero() {
                false => ProjectionStep::After(left),
                true => ProjectionStep::Delete {
                    version: managed.version(),
                },
            };
        }
        let (Some(view), Some(decision)) = (self.index.view(id), &managed.decision) else {
            return ProjectionStep::Rest;
        };
        let wait = managed.report_at(now.mono).since(now.mono);
        if pace == Pace::Coalesced && !wait.is_zero() {
            return ProjectionStep::After(wait);
        }
        let status = render(&Input {
            id,
            view: &view,
            record: &managed.record,
            pods: &managed.pods,
            decision,
            before: managed.reported.as_ref().map(Reported::told).as_ref(),
            now,
        });
        let hash = fingerprint(&status);
        if managed.says(hash) && !managed.can_cover_newest_pod() {
            return ProjectionStep::Rest;
        }
        ProjectionStep::Write(Box::new(ProjectionWrite {
            spec: spec(id, &view.workload.uid),
            status,
            version: managed.version(),
            hash,
        }))
    }

    /// Takes in that a Projection was written, in version `rv`.
    pub fn reported(
        &mut self,
        id: &WorkloadId,
        written: &ProjectionWrite,
        rv: Option<Rv>,
        now: Mono,
    ) {
        if let Some(managed) = self.managed.get_mut(id) {
            managed.reported_at = Some(now);
            managed.reported = Some(Reported::of(&written.status, written.hash, rv));
        }
    }

    /// Takes in that the Projection of a workload was deleted, as it should be.
    pub fn forget(&mut self, id: &WorkloadId) {
        let managed = self.managed.get(id);
        if managed.is_some_and(|managed| managed.retired.is_some()) {
            self.managed.remove(id);
        }
    }
}

/// Identifies what a status says, without parts whose change is no news.
fn fingerprint(status: &ProjectionStatus) -> u64 {
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
