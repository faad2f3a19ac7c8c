//! From a Pod's start to what it has.

use std::time::Duration;

use crate::core::history::timeline::Timeline;
use crate::core::history::timeline::entry::{Content, Entry, Since};
use crate::core::object::pod::{Container, ContainerStart, Start};
use crate::core::project::reference::Reference;
use crate::core::time::ServerTime;

/// What a Pod has of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No container that sees it has started: it will have the newest content.
    NotStarted,
    /// It has the newest content.
    Current,
    /// Can't be told.
    Unknown,
    /// It has other content than the newest.
    Outdated {
        /// Index of the first entry of those that it lacks.
        lacks: usize,
    },
}

/// Where in a timeline a container started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Position {
    Before,
    At(usize),
}

// === impl Position ===

impl Position {
    /// The entry that a Pod there lives by.
    pub(super) fn index(self) -> usize {
        match self {
            Self::Before => 0,
            Self::At(index) => index,
        }
    }

    /// The entry after it.
    fn next(self) -> usize {
        match self {
            Self::Before => 0,
            Self::At(index) => index + 1,
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Whether a container may have started in it or later though that isn't certain.
    /// Within the same second one that was listed counts as older, so that a restart
    /// alone makes none outdated. `earliest` is a time before which it didn't come.
    fn may_be_before(&self, start: &ContainerStart, earliest: ServerTime) -> bool {
        match (start.shown, self.since.rv) {
            // Up to the end of that second all was seen.
            _ if self.content == Content::Unsure => self.since.time < start.at,
            (Some(event), Some(content)) if self.since.exact && event <= content => false,
            // The node's clock may be behind.
            (Some(_), _) => seconds_between(start.at, earliest)
                .is_none_or(|seconds| seconds <= ContainerStart::CLOCK_MARGIN.into()),
            (None, _) => self.since.time < start.at,
        }
    }
}

// === impl Standing ===

impl Standing {
    /// The worse of two; of two that are outdated, that which lacks more.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Outdated { lacks: a }, Self::Outdated { lacks: b }) => {
                Self::Outdated { lacks: a.min(b) }
            }
            _ => self.max(other),
        }
    }
}

// === impl Since ===

impl Since {
    /// Whether a Pod started after this. Two resourceVersions are compared;
    /// else times, where within the same second the Pod counts as older.
    #[must_use]
    pub fn precedes(&self, start: &Start) -> bool {
        if let Some(content) = self.rv {
            if start.at_least.is_some_and(|version| version >= content) {
                return true;
            }
            match start.rv {
                Some(pod) if pod >= content => return true,
                Some(_) if self.exact => return false,
                _ => {}
            }
        }
        start.time > self.time
    }

    /// Whether a container started after this. Its `startedAt` is a node's
    /// clock: it counts only beyond what that may be ahead, and where the event that
    /// first showed it came after the content, or, for a listed Pod, beyond a margin.
    /// `lag` is what the kubelet may take to bring new content to the files that the
    /// container starts with.
    #[must_use]
    fn precedes_container(&self, start: &ContainerStart, lag: Duration) -> bool {
        let margin = match (start.shown, self.rv) {
            (Some(event), Some(content)) if event <= content => return false,
            (Some(_), _) => start.ahead.min(ContainerStart::CLOCK_MARGIN),
            (None, _) => ContainerStart::CLOCK_MARGIN,
        };
        let least = lag.as_secs().saturating_add(margin.into());
        seconds_between(self.time, start.at).is_some_and(|seconds| seconds > least)
    }

    /// Whether a container certainly started before this: the event that first showed
    /// the start came no later, or the times are further apart than clocks may be. A
    /// container that starts as soon as what it waited for appears may well show a
    /// time before that, or an event before the version in which a list brought it.
    #[must_use]
    fn follows_container(&self, start: &ContainerStart) -> bool {
        match (start.shown, self.rv) {
            (Some(event), Some(content)) if self.exact && event <= content => true,
            _ => seconds_between(start.at, self.time)
                .is_some_and(|seconds| seconds > ContainerStart::CLOCK_MARGIN.into()),
        }
    }
}

