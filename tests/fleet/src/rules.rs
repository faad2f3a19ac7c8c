//! Who may be rolled: a function of plain facts, without memory of its own.
//!
//! A *change* is a version of a source that touched what a workload projects of it. The workloads
//! whose newest content of the source came with it are its members. Members under a policy with
//! waves of its own are a lane; all others are one lane. Members of one change and lane wait for
//! each other; what a failure tells, it tells to all lanes.

use std::collections::BTreeSet;

/// A version of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Which source.
    pub source: usize,
    /// In the order of all edits.
    pub version: u64,
}

/// How the last roll of a workload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its Pods are being replaced, or become ready.
    Rolling,
    /// It is complete, and healthy so far.
    Complete,
    /// It stayed so for the soak.
    Good,
    /// A container that it started fails.
    Failed,
    /// It does not go on, for a reason that is not its content's.
    Stuck,
}

/// The last roll of a workload. What it brought is what its Pods started with: content may move
/// between the decision and their start.
#[derive(Clone, Copy, Debug)]
pub struct Roll {
    /// How it goes.
    pub state: State,
    /// Whether it says anything of its content: the workload was wholly ready, and nothing
    /// else went on.
    pub tells: bool,
}

/// What is known of a workload.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its place in the order of all.
    pub name: usize,
    /// The policy whose waves it goes by; `None` for the defaults. Each lane has first ones of its own,
    /// that go at the same time: eight policies that all give waves can bring a bad content to eight
    /// workloads. Those that give none are one lane, however many they are.
    pub lane: Option<usize>,
    /// The change that its newest content of each source came with.
    pub newest: BTreeSet<Change>,
    /// Those of them that a Pod lacks.
    pub lacks: BTreeSet<Change>,
    /// Whether some Pod is ready.
    pub ready: bool,
    /// Whether all are, and nothing else goes on: a roll of it would tell something.
    pub whole: bool,
    /// Whether edits have settled and its last roll is long enough ago.
    pub may_go: bool,
    /// Whether it can't be rolled, or nothing goes on in it, so that it holds up nobody: it is
    /// paused, was refused twice, or has no Pods.
    pub skipped: bool,
    /// Whether all that it lacks is content that was good for it within a day.
    pub reverts: bool,
    /// Its last roll.
    pub roll: Option<Roll>,
    /// The changes whose content is proven to be good for it.
    pub proven: BTreeSet<Change>,
    /// What a failure of the last roll is due to: what its Pods have that was not proven before it.
    pub accused: BTreeSet<Change>,
    /// The changes with which a container of it started that seems to fail.
    pub suspects: BTreeSet<Change>,
    /// Those with which a Pod that restarted by itself certainly fails.
    pub fails_alone: BTreeSet<Change>,
    /// How many contents in a row overtook a healthy soak of it.
    pub overtaken: usize,
}

/// How many at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many have to be proven before more than so many go.
    pub first: usize,
    /// How many percent of the members may be rolled at a time.
    pub percent: usize,
    /// But so many at least.
    pub least: usize,
    /// How many in the whole cluster.
    pub cluster: usize,
}

/// Why one goes though its turn has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// None of its Pods is ready, or its last roll failed with content that is gone.
    Broken,
    /// It returns to content that was good.
    Revert,
}

/// What keeps a workload from being rolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The change failed in this workload.
    Halted(usize),
    /// The change seems to fail in this workload.
    Suspect(usize),
    /// This workload goes first, or is being proven.
    Wave(usize),
    /// As many as may be are being rolled.
    Slot,
}

/// A rule that is left out or wrong, so that a promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// None: all rules are as they should be.
    None,
    /// There is no first wave.
    NoFirst,
    /// What is complete counts as proven at once.
    NoSoak,
    /// Signs of a failure are not heeded before it is certain.
    NoSuspicion,
    /// A failure stops its own lane alone.
    HaltsOwnLane,
    /// A failure goes on stopping the source when there is other content.
    HaltsForEver,
    /// A failure stops nobody.
    NoHalt,
    /// Other content releases a joint roll's other changes before the failed one is retried.
    NoRetest,
    /// A workload with any broken Pod goes at once.
    AnyBroken,
    /// Only one of the changes that a workload lacks is asked.
    OneSource,
    /// Who can't be rolled is waited for.
    WaitsForSkipped,
    /// The limits are forgotten.
    NoSlots,
    /// A workload that was broken before counts as a proof.
    AnyProves,
    /// One that has to wait for its own interval keeps its place.
    KeepsPlace,
    /// No soak is ever waived.
    NoWaiver,
}

