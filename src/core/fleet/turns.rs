//! Whose turn it is.

use std::collections::BTreeSet;

use crate::api::rollout::OnFailure;
use crate::core::fleet::bypass::Bypass;
use crate::core::fleet::gate::{Gate, Why};
use crate::core::fleet::group::{Group, Tally, Turn};
use crate::core::fleet::member::{Member, Stand};
use crate::core::fleet::store::Fleet;
use crate::core::fleet::waves::Waves;
use crate::kinds::{SourceId, WorkloadId};

/// A member may go: before its turn, perhaps, and beside so many others at most.
struct Pass {
    bypass: Option<Bypass>,
    room: usize,
}

// === impl Fleet ===

impl Fleet {
    /// Whether a workload may be rolled for what it lacks, and if before its turn, why.
    pub fn turn(&mut self, id: &WorkloadId) -> Result<Option<Bypass>, Gate> {
        self.count();
        let Some(member) = self.members.get(id) else {
            return Ok(None);
        };
        for (source, stand) in lacked(member) {
            let gate = |why| Gate {
                source: source.clone(),
                why,
            };
            // One that was refused before is tried whenever it may go: nobody waits for it.
            if self.passes(id, member, source, stand)?.bypass.is_some() || member.skipped {
                continue;
            }
            let Some((_, tally)) = self.lane(member, source, stand) else {
                continue;
            };
            let next = self.next(source, tally);
            match next.first() {
                _ if next.iter().any(|turn| turn.id() == id) => {}
                Some(first) => return Err(gate(Why::Behind(first.id().clone()))),
                None => return Err(gate(Why::NoSlot)),
            }
        }
        Ok(Self::bypass(member))
    }

    /// The bypass that is in force for all that a workload lacks, if there is one.
    fn bypass(member: &Member) -> Option<Bypass> {
        let each = lacked(member).map(|(source, _)| Self::bypass_of(member, source));
        let each: Option<Vec<Bypass>> = each.collect();
        each.and_then(|each| each.into_iter().max())
    }

    /// The workloads that may go now, or wait for another reason now, of the sources of which
    /// something has changed since this was last asked; in their order.
    pub fn wake(&mut self) -> Vec<WorkloadId> {
        self.count();
        let told = std::mem::take(&mut self.told);
        let mut woken: BTreeSet<&Turn> = told.iter().collect();
        let mut looked_at = BTreeSet::new();
        let mut changed = std::mem::take(&mut self.changed);
        while let Some(source) = changed.pop_first() {
            let Some(rollouts) = self.sources.get(&source) else {
                continue;
            };
            for tally in rollouts
                .groups
                .values()
                .flat_map(|group| group.lanes.values())
            {
                woken.extend(self.next(&source, tally));
                // Whoever lacks another source too may hold up others there, or do so no longer.
                let pending = tally.pending.iter();
                let members = pending.filter_map(|turn| self.members.get(turn.id()));
                let sources = members.flat_map(|member| lacked(member).map(|(source, _)| source));
                changed.extend(sources.filter(|it| !looked_at.contains(*it)).cloned());
            }
            changed.remove(&source);
            looked_at.insert(source);
        }
        woken.into_iter().map(|turn| turn.id().clone()).collect()
    }

    /// Those of a lane that may go now, in their order.
    fn next<'a>(&'a self, source: &SourceId, tally: &'a Tally) -> Vec<&'a Turn> {
        let mut next = Vec::new();
        for turn in &tally.pending {
            let Some(member) = self.members.get(turn.id()) else {
                continue;
            };
            let mut room = usize::MAX;
            let mut goes = true;
            for (other, stand) in lacked(member) {
                match self.passes(turn.id(), member, other, stand) {
                    Ok(pass) if other == source => room = room.min(pass.room),
                    Ok(_) => {}
                    Err(_) => goes = false,
                }
            }
            if goes && next.len() < room {
                next.push(turn);
            }
        }
        next
    }

    /// Whether a member may go for what it lacks of one source, if nobody else goes now.
    fn passes(
        &self,
        id: &WorkloadId,
        member: &Member,
        source: &SourceId,
        stand: &Stand,
    ) -> Result<Pass, Gate> {
        let gate = |why| Gate {
            source: source.clone(),
            why,
        };
        let bypass = Self::bypass_of(member, source);
        let Some((group, tally)) = self.lane(member, source, stand) else {
            return Ok(Pass {
                bypass,
                room: usize::MAX,
            });
        };
        let heeds = tally.rollout.on_failure == OnFailure::Halt;
        if heeds {
            if let Some(failed) = group.halting.first() {
                return Err(gate(Why::Halted(failed.clone())));
            }
            if let Some(other) = group.suspected.first() {
                return Err(gate(Why::Suspect(other.clone())));
            }
        }
        let retried = group.retried.iter().find(|other| *other != id);
        if let Some(other) = retried.filter(|_| heeds && bypass.is_none()) {
            return Err(gate(Why::Behind(other.clone())));
        }
        let waves = Waves {
            tally,
            held: |other: &WorkloadId| self.is_held_elsewhere(other, source),
        };
        let room = waves.room(member, bypass);
        let room = room.map_err(|early| gate(early.into()))?;
        let itself = usize::from(member.is_rolling());
        let limit = tally.rollout.max_concurrent.of(tally.members);
        let limit = match bypass {
            Some(bypass) if bypass.skips_limit() => usize::MAX,
            _ => limit.saturating_sub(tally.rolling - itself),
        };
        let cluster = self.most.unwrap_or(usize::MAX);
        let cluster = cluster.saturating_sub(self.rolling.len() - itself);
        match limit.min(cluster) {
            0 => Err(gate(Why::NoSlot)),
            slots => Ok(Pass {
                bypass,
                room: room.min(slots),
            }),
        }
    }

    fn bypass_of(member: &Member, source: &SourceId) -> Option<Bypass> {
        let urgent = || member.lane.rollout.is_urgent(source);
        member
            .bypass()
            .or_else(|| urgent().then_some(Bypass::Urgent))
    }

    fn lane(&self, member: &Member, source: &SourceId, stand: &Stand) -> Option<(&Group, &Tally)> {
        let group = self.sources.get(source)?.groups.get(&stand.change)?;
        Some((group, group.lanes.get(&member.lane.id)?))
    }

    /// Whether another source that a workload lacks is halted.
    fn is_held_elsewhere(&self, id: &WorkloadId, source: &SourceId) -> bool {
        let Some(member) = self.members.get(id) else {
            return false;
        };
        lacked(member)
            .filter(|(other, _)| *other != source)
            .any(|(other, stand)| {
                let group = self.lane(member, other, stand).map(|(group, _)| group);
                group.is_some_and(|group| !group.halting.is_empty())
            })
    }
}

/// What a member lacks.
fn lacked(member: &Member) -> impl Iterator<Item = (&SourceId, &Stand)> {
    member.stands.iter().filter(|(_, stand)| stand.lacks)
}
