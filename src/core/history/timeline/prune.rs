//! How a timeline is kept short.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::limits::{MAX_CHANGED, MAX_TIMELINE};
use crate::core::history::timeline::Timeline;
use crate::core::history::timeline::standing::Position;
use crate::core::object::pod::{Container, Start};

impl Timeline {
    /// Keeps the timeline within [`MAX_TIMELINE`]: entries that no Pod in `pods` started
    /// in go first, then the oldest, after which older Pods are outdated. `lag` is as for
    /// [`standing`](Self::standing).
    pub fn prune<'a>(
        &mut self,
        pods: impl Iterator<Item = (Start, &'a [Container])>,
        lag: Duration,
    ) {
        if self.entries.len() <= MAX_TIMELINE {
            return;
        }
        let mut lived = BTreeSet::new();
        for (start, containers) in pods {
            let base = self.position_of_pod(&start);
            lived.insert(base.index());
            for container in containers {
                let positions = self.positions_of_container(base, Some(container), lag);
                lived.extend(positions.map(Position::index));
            }
        }
        let untold = |index: &&usize| self.entries[**index].known().is_none();
        let counting: Vec<usize> = lived
            .iter()
            .filter(untold)
            .flat_map(|index| [self.known_before(*index), self.known_after(*index)])
            .flatten()
            .collect();
        lived.extend(counting);
        let surplus = self.entries.len() - MAX_TIMELINE;
        let unused: BTreeSet<usize> = (0..self.entries.len() - 1)
            .filter(|index| !lived.contains(index))
            .take(surplus)
            .collect();
        for index in unused.into_iter().rev() {
            self.remove(index);
        }
        while self.entries.len() > MAX_TIMELINE {
            self.remove(self.superfluous().unwrap_or(0));
        }
    }

    /// An entry without which no Pod is outdated that wasn't: one that says what the one
    /// before it says, or a content between two spans of which nothing is known that was
    /// also in force before and after these.
    fn superfluous(&self) -> Option<usize> {
        let inner = || 1..self.entries.len() - 1;
        let known = |index: usize| self.entries[index].known();
        let missing = |index: usize| self.entries[index].missing;
        let same = |index: &usize| {
            known(*index) == known(index - 1) && missing(*index) == missing(index - 1)
        };
        let passing = |index: &usize| {
            let around = [self.known_before(*index), self.known_after(*index)];
            let alike = |at: &Option<usize>| at.is_some_and(|at| known(at) == known(*index));
            known(index - 1).is_none() && known(index + 1).is_none() && around.iter().all(alike)
        };
        inner().find(same).or_else(|| inner().find(passing))
    }

    /// Removes an entry. The one after it stands for both where edits are
    /// collected and named.
    fn remove(&mut self, index: usize) {
        let removed = self.entries.remove(index);
        if index == 0 {
            self.open = false;
        } else if index + 1 < self.entries.len() {
            let next = &mut self.entries[index];
            next.received = next.received.min(removed.received);
            next.changed.extend(removed.changed);
            next.changed.sort();
            next.changed.dedup();
            next.unnamed |= removed.unnamed || next.changed.len() > MAX_CHANGED;
            next.changed.truncate(MAX_CHANGED);
        }
    }
}
