//! Workloads: what is decided about each, and what came of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::projection::RollState;
use crate::api::reasons::{Quality, Reason};
use crate::core::fleet::{Known, Member};
use crate::core::health::Seen;
use crate::core::history::record::Roll;
use crate::core::index::View;
use crate::core::plan::{
    Act, Decision, Facts, PodFacts, Tally, Verdict, assess, decide, gated, not_listed,
};
use crate::core::policy::Selected;
use crate::core::state::changes::State;
use crate::core::state::managed::{Managed, RETIRE_AFTER};
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
            let mut planned = Planned::gone(self.managed.get(id).map(|_| RETIRE_AFTER));
            planned.next = self.left(id);
            return planned;
        };
        let Some(managed) = self.managed.get_mut(id) else {
            let unlisted = self.gaps.of_record(id);
            let unlisted = unlisted.map(|unlisted| not_listed(unlisted, now.mono));
            let mut planned = unmanaged(&mut self.refused, id, &view, unlisted);
            planned.next = self.left(id);
            return planned;
        };
        if self.synced {
            managed.record.prune(&view, self.settings.refresh_bound);
        }
        let (bound, known) = (self.settings.refresh_bound, &managed.pods);
        let pods = assess(&view, &managed.record, bound, now, known);
        judge(managed, &view, &pods, now, watched_until);
        let uid = view.workload.uid.clone();
        let mut decision = self.decide(id, &pods, now);
        if matches!(decision.verdict, Verdict::Act(_)) {
            self.take_turn(id, &pods, &mut decision, now);
        }
        let next = self.fleet.wake();
        let (Some(view), Some(managed)) = (self.index.view(id), self.managed.get_mut(id)) else {
            return Planned::gone(None);
        };
        let news = managed.decide(decision.clone(), pods, now.mono, watched_until);
        Planned {
            step: managed.step(&decision, view.workload, now.mono),
            decision,
            news,
            uid: Some(uid),
            report: managed.report_in(now.mono),
            next: next.into_iter().filter(|other| other != id).collect(),
        }
    }

    /// Decides about a workload as if it were the only one, and tells its rollouts of it.
    fn decide(&mut self, id: &WorkloadId, pods: &[PodFacts], now: Moment) -> Decision {
        let (Some(view), Some(managed)) = (self.index.view(id), self.managed.get(id)) else {
            return Planned::gone(None).decision;
        };
        let unread = managed.record.unread(|(kind, name)| {
            let id = SourceId::new(*kind, id.namespace.clone(), name.clone());
            self.index.source(&id)
        });
        let mut member = self.member(id, &view, managed, pods, now);
        let decision = decide(&Facts {
            synced: self.synced,
            unlisted: self.gaps.of_plan(id, view.references),
            view: &view,
            record: &managed.record,
            pods,
            unread,
            key: &self.settings.key,
            now,
        });
        if let Some(member) = &mut member {
            member.decided(&decision, now.mono);
        }
        let begun = self.fleet.take_in(id, member);
        self.join(begun, now);
        decision
    }

    /// Lets a workload that could be rolled wait for its turn, or begin.
    fn take_turn(
        &mut self,
        id: &WorkloadId,
        pods: &[PodFacts],
        decision: &mut Decision,
        now: Moment,
    ) {
        if let Err(gate) = self.fleet.turn(id) {
            let outdated = pods.iter().filter(|pod| pod.is_outdated()).count();
            *decision = gated(&gate, outdated);
            return;
        }
        self.fleet.start(id);
        let Verdict::Act(Act::Roll(plan)) = &decision.verdict else {
            return;
        };
        // While a roll is being proven nothing else is.
        let proves = |managed: &Managed| {
            let last = managed.record.rolls.last();
            plan.unready == Some(0) && last.is_none_or(|roll| roll.health.state == RollState::Good)
        };
        if let Some(managed) = self.managed.get_mut(id).filter(|it| proves(it)) {
            let lacked = pods.iter().flat_map(|pod| &pod.outdated);
            let lacked = lacked.map(|(key, lacks)| (key, *lacks));
            managed.record.prove(lacked, now.server);
        }
    }

    /// Takes in that a workload is gone, or not managed. Returns whose turn it is now.
    fn left(&mut self, id: &WorkloadId) -> Vec<WorkloadId> {
        self.fleet.remove(id);
        self.fleet.wake()
    }

    /// What its rollouts know of a workload; nothing where it takes no part in them.
    fn member(
        &self,
        id: &WorkloadId,
        view: &View<'_>,
        managed: &Managed,
        pods: &[PodFacts],
        now: Moment,
    ) -> Option<Member> {
        let Selected::Managed(policy) = view.selected else {
            return None;
        };
        let takes_part = policy.rollout.waits || self.settings.max_rolls.is_some();
        takes_part.then(|| {
            Member::of(
                id,
                &Known {
                    view,
                    policy,
                    record: &managed.record,
                    pods,
                    suspect: managed.watched.is_suspect(),
                    refusals: managed.refusals,
                    now: now.server,
                },
            )
        })
    }

    /// Puts all that project these sources into their rollouts, which begin.
    fn join(&mut self, mut begun: Vec<SourceId>, now: Moment) {
        while let Some(source) = begun.pop() {
            for user in self.index.users(&source) {
                let view = self.index.view(&user);
                let Some((managed, view)) = self.managed.get(&user).zip(view) else {
                    continue;
                };
                if !self.fleet.has(&user) {
                    let member = self.member(&user, &view, managed, &managed.pods, now);
                    begun.extend(self.fleet.take_in(&user, member));
                }
            }
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
            managed.refusals = 0;
            managed.record.rolled(roll, base, now);
        }
    }

    /// Takes in that a roll that was decided was not made. Returns whose turn it is instead.
    pub fn not_rolled(&mut self, id: &WorkloadId) -> Vec<WorkloadId> {
        self.fleet.give_back(id);
        self.fleet.wake()
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
        managed.refusals = managed.refusals.saturating_add(1);
        managed.report_in(now)
    }
}

/// Judges the last roll of a workload.
fn judge(
    managed: &mut Managed,
    view: &View<'_>,
    pods: &[PodFacts],
    now: Moment,
    watched_until: Option<Moment>,
) {
    let Selected::Managed(policy) = view.selected else {
        return;
    };
    // Pods of an older template say nothing of what the roll brought.
    let current = || pods.iter().filter(|pod| pod.current);
    let outdated: Vec<&str> = (current().filter(|pod| pod.is_outdated()))
        .map(|pod| &*pod.name)
        .collect();
    let lacked = current().flat_map(|pod| &pod.outdated);
    let lacked: Vec<_> = lacked.map(|(key, _)| key).collect();
    managed.judge(&Seen {
        view,
        outdated: &outdated,
        lacked: &lacked,
        now,
        until: watched_until,
        soak: policy.rollout.soak,
        deadline: policy.rollout.deadline,
    });
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