/// The default of every policy.
pub const DEFAULT: Limits = Limits {
    first: 1,
    percent: 25,
    least: 5,
    cluster: 50,
};

/// So many contents may overtake a healthy soak.
const OVERTAKEN: usize = 3;

/// Says of each workload that lacks something whether it may be rolled now. Those that may are
/// rolled together, so each counts for the next.
#[must_use]
pub fn admit(
    members: &[Member],
    limits: Limits,
    mutant: Mutant,
) -> Vec<(usize, Result<Option<Bypass>, Gate>)> {
    let mut fleet = Fleet {
        members,
        limits,
        mutant,
        started: BTreeSet::new(),
    };
    let pending = members.iter().filter(|one| !one.lacks.is_empty());
    let mut pending: Vec<&Member> = pending.collect();
    // What is broken first: for the others it is then the first one.
    pending.sort_by_key(|one| {
        let broken = fleet.bypass(one) == Some(Bypass::Broken);
        (!broken, !one.whole, one.name)
    });
    let mut verdicts = Vec::new();
    for one in pending.into_iter().filter(|one| !one.skipped) {
        if !one.may_go {
            if mutant == Mutant::KeepsPlace {
                fleet.started.insert(one.name);
            }
            continue;
        }
        let verdict = fleet.verdict(one);
        if verdict.is_ok() {
            fleet.started.insert(one.name);
        }
        verdicts.push((one.name, verdict));
    }
    verdicts
}

struct Fleet<'a> {
    members: &'a [Member],
    limits: Limits,
    mutant: Mutant,
    /// Those that are rolled now.
    started: BTreeSet<usize>,
}

