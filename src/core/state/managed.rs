//! What is remembered of one workload.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::projection::{DecisionRecord, ProjectionStatus};
use crate::api::reasons::{Quality, Reason};
use crate::core::history::record::Record;
use crate::core::plan::{Decision, PodFacts, Verdict};
use crate::core::state::{REPORT_INTERVAL, RETIRE_AFTER, ROLLOUT_INTERVAL};
use crate::core::time::{Mono, ServerTime};
use crate::kinds::Rv;

/// One workload that is managed, or was until lately.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) record: Record,
    pub(super) decision: Option<Decision>,
    /// Since when its reason and outcome are those.
    pub(super) decided: Mono,
    pub(super) pods: Vec<PodFacts>,
    /// What was last written of it.
    pub(super) reported: Option<Reported>,
    /// When that was.
    pub(super) reported_at: Option<Mono>,
    /// Since when it is not managed any more.
    pub(super) retired: Option<Mono>,
    /// Whether somebody has been told that its digests were lost.
    pub(super) told_of_loss: bool,
    /// The newest version of its Projection that the watch has shown.
    pub(super) shown: Option<Rv>,
}

/// What has to be remembered of a Projection that was written.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    /// Of what it says; `None` where somebody deleted it.
    pub(super) hash: Option<u64>,
    /// The version that says so.
    pub(super) rv: Option<Rv>,
    /// So that its times move only with what they tell of.
    pub(super) decision: Option<DecisionRecord>,
    pub(super) conditions: Vec<Condition>,
    pub(super) last_in_sync: Option<ServerTime>,
    /// Revision and time of the last roll.
    last_roll: Option<(String, ServerTime)>,
}

// === impl Reported ===

impl Reported {
    /// Of a `status` that was written in version `rv`.
    pub(super) fn of(status: &ProjectionStatus, hash: u64, rv: Option<Rv>) -> Self {
        Self {
            hash: Some(hash),
            rv,
            decision: status.decision.clone(),
            conditions: slim(&status.conditions),
            last_in_sync: status.last_in_sync.as_ref().map(|last| last.time.0),
            last_roll: status
                .rolls
                .first()
                .map(|roll| (roll.revision.clone(), roll.time.0)),
        }
    }
}

// === impl Managed ===

impl Managed {
    pub(super) fn new(record: Record) -> Self {
        Self {
            record,
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

    /// Whether reason or outcome differ from those before, a restart included.
    pub(super) fn is_news(&self, decision: &Decision) -> bool {
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

    /// In how long the Projection should be looked at, if at all.
    pub(super) fn report_in(&self, now: Mono) -> Option<Duration> {
        if self.retired.is_some() {
            return Some(RETIRE_AFTER);
        }
        let decision = self.decision.as_ref()?;
        (!decision.reason.is(Quality::Silent)).then(|| self.report_at(now).since(now))
    }

    /// From when the Projection may be written: at once for a roll; what passes only
    /// if it lasts; how a rollout goes now and then; and being in sync together with
    /// the `lastInSync` that covers the newest Pod, as far as that comes soon.
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

    fn has_unreported_roll(&self) -> bool {
        let reported = self.reported.as_ref();
        let reported = reported.and_then(|reported| reported.last_roll.as_ref());
        self.record.rolls.last().is_some_and(|roll| {
            reported
                .is_none_or(|(revision, time)| (&**revision, *time) != (&roll.revision, roll.time))
        })
    }

    /// The newest version of its Projection that we wrote or saw.
    pub(super) fn version(&self) -> Option<Rv> {
        let written = self.reported.as_ref().and_then(|reported| reported.rv);
        self.shown.max(written)
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

    /// Whether writing it now would change that.
    pub(super) fn can_cover_newest_pod(&self) -> bool {
        self.must_cover_newest_pod() && self.record.last_in_sync >= self.record.newest_start
    }
}

/// When we learned of the newest content that an outdated Pod lacks.
pub(super) fn newest_change(record: &Record, pods: &[PodFacts]) -> Option<Mono> {
    let outdated = pods.iter().flat_map(|pod| &pod.outdated);
    outdated
        .filter_map(|(key, _)| Some(record.tracks.get(key)?.timeline.as_ref()?.newest().received))
        .max()
}

/// Conditions without what isn't needed to set them anew.
fn slim(conditions: &[Condition]) -> Vec<Condition> {
    let mut slim = conditions.to_vec();
    for condition in &mut slim {
        condition.message = String::new();
        condition.reason = String::new();
    }
    slim
}
