//! What a rollout knows of a workload.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::projection::RollState;
use crate::api::reasons::Reason;
use crate::core::fleet::bypass::Bypass;
use crate::core::fleet::lane::{Lane, LaneId};
use crate::core::history::record::{Record, Roll, TrackKey};
use crate::core::history::timeline::{Content, Timeline};
use crate::core::index::View;
use crate::core::object::workload::{Update, Workload};
use crate::core::plan::{Decision, PodFacts, Verdict};
use crate::core::policy::Effective;
use crate::core::time::{Mono, ServerTime};
use crate::kinds::{Rv, Scope, SourceId, WorkloadId};

/// So many contents may overtake a healthy soak. After that, a complete roll is enough, so that a
/// source which is edited every minute still goes out.
const OVERTAKEN: usize = 3;

/// A workload returns to content that was good for it within this time without asking.
const DAY: i64 = 24 * 60 * 60;

/// What a rollout knows of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Whom it waits for, and how.
    pub lane: Lane,
    /// Its place in the order of all.
    pub rank: Rank,
    /// The policy's wave with a selector that it is in.
    pub wave: Option<usize>,
    /// Whether a Pod of it is ready.
    pub ready: bool,
    /// Whether all are, and nothing else goes on in it: a roll of it tells something.
    pub whole: bool,
    /// Whether it could be rolled at once, but for others.
    pub may_go: bool,
    /// Whether it can't be rolled and is waited for by nobody: it is paused, is refused, waits for
    /// somebody, or has no Pods.
    pub skipped: bool,
    /// Whether all that it lacks is content that was good for it within a day.
    pub reverts: bool,
    /// How its last roll goes.
    pub roll: Option<LastRoll>,
    /// By its sources.
    pub stands: BTreeMap<SourceId, Stand>,
}

/// The order in which workloads go: those first that prove something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Whether its controller replaces Pods only with somebody's help, or stops at a broken one.
    pub(super) slow: bool,
    /// Whether all its Pods are gone while one is replaced.
    pub(super) single: bool,
    pub(super) id: WorkloadId,
}

/// How the last roll of a workload goes. What it brought is what its Pods started with: content
/// may move between the decision and their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRoll {
    /// Where it is.
    pub state: RollState,
    /// Whether it says anything of its content.
    pub tells: bool,
    /// Whether being complete proves as much as staying so, since too many contents in a row
    /// overtook the soak.
    pub waived: bool,
}

/// How a workload stands to a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// The version of the source that brought its newest content: the change.
    pub change: Option<Rv>,
    /// Whether a Pod that only a roll replaces lacks it.
    pub lacks: bool,
    /// Whether it was proven to be good for the workload.
    pub proven: bool,
    /// Whether a failure of the last roll may be due to it: it was not proven before.
    pub accused: bool,
    /// Whether a container that started with it seems to fail.
    pub suspect: bool,
}

/// What a member is made of.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The workload and its Pods.
    pub view: &'a View<'a>,
    /// The policy in force.
    pub policy: &'a Effective,
    /// What is remembered of it.
    pub record: &'a Record,
    /// What each Pod has.
    pub pods: &'a [PodFacts],
    /// Whether a container of the last roll seems to fail.
    pub suspect: bool,
    /// How many rolls in a row were refused.
    pub refusals: u32,
    /// Now, by the API server's clock.
    pub now: ServerTime,
}

/// Edits that settle within this time are as good as settled.
const SOON: Duration = Duration::from_secs(1);

/// How many refusals it takes until nobody waits for a workload.
const REFUSALS: u32 = 2;

// === impl Rank ===

impl Rank {
    fn of(id: &WorkloadId, workload: &Workload) -> Self {
        Self {
            slow: workload.update != Update::Automatic,
            single: workload.replicas < 2,
            id: id.clone(),
        }
    }

    /// The workload.
    #[must_use]
    pub fn id(&self) -> &WorkloadId {
        &self.id
    }
}

// === impl Member ===

