//! Projections: what each should say, and what the stored ones say.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::api::projection::{ProjectionSpec, ProjectionStatus};
use crate::core::index::View;
use crate::core::projection::{Input, render, restore, spec};
use crate::core::state::changes::State;
use crate::core::state::managed::{Managed, RETIRE_AFTER, Reported};
use crate::core::state::step::{Fingerprint, ProjectionStep, ProjectionWrite};
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
    /// again. Where the workload is no longer managed, whoever does not lead forgets it: so did
    /// the leader.
    pub fn disowned(&mut self, id: &WorkloadId, leads: bool) -> bool {
        let Some(managed) = self.managed.get_mut(id) else {
            return false;
        };
        if !leads && managed.retired.is_some() {
            self.managed.remove(id);
            return false;
        }
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
        let ends = managed.must_tell_of_end() && self.index.view(id).is_some();
        if let Some(since) = managed.retired.filter(|_| !ends) {
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
        if pace == Pace::Coalesced && !wait.is_zero() && !ends {
            return ProjectionStep::After(wait);
        }
        // What it projected may count again: it is still remembered.
        let view = match ends {
            true => View {
                references: &view.workload.references,
                ..view
            },
            false => view,
        };
        let status = render(&Input {
            id,
            view: &view,
            record: &managed.record,
            pods: if ends { &[] } else { &managed.pods },
            decision,
            before: managed.reported.as_ref().map(Reported::told).as_ref(),
            now,
        });
        let print = fingerprint(&status);
        if managed.says(print.told) && !managed.can_cover_newest_pod() {
            let wait = managed.versions_at(print.versions);
            match wait.map(|at| at.since(now.mono)) {
                None => return ProjectionStep::Rest,
                Some(wait) if !wait.is_zero() => return ProjectionStep::After(wait),
                Some(_) => {}
            }
        }
        ProjectionStep::Write(Box::new(ProjectionWrite {
            spec: spec(id, &view.workload.uid),
            status,
            version: managed.version(),
            print,
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
            let before = managed.reported.as_ref();
            let before = before.filter(|before| before.hash == Some(written.print.told));
            let alone = before.map_or(0, |before| before.alone.saturating_add(1));
            managed.reported_at = Some(now);
            let mut reported = Reported::of(&written.status, written.print, rv);
            reported.alone = alone;
            managed.reported = Some(reported);
        }
    }

    /// What is to be done by a replica that does not lead: it forgets a workload that is no longer
    /// managed and of which nothing is stored. Returns the time after which it looks again.
    pub fn stand_by(&mut self, id: &WorkloadId, now: Mono) -> Option<Duration> {
        let managed = self.managed.get(id)?;
        let left = RETIRE_AFTER.saturating_sub(now.since(managed.retired?));
        if left.is_zero() && managed.version().is_none() {
            self.managed.remove(id);
        }
        (!left.is_zero()).then_some(left)
    }

    /// Takes in that the Projection of a workload was deleted, as it should be.
    pub fn forget(&mut self, id: &WorkloadId) {
        let managed = self.managed.get(id);
        if managed.is_some_and(|managed| managed.retired.is_some()) {
            self.managed.remove(id);
        }
    }
}

/// Identifies what a status says, without parts whose change is no news: the versions of sources
/// apart.
fn fingerprint(status: &ProjectionStatus) -> Fingerprint {
    let mut told = status.clone();
    told.last_in_sync = None;
    told.conditions.clear();
    told.observed_generation = None;
    if let Some(decision) = &mut told.decision {
        decision.until = None;
    }
    let references = told.references.iter_mut();
    let versions: Vec<_> = references
        .map(|reference| reference.source_resource_version.take())
        .collect();
    let mut of_versions = DefaultHasher::new();
    versions.hash(&mut of_versions);
    let mut hasher = DefaultHasher::new();
    // A status is plain data: that it can't be written as JSON can't happen.
    serde_json::to_vec(&told)
        .unwrap_or_default()
        .hash(&mut hasher);
    Fingerprint {
        told: hasher.finish(),
        versions: of_versions.finish(),
    }
}