/// Whole seconds from `earlier` to `later`; `None` if `later` isn't later.
fn seconds_between(earlier: ServerTime, later: ServerTime) -> Option<u64> {
    u64::try_from(later.as_second().saturating_sub(earlier.as_second())).ok()
}

// === impl Timeline ===

impl Timeline {
    /// What a Pod with this start and these `reported` container statuses has of
    /// `reference`. `lag` is the kubelet's refresh bound: a container that starts again has
    /// of a volume what was written there before, and nobody waits for it to be written
    /// anew. Contents from index `alike` on differ only in what no container sees.
    #[must_use]
    pub fn standing(
        &self,
        start: &Start,
        reported: &[Container],
        reference: &Reference,
        lag: Duration,
        alike: usize,
    ) -> Standing {
        let base = self.position_of_pod(start);
        reference
            .containers
            .iter()
            .flat_map(|name| {
                let status = reported.iter().find(|container| container.name == *name);
                let lag = match reference.mounting.contains(name) {
                    true => lag,
                    false => Duration::ZERO,
                };
                self.positions_of_container(base, status, lag)
            })
            .map(|position| self.standing_at(position, alike))
            .reduce(Standing::worse)
            .unwrap_or(Standing::NotStarted)
    }

    /// Whether a Pod's start would be placed elsewhere without the resourceVersion
    /// that only those know who saw it live.
    #[must_use]
    pub fn needs_version(&self, start: &Start) -> bool {
        let listed = Start { rv: None, ..*start };
        start.rv.is_some() && self.position_of_pod(start) != self.position_of_pod(&listed)
    }

    /// The newest entry that `start` comes after.
    pub(super) fn position_of_pod(&self, start: &Start) -> Position {
        let newest = |holds: &dyn Fn(&Entry) -> bool| {
            let index = self.entries.iter().rposition(holds);
            index.map_or(Position::Before, Position::At)
        };
        let by_start = newest(&|entry| entry.since.precedes(start));
        // A Pod that can't be told can't be told after a restart either.
        let untold = match by_start {
            Position::Before => self.open,
            Position::At(index) => match self.entries[index].content {
                Content::Known(_) => false,
                Content::Unread => self.standing_in_gap(index, usize::MAX) == Standing::Unknown,
                Content::Unsure => true,
            },
        };
        if untold || start.rv.is_some() {
            return by_start;
        }
        // A time before that of the content tells nothing: the content's own time is
        // that of its reading, where the object gives none.
        by_start.max(newest(&|entry| {
            entry
                .synced
                .is_some_and(|time| entry.since.time <= time && start.time <= time)
        }))
    }

    /// Where a container may have started, oldest first; nowhere if it has not. A Pod
    /// that started while something required was missing has what then appeared.
    pub(super) fn positions_of_container(
        &self,
        base: Position,
        container: Option<&Container>,
        lag: Duration,
    ) -> impl Iterator<Item = Position> {
        let newest = |holds: &dyn Fn(&Entry) -> bool| {
            let index = self.entries.iter().rposition(holds);
            index.map_or(Position::Before, Position::At)
        };
        let startable = |index: &usize| !self.entries[*index].missing;
        let start = container.map(|container| container.started);
        let (own, latest) = match start {
            Some(Some(start)) => (
                newest(&|entry| entry.since.precedes_container(&start, lag)),
                self.latest_of_container(&start),
            ),
            // No status yet, or an owner of Pods that reports none.
            Some(None) | None => (Position::Before, Position::Before),
        };
        let first = match base.max(own) {
            Position::Before => Some(Position::Before),
            Position::At(index) => {
                let ran_before = |at: usize| {
                    let since = &self.entries[at].since;
                    start
                        .flatten()
                        .is_some_and(|at| since.follows_container(&at))
                };
                match (index..self.entries.len()).find(startable) {
                    // What ran before it appeared has something older.
                    Some(at) if at > index && ran_before(at) => Some(Position::At(index)),
                    Some(at) => Some(Position::At(at)),
                    // It runs though this could not start: with what was there before.
                    None if start.flatten().is_some() => {
                        Some(index.checked_sub(1).map_or(Position::Before, Position::At))
                    }
                    None => None,
                }
            }
        };
        let rest = match (first, latest) {
            (Some(first), Position::At(latest)) => first.next()..latest + 1,
            _ => 0..0,
        };
        let rest = rest.filter(startable).map(Position::At);
        let started = start != Some(None);
        first.into_iter().chain(rest).filter(move |_| started)
    }

