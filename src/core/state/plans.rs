//! Workloads: what is decided about each, and what came of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::reasons::{Quality, Reason};
use crate::core::health::Seen;
use crate::core::history::record::Roll;
use crate::core::index::View;
use crate::core::plan::{Decision, Facts, Tally, Verdict, assess, decide, not_listed};
use crate::core::policy::Selected;
use crate::core::state::changes::State;
use crate::core::state::managed::RETIRE_AFTER;
use crate::core::state::step::{Planned, WorkloadStep};
use crate::core::time::{Moment, Mono};
use crate::kinds::{SourceId, WorkloadId};

// === impl State ===

impl State {
    /// Plans one workload. `watched_until` is a moment before which everything has been seen
    /// for sure.
    pub fn plan(&mut self, id: &WorkloadId, now: Moment, watched_until: Option<Moment>) -> Planned {
        let Some(view) = self.index.view(id) else {
            self.refused.remove(id);
            return Planned::gone(self.managed.get(id).map(|_| RETIRE_AFTER));
        };
        let Some(managed) = self.managed.get_mut(id) else {
            let unlisted = self.gaps.of_record(id);
            let unlisted = unlisted.map(|unlisted| not_listed(unlisted, now.mono));
            return unmanaged(&mut self.refused, id, &view, unlisted);
        };
        if self.synced {
            managed.record.prune(&view, self.settings.refresh_bound);
        }
        let pods = assess(
            &view,
            &managed.record,
            self.settings.refresh_bound,
            now,
            &managed.pods,
        );
        let outdated: Vec<&str> = (pods.iter().filter(|pod| pod.is_outdated()))
            .map(|pod| &*pod.name)
            .collect();
        let lacked = pods.iter().flat_map(|pod| &pod.outdated);
        let lacked: Vec<_> = lacked.map(|(key, _)| key).collect();
        managed.judge(&Seen {
            view: &view,
            outdated: &outdated,
            lacked: &lacked,
            now,
            until: watched_until,
        });
        let unread = managed.record.unread(|(kind, name)| {
            let id = SourceId::new(*kind, id.namespace.clone(), name.clone());
            self.index.source(&id)
        });
        let decision = decide(&Facts {
            synced: self.synced,
            unlisted: self.gaps.of_plan(id, view.references),
            view: &view,
            record: &managed.record,
            pods: &pods,
            unread,
            key: &self.settings.key,
            now,
        });
        let news = managed.decide(decision.clone(), pods, now.mono, watched_until);
        Planned {
            step: managed.step(&decision, view.workload, now.mono),
            decision,
            news,
            uid: Some(view.workload.uid.clone()),
            report: managed.report_in(now.mono),
        }
    }

    /// The number of Pods whose content can't be told any more because stored digests
    /// can't be compared. It is told once, after all sources are read.
    pub fn tell_of_loss(&mut self, id: &WorkloadId) -> Option<u32> {
        let managed = self.managed.get_mut(id)?;
        let reason = managed.decision.as_ref()?.reason;
        let passing = reason.is(Quality::Passing);
        let unknown = Tally::of(&managed.pods).unknown;
        if passing || managed.told_of_loss || !managed.record.restated || unknown == 0 {
            return None;
        }
        managed.told_of_loss = true;
        Some(unknown)
    }

    /// Takes in that the API server accepted a roll.
    pub fn rolled(&mut self, id: &WorkloadId, roll: Roll, base: &str, now: Mono) {
        if let Some(managed) = self.managed.get_mut(id) {
            managed.record.rolled(roll, base, now);
        }
    }

    /// Takes in that somebody has undone a roll to `revision`, whose digest is `base`, in the
    /// same request.
    pub fn undone_at_once(&mut self, id: &WorkloadId, revision: &Arc<str>, base: &str) {
        if let Some(managed) = self.managed.get_mut(id) {
            managed.record.contest.undone_at_once(revision, base);
        }
    }

    /// Takes in that a roll failed, as `message` says. The Projection tells that in place of
    /// the roll until the workload is planned again. Returns the time after which the
    /// Projection is looked at, if it must be.
    pub fn refused(&mut self, id: &WorkloadId, message: String, now: Mono) -> Option<Duration> {
        let managed = self.managed.get_mut(id)?;
        let decision = Decision {
            verdict: Verdict::Hold,
            reason: Reason::RollFailed,
            message,
        };
        managed.decision = Some(decision);
        managed.report_in(now)
    }
}

/// Plans a workload of which nothing is remembered. It is news if one that asks to be
/// managed can't be, and the reason differs from the last one. Where it can't be told what
/// is to be remembered, that is decided (`unlisted`).
fn unmanaged(
    refused: &mut HashMap<WorkloadId, Reason>,
    id: &WorkloadId,
    view: &View<'_>,
    unlisted: Option<Decision>,
) -> Planned {
    let mut planned = Planned::gone(None);
    planned.uid = Some(view.workload.uid.clone());
    match (view.selected, unlisted) {
        (Selected::NotManaged { reason, message }, _) => {
            planned.decision.reason = *reason;
            planned.decision.message.clone_from(message);
        }
        (Selected::Managed(_), Some(decision)) => {
            if let Verdict::Wait(Some(until)) = decision.verdict {
                planned.step = WorkloadStep::At(until);
            }
            planned.decision = decision;
        }
        (Selected::Managed(_), None) => {}
    }
    let reason = planned.decision.reason;
    if reason.is(Quality::Refusal) || planned.decision.verdict == Verdict::Hold {
        planned.news = refused.insert(id.clone(), reason) != Some(reason);
    } else {
        refused.remove(id);
    }
    planned
}