impl Member {
    /// What is known of a workload before it is decided about. Until then it may not go.
    #[must_use]
    pub fn of(id: &WorkloadId, known: &Known<'_>) -> Self {
        let (view, record) = (known.view, known.record);
        let rollout = &known.policy.rollout;
        let unready = crate::core::health::baseline(record, view, known.now);
        let stands = stands(id, known);
        let mut lacked = stands.values().filter(|stand| stand.lacks).peekable();
        let reverts = lacked.peek().is_some() && returns(known);
        let active = || view.pods.iter().filter(|(pod, _)| pod.active);
        Self {
            lane: Lane {
                id: match &known.policy.policy {
                    _ if !rollout.waits => LaneId::AtOnce,
                    Some(policy) if rollout.own_waves => LaneId::Of(policy.clone()),
                    _ => LaneId::Common,
                },
                rollout: rollout.clone(),
            },
            rank: Rank::of(id, view.workload),
            wave: rollout.wave_of(&view.workload.labels),
            ready: active().any(|(pod, _)| pod.ready),
            whole: unready == Some(0) && view.workload.replicas > 0,
            may_go: false,
            skipped: view.workload.replicas == 0 || known.refusals >= REFUSALS,
            reverts,
            roll: last_roll(record, view.workload),
            stands,
        }
    }

    /// Takes in what was decided about it, apart from other workloads.
    pub fn decided(&mut self, decision: &Decision, now: Mono) {
        match decision.verdict {
            Verdict::Act(_) => self.may_go = true,
            // All that settle at the same time go in their order, whoever is planned first.
            Verdict::Wait(Some(until)) => {
                let soon = until.since(now) <= SOON;
                self.may_go = decision.reason == Reason::Settling && soon;
            }
            Verdict::Wait(None) => {}
            // One that does not go on with its last roll may be about to fail.
            Verdict::Hold if decision.reason == Reason::Blocked => {
                self.skipped |= self.is_pending();
            }
            Verdict::Hold => self.skipped = true,
            Verdict::Nothing => self.skipped |= self.is_pending(),
        }
    }

    /// Whether it lacks something.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.stands.values().any(|stand| stand.lacks)
    }

    /// Whether it matters to others: it waits for its turn, or its last roll goes on or failed.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let open = self.roll.is_some_and(|roll| match roll.state {
            RollState::Rolling | RollState::Failed => true,
            RollState::Complete => roll.tells,
            RollState::Good | RollState::Stuck => false,
        });
        open || self
            .stands
            .values()
            .any(|stand| stand.lacks || stand.suspect)
    }

    /// Whether it holds a slot.
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        self.state() == Some(RollState::Rolling) && !self.skipped
    }

    /// Whether its last roll failed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.state() == Some(RollState::Failed)
    }

    /// Whether it has a change, and its last roll may still prove it.
    pub(super) fn is_under_way(&self, stand: &Stand) -> bool {
        let open = self.roll.is_some_and(|roll| match roll.state {
            RollState::Rolling => !self.skipped,
            RollState::Complete => roll.tells && !roll.waived,
            RollState::Good | RollState::Failed | RollState::Stuck => false,
        });
        open && !stand.lacks
    }

    /// Whether it has proven a change.
    pub(super) fn has_proven(&self, stand: &Stand) -> bool {
        let waived = self.roll.is_some_and(|roll| roll.tells && roll.waived);
        let complete = self.state() == Some(RollState::Complete);
        stand.proven || waived && complete && !stand.lacks
    }

    /// Whether its last roll failed, and a change that it brought may be why.
    pub(super) fn halts(&self, stand: &Stand) -> bool {
        self.is_failed() && !self.is_pending() && stand.accused && !stand.lacks
    }

    /// Whether it failed, has other content now, and is tried again before others get the rest
    /// of what it failed with.
    pub(super) fn is_to_be_retried(&self, stand: &Stand) -> bool {
        self.is_failed() && self.is_pending() && !self.skipped && stand.accused && !stand.lacks
    }

    /// Why it may go before its turn.
    #[must_use]
    pub fn bypass(&self) -> Option<Bypass> {
        if !self.is_pending() {
            return None;
        }
        if self.is_failed() || !self.ready {
            return Some(Bypass::Broken);
        }
        self.reverts.then_some(Bypass::Revert)
    }

    pub(super) fn state(&self) -> Option<RollState> {
        self.roll.map(|roll| roll.state)
    }

    /// Takes in that it is being rolled for all that it lacks.
    pub(super) fn start(&mut self) {
        self.roll = Some(LastRoll {
            state: RollState::Rolling,
            tells: self.whole,
            waived: self.roll.is_some_and(|roll| roll.waived),
        });
        for stand in self.stands.values_mut() {
            stand.lacks = false;
        }
    }
}

