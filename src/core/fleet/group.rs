//! The members of one change, counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::projection::RollState;
use crate::core::fleet::bypass::Bypass;
use crate::core::fleet::lane::LaneId;
use crate::core::fleet::member::{Member, Rank, Stand};
use crate::core::policy::Rollout;
use crate::kinds::WorkloadId;

/// The members of one change.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Group {
    /// Those whose last roll failed with it.
    pub(super) halting: Vec<WorkloadId>,
    /// Those in which a container seems to fail with it.
    pub(super) suspected: Vec<WorkloadId>,
    /// Those that failed with it and other content, and are tried again first.
    pub(super) retried: Vec<WorkloadId>,
    /// Those that wait for each other.
    pub(super) lanes: BTreeMap<LaneId, Tally>,
}

/// The members of one change that wait for each other.
#[derive(Debug, PartialEq)]
pub(super) struct Tally {
    /// What their policy says; where they have several, that of the first by name.
    pub(super) rollout: Arc<Rollout>,
    /// How many there are.
    pub(super) members: usize,
    /// How many hold a slot.
    pub(super) rolling: usize,
    /// Those that lack it and could be rolled, in their order.
    pub(super) pending: Vec<Turn>,
    /// By the wave with a selector that they are in; `None` for all others.
    pub(super) parts: BTreeMap<Option<usize>, Part>,
}

/// The members of a lane in one wave, or in none with a selector.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Part {
    pub(super) members: usize,
    /// How many have proven the change.
    pub(super) proven: usize,
    /// How many have it and are complete, proven or not.
    pub(super) complete: usize,
    /// Those that have it and may still prove it.
    pub(super) under_way: Vec<WorkloadId>,
    /// Those that lack it and would prove it.
    pub(super) able: Vec<WorkloadId>,
    /// Those that lack it and could be rolled.
    pub(super) pending: Vec<WorkloadId>,
}

/// A workload's turn: what is broken first, then what proves something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    works: bool,
    proves_nothing: bool,
    wave: usize,
    rank: Rank,
}

// === impl Group ===

impl Group {
    /// Counts a member.
    pub(super) fn count(&mut self, id: &WorkloadId, member: &Member, stand: &Stand) {
        let suspected = stand.suspect && !member.halts(stand);
        let lists = [
            (&mut self.halting, member.halts(stand)),
            (&mut self.suspected, suspected),
            (&mut self.retried, member.is_to_be_retried(stand)),
        ];
        for (list, _) in lists.into_iter().filter(|(_, belongs)| *belongs) {
            list.push(id.clone());
        }
        let lane = self.lanes.entry(member.lane.id.clone());
        let tally = lane.or_insert_with(|| Tally {
            rollout: member.lane.rollout.clone(),
            members: 0,
            rolling: 0,
            pending: Vec::new(),
            parts: BTreeMap::new(),
        });
        tally.count(id, member, stand);
    }

    /// The first that fails with it, and the first that seems to.
    pub(super) fn evidence(&self) -> (Option<&WorkloadId>, Option<&WorkloadId>) {
        (self.halting.first(), self.suspected.first())
    }

    /// All that wait for their turn.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Turn> {
        self.lanes.values().flat_map(|tally| &tally.pending)
    }

    /// Puts the turns in order.
    pub(super) fn sort(&mut self) {
        for tally in self.lanes.values_mut() {
            tally.pending.sort();
        }
    }
}

// === impl Tally ===

impl Tally {
    fn count(&mut self, id: &WorkloadId, member: &Member, stand: &Stand) {
        self.members += 1;
        self.rolling += usize::from(member.is_rolling());
        let part = self.parts.entry(member.wave).or_default();
        part.members += 1;
        part.proven += usize::from(member.has_proven(stand));
        let complete = member.state() == Some(RollState::Complete);
        part.complete += usize::from(complete && !stand.lacks);
        if member.is_under_way(stand) {
            part.under_way.push(id.clone());
        }
        if !stand.lacks || member.skipped {
            return;
        }
        part.pending.push(id.clone());
        if member.whole {
            part.able.push(id.clone());
        }
        if member.may_go {
            self.pending.push(Turn {
                works: member.bypass() != Some(Bypass::Broken),
                proves_nothing: !member.whole,
                wave: member.wave.unwrap_or(usize::MAX),
                rank: member.rank.clone(),
            });
        }
    }

    /// Whether anybody has proven the change.
    pub(super) fn is_proven(&self) -> bool {
        self.parts.values().any(|part| part.proven > 0)
    }
}

// === impl Turn ===

impl Turn {
    /// Whose turn it is.
    pub(super) fn id(&self) -> &WorkloadId {
        self.rank.id()
    }
}
