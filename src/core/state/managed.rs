//! What is remembered of one workload.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::projection::{DecisionRecord, ProjectionStatus, RollState};
use crate::api::reasons::{Quality, Reason};
use crate::core::health::{Seen, Watched};
use crate::core::history::record::{Record, TrackKey};
use crate::core::object::workload::Workload;
use crate::core::plan::{Decision, PodFacts, Verdict};
use crate::core::state::step::{Fingerprint, Order, WorkloadStep};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::Rv;

/// Time after which the Projection of a workload that is no longer managed is deleted.
pub const RETIRE_AFTER: Duration = Duration::from_secs(5 * 60);

/// The least time between two writes of a Projection, except for a roll. What passes
/// within it is not written at all.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// The least time between two writes while a rollout goes on. Its Pods tell more of it, and
/// hundreds of rollouts at a time keep the API server busy enough. The same for versions of
/// sources in which nothing changed that the workload projects.
pub const ROLLOUT_INTERVAL: Duration = Duration::from_secs(30);

/// How often the interval between such writes doubles.
const MAX_DOUBLINGS: u32 = 3;

/// One workload that is managed, or was until lately.
#[derive(Debug)]
pub(in crate::core) struct Managed {
    pub(in crate::core) record: Record,
    pub(super) decision: Option<Decision>,
    /// What is remembered of the last roll to judge it by.
    pub(super) watched: Watched,
    /// How many rolls in a row were refused.
    pub(super) refusals: u32,
    /// When that roll may be judged otherwise though nothing happens.
    judged_again: Option<Mono>,
    /// When the decision's reason or outcome last changed.
    pub(super) decided: Mono,
    pub(super) pods: Vec<PodFacts>,
    /// The Projection as last written.
    pub(super) reported: Option<Reported>,
    /// When it was written.
    pub(super) reported_at: Option<Mono>,
    /// When it ceased to be managed; `None` while it is.
    pub(super) retired: Option<Mono>,
    /// Whether an Event has told that its digests were lost.
    pub(super) told_of_loss: bool,
    /// The newest version of its Projection that the watch has shown.
    pub(super) shown: Option<Rv>,
}

/// What has to be remembered of a Projection that was written.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    /// Identifies what it says; `None` if somebody deleted it.
    pub(super) hash: Option<u64>,
    /// Identifies the versions of sources that it says were seen.
    pub(super) versions: u64,
    /// How many writes in a row told of nothing but such versions.
    pub(super) alone: u32,
    /// Its `metadata.resourceVersion`.
    pub(super) rv: Option<Rv>,
    /// Decision and conditions as written: their times move only when they change.
    pub(super) decision: Option<DecisionRecord>,
    pub(super) conditions: Vec<Condition>,
    pub(super) last_in_sync: Option<ServerTime>,
    /// The last roll: its revision and time, and whether it had failed.
    last_roll: Option<(String, ServerTime, bool)>,
}

// === impl Reported ===

impl Reported {
    /// Keeps what is needed of a `status` that was written in version `rv`.
    pub(super) fn of(status: &ProjectionStatus, print: Fingerprint, rv: Option<Rv>) -> Self {
        Self {
            hash: Some(print.told),
            versions: print.versions,
            alone: 0,
            rv,
            decision: status.decision.clone(),
            conditions: slim(&status.conditions),
            last_in_sync: status.last_in_sync.as_ref().map(|last| last.time.0),
            last_roll: status
                .rolls
                .first()
                .map(|roll| (roll.revision.clone(), roll.time.0, is_failed(roll.state))),
        }
    }

    /// The status that was written, as far as the next one builds on it.
    pub(super) fn told(&self) -> ProjectionStatus {
        ProjectionStatus {
            decision: self.decision.clone(),
            conditions: self.conditions.clone(),
            ..ProjectionStatus::default()
        }
    }
}

// === impl Managed ===

impl Managed {
    pub(super) fn new(record: Record) -> Self {
        Self {
            record,
            watched: Watched::default(),
            refusals: 0,
            judged_again: None,
            decision: None,
            decided: Mono::default(),
            pods: Vec::new(),
            reported: None,
            reported_at: None,
            retired: None,
            told_of_loss: false,
            shown: None,
        }
    }

    /// Ends the management of the workload.
    pub(super) fn retire(&mut self, now: Mono) {
        if self.retired.is_none() {
            self.retired = Some(now);
            self.decision = None;
            self.pods.clear();
            self.judged_again = None;
            self.record.pause();
        }
    }