impl Fleet<'_> {
    fn verdict(&self, one: &Member) -> Result<Option<Bypass>, Gate> {
        let bypass = self.bypass(one);
        let lacks = one.lacks.iter().copied();
        let asked = match self.mutant {
            Mutant::OneSource => 1,
            _ => usize::MAX,
        };
        for change in lacks.take(asked) {
            self.evidence(one, change)?;
            if bypass.is_none() {
                self.wave(one, change)?;
            }
            if bypass != Some(Bypass::Broken) {
                self.slot(one, change)?;
            }
        }
        let others = self.members.iter().filter(|other| other.name != one.name);
        let rolling = others.filter(|other| self.is_rolling(other));
        if rolling.count() >= self.limits.cluster && self.mutant != Mutant::NoSlots {
            return Err(Gate::Slot);
        }
        Ok(bypass)
    }

    fn bypass(&self, one: &Member) -> Option<Bypass> {
        let failed = one
            .roll
            .is_some_and(|roll| roll.state == State::Failed && !one.lacks.is_empty());
        let broken = match self.mutant {
            Mutant::AnyBroken => !one.whole,
            _ => !one.ready,
        };
        if failed || broken {
            return Some(Bypass::Broken);
        }
        one.reverts.then_some(Bypass::Revert)
    }

    /// Whether the change fails, or seems to.
    fn evidence(&self, one: &Member, change: Change) -> Result<(), Gate> {
        if self.mutant != Mutant::NoHalt
            && let Some(failed) = self.members.iter().find(|other| {
                self.halts(other, change)
                    && (self.mutant != Mutant::HaltsOwnLane || other.lane == one.lane)
            })
        {
            return Err(Gate::Halted(failed.name));
        }
        // What Pods of its own took by themselves is no reason to bring it to the others.
        if one.fails_alone.contains(&change) && self.first_is_proven(one, change) {
            return Err(Gate::Halted(one.name));
        }
        let mut others = self.members.iter();
        let suspect = others.find(|other| other.suspects.contains(&change));
        match suspect.filter(|_| self.mutant != Mutant::NoSuspicion) {
            Some(suspect) => Err(Gate::Suspect(suspect.name)),
            None => Ok(()),
        }
    }

    /// Whether the last roll of a workload failed with a change, and it has no other content yet.
    fn halts(&self, other: &Member, change: Change) -> bool {
        let failed = other.roll.is_some_and(|roll| roll.state == State::Failed);
        match self.mutant {
            Mutant::HaltsForEver => {
                failed && other.newest.iter().any(|one| one.source == change.source)
            }
            _ => failed && other.lacks.is_empty() && other.accused.contains(&change),
        }
    }

    /// Whether it is this one's turn.
    fn wave(&self, one: &Member, change: Change) -> Result<(), Gate> {
        // What failed together with other content is tried again where it failed.
        let retest = self.members.iter().find(|other| {
            other.name != one.name
                && !other.skipped
                && !self.started.contains(&other.name)
                && !other.lacks.is_empty()
                && other.accused.contains(&change)
                && other.roll.is_some_and(|roll| roll.state == State::Failed)
        });
        if let Some(other) = retest.filter(|_| self.mutant != Mutant::NoRetest) {
            return Err(Gate::Wave(other.name));
        }
        if self.mutant == Mutant::NoFirst || self.first_is_proven(one, change) {
            return Ok(());
        }
        let proven = self.lane(one, change).filter(|m| self.is_proven(m, change));
        let mut under_way = self
            .lane(one, change)
            .filter(|other| self.is_under_way(other, change));
        let room = self.limits.first.saturating_sub(proven.count());
        match under_way.nth(room.saturating_sub(1)) {
            Some(other) if room > 0 => Err(Gate::Wave(other.name)),
            _ => Ok(()),
        }
    }

    /// Whether as many are proven as have to be before others go. Where nobody is left who could
    /// prove anything, one who has it and is complete stands in.
    fn first_is_proven(&self, one: &Member, change: Change) -> bool {
        let lane = || self.lane(one, change);
        let proven = lane().filter(|other| self.is_proven(other, change)).count();
        if proven >= self.limits.first {
            return true;
        }
        let could_prove = lane().any(|other| {
            let pending = other.lacks.contains(&change)
                && other.whole
                && (!other.skipped || self.mutant == Mutant::WaitsForSkipped)
                && !self.is_held_elsewhere(other, change);
            pending || self.is_under_way(other, change)
        });
        let done = lane().any(|other| {
            let complete = other.roll.is_some_and(|roll| roll.state == State::Complete);
            complete && has(other, change)
        });
        !could_prove && done
    }

    /// Whether another change that it lacks is halted.
    fn is_held_elsewhere(&self, one: &Member, change: Change) -> bool {
        let mut others = one.lacks.iter().filter(|other| **other != change);
        others.any(|lacked| self.members.iter().any(|m| self.halts(m, *lacked)))
    }

    fn slot(&self, one: &Member, change: Change) -> Result<(), Gate> {
        let members = self.lane(one, change).count();
        let rolling = self
            .lane(one, change)
            .filter(|other| other.name != one.name && self.is_rolling(other));
        let most = (members * self.limits.percent / 100).max(self.limits.least);
        match rolling.count() < most || self.mutant == Mutant::NoSlots {
            true => Ok(()),
            false => Err(Gate::Slot),
        }
    }

    /// The members of a change that go by the same waves.
    fn lane(&self, one: &Member, change: Change) -> impl Iterator<Item = &Member> {
        let lane = one.lane;
        self.members
            .iter()
            .filter(move |other| other.lane == lane && other.newest.contains(&change))
    }

    fn is_proven(&self, one: &Member, change: Change) -> bool {
        let complete = one.roll.is_some_and(|roll| {
            let enough =
                roll.tells && one.overtaken >= OVERTAKEN && self.mutant != Mutant::NoWaiver
                    || self.mutant == Mutant::NoSoak
                    || self.mutant == Mutant::AnyProves && !roll.tells;
            roll.state == State::Complete && has(one, change) && enough
        });
        complete || one.proven.contains(&change)
    }

    /// Whether it has been rolled for the change and may still prove it.
    fn is_under_way(&self, one: &Member, change: Change) -> bool {
        if self.started.contains(&one.name) {
            return true;
        }
        if self.mutant == Mutant::WaitsForSkipped && one.skipped {
            return one.lacks.contains(&change);
        }
        let open = one.roll.is_some_and(|roll| match roll.state {
            State::Rolling => !one.skipped,
            State::Complete => roll.tells,
            State::Good | State::Failed | State::Stuck => false,
        });
        open && has(one, change)
    }

    /// Whether it holds a slot.
    fn is_rolling(&self, one: &Member) -> bool {
        let rolling = one.roll.is_some_and(|roll| roll.state == State::Rolling);
        rolling && !one.skipped || self.started.contains(&one.name)
    }
}

/// Whether it is a member of the change, and its Pods have it or will start with it.
fn has(one: &Member, change: Change) -> bool {
    one.newest.contains(&change) && !one.lacks.contains(&change)
}