    /// The newest entry in which a container may have started.
    fn latest_of_container(&self, start: &ContainerStart) -> Position {
        let may_be = |index: &usize| {
            // What was not read may have come any time after the entry before.
            let mut until = self.entries[..=*index].iter().rev();
            let dated = until.find(|entry| entry.content != Content::Unread);
            let earliest = dated.map_or(ServerTime::MIN, |entry| entry.since.time);
            self.entries[*index].may_be_before(start, earliest)
        };
        let index = (0..self.entries.len()).rev().find(may_be);
        index.map_or(Position::Before, Position::At)
    }

    /// From which index on contents differ only in keys that are `covered`.
    #[must_use]
    pub fn alike(&self, covered: impl Fn(&str) -> bool) -> usize {
        let hidden = |entry: &Entry| {
            let named = !entry.changed.is_empty() && !entry.unnamed;
            named && entry.changed.iter().all(|key| covered(key))
        };
        // What was not read has no part in what changed from one reading to the next.
        let differs = |entry: &Entry| matches!(entry.content, Content::Known(_)) && !hidden(entry);
        self.entries.iter().rposition(differs).unwrap_or_default()
    }

    /// Whether an entry's content is the newest, as far as containers see it.
    fn is_newest(&self, index: usize, alike: usize) -> bool {
        let content = self.entries[index].content;
        content == self.newest().content || index >= alike && matches!(content, Content::Known(_))
    }

    fn standing_at(&self, position: Position, alike: usize) -> Standing {
        match position {
            Position::Before if !self.open => Standing::Outdated { lacks: 0 },
            Position::Before if self.is_newest(0, alike) => Standing::Unknown,
            Position::Before => self.outdated(self.entries[0].content, 0),
            Position::At(index) if self.is_newest(index, alike) => Standing::Current,
            Position::At(index) => match self.entries[index].content {
                Content::Known(_) => self.outdated(self.entries[index].content, index),
                Content::Unread | Content::Unsure => self.standing_in_gap(index, alike),
            },
        }
    }

    /// What a Pod has that started in a content which nobody read, or while nobody
    /// watched: it can't be told where all that is known of then is the newest content,
    /// else it is outdated.
    fn standing_in_gap(&self, index: usize, alike: usize) -> Standing {
        let Some(next) = self.known_after(index) else {
            return Standing::Unknown;
        };
        let before = self.known_before(index);
        if self.is_newest(next, alike) && before.is_none_or(|at| self.is_newest(at, alike)) {
            return Standing::Unknown;
        }
        match self.entries[index].content {
            Content::Unsure if self.is_newest(next, alike) => Standing::Outdated { lacks: next },
            Content::Unsure => self.outdated(self.entries[next].content, next),
            content => self.outdated(content, index),
        }
    }

    /// The last content before an entry that is known, and with which a container can start.
    pub(super) fn known_before(&self, index: usize) -> Option<usize> {
        (0..index).rev().find(|at| self.is_startable(*at))
    }

    /// The first content after an entry that is known, and with which a container can start;
    /// where none of them can, the first that is known.
    pub(super) fn known_after(&self, index: usize) -> Option<usize> {
        let mut after = index + 1..self.entries.len();
        let startable = after.clone().find(|at| self.is_startable(*at));
        startable.or_else(|| after.find(|at| self.entries[*at].known().is_some()))
    }

    fn is_startable(&self, index: usize) -> bool {
        self.entries[index].known().is_some() && !self.entries[index].missing
    }

    /// Outdated since the first entry after the last one that equals what it has.
    fn outdated(&self, has: Content, index: usize) -> Standing {
        let last_equal = match has {
            Content::Known(_) => self.entries.iter().rposition(|entry| entry.content == has),
            Content::Unread | Content::Unsure => None,
        };
        Standing::Outdated {
            lacks: last_equal.unwrap_or(index).max(index) + 1,
        }
    }
}
