//! Whether a wave has come.

use crate::core::fleet::bypass::Bypass;
use crate::core::fleet::group::{Part, Tally};
use crate::core::fleet::member::Member;
use crate::core::policy::{Rollout, WaveMembers};
use crate::kinds::WorkloadId;

/// What keeps a member from going with its lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// This one goes first, or is being proven.
    Behind(WorkloadId),
    /// The wave has ended, and nobody in it could prove anything.
    NothingProven(usize),
}

/// What is asked of the waves of a lane.
pub(super) struct Waves<'a, F> {
    pub(super) tally: &'a Tally,
    /// Whether what else a workload lacks keeps it from being rolled.
    pub(super) held: F,
}

// === impl Waves ===

impl<F: Fn(&WorkloadId) -> bool> Waves<'_, F> {
    /// How many members may go now, of those that are where this one is.
    pub(super) fn room(&self, one: &Member, bypass: Option<Bypass>) -> Result<usize, Early> {
        let waits = bypass.is_none();
        let rollout: &Rollout = &self.tally.rollout;
        let (none, mut quota) = (Part::default(), 0);
        let rest = self.tally.parts.get(&None).unwrap_or(&none);
        for (at, wave) in rollout.waves.iter().enumerate() {
            match &wave.members {
                WaveMembers::Selected(_) if one.wave == Some(at) => return Ok(usize::MAX),
                WaveMembers::Selected(_) => {
                    if waits {
                        self.passed(at)?;
                    }
                }
                WaveMembers::Size(size) => {
                    quota += size.of(self.tally.members);
                    let room = quota.min(rest.members).saturating_sub(rest.proven);
                    if room == 0 || self.is_exhausted(rest) {
                        continue;
                    }
                    if !waits {
                        return Ok(usize::MAX);
                    }
                    return match rest.under_way.get(room - 1) {
                        Some(other) => Err(Early::Behind(other.clone())),
                        None => Ok(room - rest.under_way.len()),
                    };
                }
                WaveMembers::Rest => break,
            }
        }
        match waits && !rollout.waves.is_empty() {
            true => self.first(rest),
            false => Ok(usize::MAX),
        }
    }

    /// Until somebody has proven the change one goes at a time, also where no wave had anybody.
    fn first(&self, rest: &Part) -> Result<usize, Early> {
        if self.tally.is_proven() || self.is_exhausted(rest) {
            return Ok(usize::MAX);
        }
        match rest.under_way.first() {
            Some(other) => Err(Early::Behind(other.clone())),
            None => Ok(1),
        }
    }

    /// Whether a wave with a selector is over.
    fn passed(&self, at: usize) -> Result<(), Early> {
        let Some(part) = self.tally.parts.get(&Some(at)) else {
            return Ok(());
        };
        let mut open = part.under_way.iter();
        let mut pending = part.pending.iter().filter(|id| !(self.held)(id));
        if let Some(other) = open.next().or_else(|| pending.next()) {
            return Err(Early::Behind(other.clone()));
        }
        let told = part.proven > 0 || part.complete > 0;
        match told {
            true => Ok(()),
            false => Err(Early::NothingProven(at)),
        }
    }

    /// Whether nobody is left who could prove anything, and one that is complete stands in.
    fn is_exhausted(&self, part: &Part) -> bool {
        let able = part.able.iter().any(|id| !(self.held)(id));
        !able && part.under_way.is_empty() && part.complete > 0
    }
}
