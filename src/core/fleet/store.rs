//! The members of all rollouts that are under way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::core::fleet::group::{Group, Turn};
use crate::core::fleet::member::Member;
use crate::kinds::{Rv, SourceId, WorkloadId};

/// The members of all rollouts that are under way. Of a source of which nobody lacks anything
/// and no roll goes on, nothing is kept.
#[derive(Debug, Default)]
pub struct Fleet {
    pub(super) members: HashMap<WorkloadId, Member>,
    pub(super) sources: HashMap<SourceId, Rollouts>,
    /// What a member was before it was to be rolled, until that is done.
    started: HashMap<WorkloadId, Member>,
    /// Those that hold a slot.
    pub(super) rolling: BTreeSet<WorkloadId>,
    /// How many may hold one in the whole cluster; `None` for any number.
    pub(super) most: Option<usize>,
    /// Sources whose groups have to be counted anew.
    stale: BTreeSet<SourceId>,
    /// Those for which there is another reason to wait since it was last asked.
    pub(super) told: BTreeSet<Turn>,
    /// Sources of which somebody may have got a turn since it was last asked.
    pub(super) changed: BTreeSet<SourceId>,
}

/// The rollouts of one source.
#[derive(Debug, Default)]
pub(super) struct Rollouts {
    members: BTreeSet<WorkloadId>,
    /// Those of them that wait, are rolled, or failed.
    active: BTreeSet<WorkloadId>,
    /// By change.
    pub(super) groups: BTreeMap<Option<Rv>, Group>,
}

// === impl Rollouts ===

impl Rollouts {
    fn put(&mut self, id: &WorkloadId, active: bool) {
        self.members.insert(id.clone());
        match active {
            true => self.active.insert(id.clone()),
            false => self.active.remove(id),
        };
    }
}

// === impl Fleet ===

impl Fleet {
    /// Nobody yet, for a cluster in which at most so many are rolled at a time.
    #[must_use]
    pub fn new(most: Option<usize>) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Takes in what is known of a workload now; `None` if it is not managed. Returns the
    /// sources whose rollout begins with it: all that project them have to be put in too.
    pub fn take_in(&mut self, id: &WorkloadId, member: Option<Member>) -> Vec<SourceId> {
        self.started.remove(id);
        match member {
            Some(member) => self.set(id, member),
            None => {
                self.remove(id);
                Vec::new()
            }
        }
    }

    /// Whether something is known of a workload.
    #[must_use]
    pub fn has(&self, id: &WorkloadId) -> bool {
        self.members.contains_key(id)
    }

    fn set(&mut self, id: &WorkloadId, member: Member) -> Vec<SourceId> {
        let before = self.members.remove(id);
        if before.as_ref() == Some(&member) {
            self.members.insert(id.clone(), member);
            return Vec::new();
        }
        let active = member.is_active();
        let mut begun = Vec::new();
        let mut kept = false;
        for source in member.stands.keys() {
            if active && !self.sources.contains_key(source) {
                begun.push(source.clone());
                // Some are known for the sake of another source.
                let known = self.members.iter();
                let known = known.filter(|(_, other)| other.stands.contains_key(source));
                let mut rollouts = Rollouts::default();
                for (id, other) in known {
                    rollouts.put(id, other.is_active());
                }
                self.sources.insert(source.clone(), rollouts);
            }
            let Some(rollouts) = self.sources.get_mut(source) else {
                continue;
            };
            kept = true;
            rollouts.put(id, active);
            self.mark(source);
        }
        self.hold(id, member.is_rolling());
        let left = before.iter().flat_map(|before| before.stands.keys());
        let left = left.filter(|source| !member.stands.contains_key(*source));
        let left: Vec<SourceId> = left.cloned().collect();
        let mut sources: Vec<SourceId> = member.stands.keys().cloned().collect();
        if kept {
            self.members.insert(id.clone(), member);
        }
        self.leave(id, &left);
        sources.extend(left);
        self.end(&sources);
        begun
    }