/// How it stands to each source.
fn stands(id: &WorkloadId, known: &Known<'_>) -> BTreeMap<SourceId, Stand> {
    let record = known.record;
    // Until the watch brings our own write, its Pods seem to be of the current template.
    let written = record.written > known.view.workload.rv;
    let to_replace = known.pods.iter().filter(|pod| pod.current && !written);
    let lacked: Vec<&TrackKey> = to_replace
        .flat_map(|pod| pod.outdated.iter().map(|(key, _)| key))
        .collect();
    let ours = record.rolls.last().map(|roll| roll.time);
    let mut stands = BTreeMap::new();
    for (key, track) in &record.tracks {
        let Some(timeline) = &track.timeline else {
            continue;
        };
        let (kind, name) = &key.source;
        let namespace = match kind.api.scope {
            Scope::Namespace => Some(id.namespace.clone()),
            Scope::Cluster => None,
        };
        let good = good_since(timeline);
        let lacks = lacked.contains(&key);
        let accused = !lacks && good.is_none_or(|good| ours.is_none_or(|ours| good >= ours));
        let stand = Stand {
            change: timeline.newest().since.rv,
            lacks,
            proven: good.is_some(),
            accused,
            suspect: accused && known.suspect,
        };
        let id = SourceId {
            kind: *kind,
            namespace,
            name: name.clone(),
        };
        stands
            .entry(id)
            .and_modify(|other: &mut Stand| other.join(&stand))
            .or_insert(stand);
    }
    stands
}

/// When the newest content was first proven to be good, now or before.
fn good_since(timeline: &Timeline) -> Option<ServerTime> {
    let newest = timeline.newest().content;
    let same = timeline.entries().iter().filter(|it| it.content == newest);
    match newest {
        Content::Known(_) => same.filter_map(|entry| entry.good).min(),
        Content::Unread | Content::Unsure => None,
    }
}

/// Whether all that it lacks was good for it within a day.
fn returns(known: &Known<'_>) -> bool {
    let lacked = known.pods.iter().filter(|pod| pod.current);
    let mut lacked = lacked.flat_map(|pod| pod.outdated.iter().map(|(key, _)| key));
    lacked.all(|key| {
        let track = known.record.tracks.get(key);
        let Some(timeline) = track.and_then(|track| track.timeline.as_ref()) else {
            return false;
        };
        let newest = timeline.newest().content;
        let entries = timeline.entries();
        let next = entries.iter().skip(1);
        entries.iter().zip(next).any(|(entry, next)| {
            let ago = known.now.duration_since(next.since.time).as_secs();
            let known = matches!(newest, Content::Known(_)) && entry.content == newest;
            known && entry.good.is_some() && ago <= DAY
        })
    })
}

/// How the last roll goes, if it made the template.
fn last_roll(record: &Record, workload: &Workload) -> Option<LastRoll> {
    let (last, before) = record.rolls.split_last()?;
    let written = record.written > workload.rv;
    let in_force = workload.template.revision.as_ref() == Some(&last.revision);
    let soaked =
        |roll: &&Roll| roll.health.state == RollState::Complete && roll.health.unready == Some(0);
    (written || in_force).then(|| LastRoll {
        state: last.health.state,
        tells: last.health.unready == Some(0),
        waived: before.iter().rev().take_while(soaked).count() >= OVERTAKEN,
    })
}

// === impl Stand ===

impl Stand {
    /// Adds how it stands to the same source in another class of uses.
    fn join(&mut self, other: &Self) {
        self.change = self.change.max(other.change);
        self.lacks |= other.lacks;
        self.proven &= other.proven;
        self.accused = !self.lacks && (self.accused || other.accused);
        self.suspect = !self.lacks && (self.suspect || other.suspect);
    }
}