    /// Judges the last roll.
    pub(super) fn judge(&mut self, seen: &Seen<'_>) {
        self.judged_again = self.watched.judge(&mut self.record, seen);
    }

    /// Forgets every version, of its Projection too.
    pub(super) fn forget_versions(&mut self) {
        self.record.forget_versions();
        self.shown = None;
        if let Some(reported) = &mut self.reported {
            reported.rv = None;
            reported.hash = None;
        }
    }

    /// Takes in what was decided, and from what. Returns whether it is news.
    pub(super) fn decide(
        &mut self,
        decision: Decision,
        pods: Vec<PodFacts>,
        now: Mono,
        watched_until: Option<Moment>,
    ) -> bool {
        if decision.reason == Reason::InSync {
            self.record.contest.removals = 0;
            if !pods.iter().any(|pod| pod.refreshed) {
                self.record.note_in_sync(watched_until);
            }
        }
        let news = self.is_news(&decision);
        if news {
            self.decided = now;
        }
        self.pods = pods;
        self.decision = Some(decision);
        news
    }

    /// The step that follows from a `decision` about `workload`.
    pub(super) fn step(&self, decision: &Decision, workload: &Workload, now: Mono) -> WorkloadStep {
        match &decision.verdict {
            // Only being in sync moves `lastInSync`; else an event has it planned again.
            Verdict::Nothing
                if decision.reason == Reason::InSync
                    && !self.pods.iter().any(|pod| pod.refreshed)
                    && self.must_cover_newest_pod() =>
            {
                WorkloadStep::At(now + REPORT_INTERVAL)
            }
            // What changes by itself is told, whatever else holds.
            Verdict::Nothing | Verdict::Hold | Verdict::Wait(None) => {
                let changes = self.changes_by_itself(now);
                changes.map_or(WorkloadStep::Rest, WorkloadStep::At)
            }
            Verdict::Wait(Some(until)) => {
                WorkloadStep::At(self.judged_again.map_or(*until, |at| at.min(*until)))
            }
            Verdict::Act(act) => WorkloadStep::Act(Order {
                uid: workload.uid.clone(),
                resource_version: workload.rv.map_or_else(String::new, |rv| rv.to_string()),
                act: act.clone(),
                changed: self.newest_change().unwrap_or(now),
            }),
        }
    }

    /// When a Pod's state or the health of the last roll may next change by itself.
    fn changes_by_itself(&self, now: Mono) -> Option<Mono> {
        let pods = self.pods.iter().filter_map(|pod| pod.next(now));
        pods.chain(self.judged_again).min()
    }

    /// Whether nothing is awaited but how the last roll turns out.
    pub(super) fn only_judges(&self) -> bool {
        let waits_for_more = |decision: &Decision| match decision.verdict {
            Verdict::Nothing => decision.reason == Reason::InSync && self.must_cover_newest_pod(),
            Verdict::Hold | Verdict::Wait(None) => false,
            Verdict::Wait(Some(_)) | Verdict::Act(_) => true,
        };
        self.judged_again.is_some()
            && !self.decision.as_ref().is_none_or(waits_for_more)
            && self.pods.iter().all(|pod| pod.until.is_none())
    }

    /// When we learned of the newest content that an outdated Pod lacks.
    fn newest_change(&self) -> Option<Mono> {
        let outdated = self.pods.iter().flat_map(|pod| &pod.outdated);
        let received = |(key, _): &(TrackKey, usize)| {
            let timeline = self.record.tracks.get(key)?.timeline.as_ref()?;
            Some(timeline.newest().received)
        };
        outdated.filter_map(received).max()
    }

    /// Whether reason or outcome differ from those before, a restart included.
    fn is_news(&self, decision: &Decision) -> bool {
        if let Some(before) = &self.decision {
            return before.reason != decision.reason
                || std::mem::discriminant(&before.verdict)
                    != std::mem::discriminant(&decision.verdict);
        }
        let stored = self
            .reported
            .as_ref()
            .and_then(|reported| reported.decision.as_ref());
        stored.is_none_or(|stored| {
            stored.reason != decision.reason.as_str() || stored.outcome != decision.outcome()
        })
    }

    /// The time after which the Projection is looked at; `None` if it needn't be.
    pub(super) fn report_in(&self, now: Mono) -> Option<Duration> {
        if self.retired.is_some() {
            return Some(match self.must_tell_of_end() {
                true => Duration::ZERO,
                false => RETIRE_AFTER,
            });
        }
        let decision = self.decision.as_ref()?;
        (!decision.reason.is(Quality::Silent)).then(|| self.report_at(now).since(now))
    }