    /// Forgets a workload that is gone or not managed any more.
    pub fn remove(&mut self, id: &WorkloadId) {
        self.started.remove(id);
        self.hold(id, false);
        let Some(member) = self.members.remove(id) else {
            return;
        };
        let sources: Vec<SourceId> = member.stands.into_keys().collect();
        self.leave(id, &sources);
        self.end(&sources);
    }

    /// Takes in that a workload is about to be rolled for all that it lacks.
    pub fn start(&mut self, id: &WorkloadId) {
        let Some(before) = self.members.get(id).cloned() else {
            return;
        };
        let mut member = before.clone();
        member.start();
        self.set(id, member);
        self.started.insert(id.clone(), before);
    }

    /// Takes in that a roll that was to be made was not. Until it is planned again for a reason of
    /// its own, others go: else two that are refused would wake each other for ever.
    pub fn give_back(&mut self, id: &WorkloadId) {
        if let Some(mut before) = self.started.remove(id) {
            before.may_go = false;
            self.set(id, before);
        }
    }

    /// The sources of which a rollout is under way.
    pub fn sources(&self) -> impl Iterator<Item = &SourceId> {
        self.sources.keys()
    }

    /// Takes in whether a workload holds a slot. Where all are taken, or were, that concerns all.
    fn hold(&mut self, id: &WorkloadId, holds: bool) {
        let most = self.most.unwrap_or(usize::MAX);
        let scarce = |held: usize| held >= most;
        let before = self.rolling.len();
        let other = match holds {
            true => self.rolling.insert(id.clone()),
            false => self.rolling.remove(id),
        };
        if other && (scarce(before) || scarce(self.rolling.len())) {
            self.changed.extend(self.sources.keys().cloned());
        }
    }

    fn mark(&mut self, source: &SourceId) {
        if self.sources.contains_key(source) {
            self.stale.insert(source.clone());
            self.changed.insert(source.clone());
        }
    }

    fn leave(&mut self, id: &WorkloadId, sources: &[SourceId]) {
        for source in sources {
            if let Some(rollouts) = self.sources.get_mut(source) {
                rollouts.members.remove(id);
                rollouts.active.remove(id);
                self.mark(source);
            }
        }
    }

    /// Forgets those of the sources of which no rollout is under way any more.
    fn end(&mut self, sources: &[SourceId]) {
        for source in sources {
            let Some(rollouts) = self.sources.get(source) else {
                continue;
            };
            if !rollouts.active.is_empty() {
                continue;
            }
            let members = self.sources.remove(source).map(|it| it.members);
            self.stale.remove(source);
            self.changed.remove(source);
            for id in members.into_iter().flatten() {
                let stands = self.members.get(&id).map(|member| &member.stands);
                let mut others = stands.into_iter().flat_map(BTreeMap::keys);
                if !others.any(|source| self.sources.contains_key(source)) {
                    self.members.remove(&id);
                }
            }
        }
    }

    /// Counts anew what has changed.
    pub(super) fn count(&mut self) {
        for source in std::mem::take(&mut self.stale) {
            let Some(rollouts) = self.sources.get_mut(&source) else {
                continue;
            };
            let mut groups: BTreeMap<Option<Rv>, Group> = BTreeMap::new();
            for id in &rollouts.members {
                let Some(member) = self.members.get(id) else {
                    continue;
                };
                let Some(stand) = member.stands.get(&source) else {
                    continue;
                };
                let group = groups.entry(stand.change).or_default();
                group.count(id, member, stand);
            }
            groups.values_mut().for_each(Group::sort);
            for (version, group) in &groups {
                let before = rollouts.groups.get(version);
                if before.is_some_and(|before| before.evidence() != group.evidence()) {
                    self.told.extend(group.pending().cloned());
                }
            }
            rollouts.groups = groups;
        }
    }

    /// All that is known, to be compared.
    #[cfg(test)]
    pub(super) fn dump(&self) -> String {
        let sources: BTreeMap<_, _> = self.sources.iter().collect();
        let members: BTreeMap<_, _> = self.members.iter().collect();
        format!("{sources:#?} {members:#?} {:?}", self.rolling)
    }
}