    /// When the Projection may be written. A roll is written at once, and a state that may
    /// pass only if it lasts. The progress of a rollout is written now and then. Being in
    /// sync is written together with the `lastInSync` that covers the newest Pod, if that
    /// comes soon.
    pub(super) fn report_at(&self, now: Mono) -> Mono {
        let Some(decision) = self.decision.as_ref() else {
            return now;
        };
        if self.has_unreported_roll() {
            return now;
        }
        let passing = decision.reason.is(Quality::Passing)
            || matches!(decision.verdict, Verdict::Wait(Some(until)) if until.since(now) < REPORT_INTERVAL);
        let incomplete = decision.reason == Reason::InSync
            && self.reported.is_some()
            && self.must_cover_newest_pod()
            && !self.can_cover_newest_pod();
        let lasting = match (passing, incomplete) {
            (true, _) => self.decided + REPORT_INTERVAL,
            (_, true) => self.decided + REPORT_INTERVAL * 2,
            _ => Mono::default(),
        };
        let interval = match decision.reason.is(Quality::Rolling) {
            true => ROLLOUT_INTERVAL,
            false => REPORT_INTERVAL,
        };
        let after = self.reported_at.map(|written| written + interval);
        after.unwrap_or_default().max(lasting)
    }

    /// Whether its Projection still says what was true while it was managed.
    pub(super) fn must_tell_of_end(&self) -> bool {
        let told = self.reported.as_ref().and_then(|it| it.decision.as_ref());
        let ended = self.retired.and(self.decision.as_ref());
        ended
            .zip(told)
            .is_some_and(|(ended, told)| told.reason != ended.reason.as_str())
    }

    /// Whether there is a roll that its Projection does not tell of, or not that it failed.
    fn has_unreported_roll(&self) -> bool {
        let reported = self.reported.as_ref();
        let reported = reported.and_then(|reported| reported.last_roll.as_ref());
        self.record.rolls.last().is_some_and(|roll| {
            let failed = is_failed(roll.health.state);
            reported.is_none_or(|(revision, time, told)| {
                (&**revision, *time) != (&roll.revision, roll.time) || failed && !told
            })
        })
    }

    /// The newest version of its Projection that we wrote or saw.
    pub(super) fn version(&self) -> Option<Rv> {
        let written = self.reported.as_ref().and_then(|reported| reported.rv);
        self.shown.max(written)
    }

    /// Whether its Projection says what `hash` identifies.
    pub(super) fn says(&self, hash: u64) -> bool {
        let reported = self.reported.as_ref();
        reported.is_some_and(|reported| reported.hash == Some(hash)) && !self.is_overwritten()
    }

    /// From when its Projection may be written for the sake of the versions of sources alone;
    /// never if it tells of these. The more often nothing else was told, the later: somebody
    /// keeps editing what the workload doesn't project.
    pub(super) fn versions_at(&self, versions: u64) -> Option<Mono> {
        let reported = self.reported.as_ref()?;
        let interval = ROLLOUT_INTERVAL * (1 << reported.alone.min(MAX_DOUBLINGS));
        let after = self.reported_at.map(|written| written + interval);
        (reported.versions != versions).then(|| after.unwrap_or_default())
    }

    /// Whether its Projection is in a later version than the one we know.
    pub(super) fn is_overwritten(&self) -> bool {
        let written = self.reported.as_ref().and_then(|reported| reported.rv);
        written.is_some() && self.shown > written
    }

    /// Whether a Pod is newer than the `lastInSync` that was written: after a
    /// restart it could not always be told what that Pod has.
    pub(super) fn must_cover_newest_pod(&self) -> bool {
        let reported = self.reported.as_ref();
        !self.record.tracks.is_empty()
            && self.record.newest_start > reported.and_then(|reported| reported.last_in_sync)
    }

    /// Whether a write now would bring a `lastInSync` that covers the newest Pod.
    pub(super) fn can_cover_newest_pod(&self) -> bool {
        self.must_cover_newest_pod() && self.record.last_in_sync >= self.record.newest_start
    }
}

fn is_failed(state: RollState) -> bool {
    state == RollState::Failed
}

/// Conditions with only what is needed to set them again.
fn slim(conditions: &[Condition]) -> Vec<Condition> {
    let mut slim = conditions.to_vec();
    for condition in &mut slim {
        condition.message = String::new();
        condition.reason = String::new();
    }
    slim
}
