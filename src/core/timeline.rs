//! The timeline of a reference: which content was in force when, and from that
//! what each Pod has.
//!
//! The truth is what each live Pod started with. A [`Timeline`] orders contents
//! by [`Since`]; [`Timeline::standing`] finds the content in force at a Pod's
//! [`Start`] and compares it with the newest.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::core::digest::Digest;
use crate::core::object::Rv;
use crate::core::pod::{Container, ContainerStart, Start};
use crate::core::reference::Class;
use crate::core::time::{Mono, ServerTime};

/// How many contents a timeline keeps.
pub const LIMIT: usize = 8;

/// How far a node's clock is trusted where only a list showed a container's start.
const LISTED_MARGIN: Duration = Duration::from_secs(10);

/// What a source gave in one span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Content that was read, absence included.
    Known(Digest),
    /// A version that was edited over before it could be read: equals nothing.
    Unread,
    /// A span that nobody watched and that may hide an edit: can't be told.
    Unsure,
}

/// When a content came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The resourceVersion of the object version in which it was first read, or
    /// of the DELETED event for absence.
    pub rv: Option<Rv>,
    /// Whether the content cannot be older than `rv`. Where it can (the version
    /// was listed, not seen live), `rv` only proves that later Pods have it.
    pub exact: bool,
    /// The server's time for it.
    pub time: ServerTime,
}

/// One content of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was in force.
    pub content: Content,
    /// Since when.
    pub since: Since,
    /// Whether something required was missing, so that no container could start.
    pub missing: bool,
    /// The projected keys that differ from the entry before; at most
    /// [`CHANGED_LIMIT`].
    pub changed: Vec<Arc<str>>,
    /// When the operator learned of it; zero for what was stored before it started.
    pub received: Mono,
    /// Every Pod created up to this time has this content or a later one: the
    /// `lastInSync` that was stored while this content was the newest.
    pub synced: Option<ServerTime>,
}

/// How many changed keys an entry names.
pub const CHANGED_LIMIT: usize = 10;

/// The contents of one reference, oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// Whether Pods older than the first entry can't be told (first sight)
    /// rather than being outdated.
    open: bool,
}

/// What one reading of a source says of a reference.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The digest of what is projected.
    pub digest: Digest,
    /// Whether something required is missing.
    pub missing: bool,
    /// `metadata.resourceVersion` of the object that was read; of the DELETED
    /// event, if one was seen, for an absent one.
    pub rv: Option<Rv>,
    /// The version that last changed the data, where the watch saw it live and
    /// had reached `rv`: the content is in force since then.
    pub edited: Option<Rv>,
    /// Whether no container can start without it.
    pub required: bool,
    /// `metadata.creationTimestamp`, `None` for an absent source.
    pub created: Option<ServerTime>,
    /// The newest managedFields time that owns data.
    pub data_time: Option<ServerTime>,
    /// The `Date` of the API response that brought it.
    pub date: ServerTime,
    /// When the operator learned of the change.
    pub received: Mono,
    /// The projected keys that differ from the previous content.
    pub changed: Vec<Arc<str>>,
    /// Whether a key that was projected is gone: a removal moves no
    /// managedFields time.
    pub key_went: bool,
}

/// A version of a source that went by between two readings of a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its resourceVersion.
    pub rv: Rv,
    /// What happened in it.
    pub kind: MarkKind,
    /// When the operator learned of it.
    pub received: Mono,
}

/// What happened in a version of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// Its data may have changed.
    Edited,
    /// It was deleted.
    Deleted,
}

/// A span in which nobody watched: before a restart, or while a watch was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last version seen before it.
    pub after: Option<Rv>,
    /// A server time up to which everything was seen.
    pub from: ServerTime,
}

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
enum Position {
    Before,
    At(usize),
}

// === impl Position ===

impl Position {
    /// The entry that a Pod there lives by.
    fn index(self) -> usize {
        match self {
            Self::Before => 0,
            Self::At(index) => index,
        }
    }
}

// === impl Since ===

impl Since {
    /// In force since before anything that can be told.
    pub const BEGINNING: Self = Self {
        rv: None,
        exact: false,
        time: ServerTime::MIN,
    };

    /// Whether a Pod started after this. Two resourceVersions are compared;
    /// else times, where within the same second the Pod counts as older.
    #[must_use]
    pub fn before_pod(&self, start: &Start) -> bool {
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
    /// clock: it counts only where the event that first showed it came after the
    /// content, or, for a listed Pod, beyond a margin. `lag` is what the kubelet
    /// may take to bring new content to the container's files.
    #[must_use]
    fn before_container(&self, start: &ContainerStart, lag: Duration) -> bool {
        let margin = match (start.shown, self.rv) {
            (Some(event), Some(content)) if event <= content => return false,
            (Some(_), _) => lag,
            (None, _) => lag.saturating_add(LISTED_MARGIN),
        };
        seconds_between(self.time, start.at).is_some_and(|seconds| seconds > margin.as_secs())
    }
}

/// Whole seconds from `earlier` to `later`; `None` if `later` isn't later.
fn seconds_between(earlier: ServerTime, later: ServerTime) -> Option<u64> {
    u64::try_from(later.as_second().saturating_sub(earlier.as_second())).ok()
}

// === impl Timeline ===

impl Timeline {
    /// Starts the timeline of a new reference. `first_sight` says that the
    /// workload itself is new to us, so that older Pods can't be told.
    #[must_use]
    pub fn new(seen: &Observation, first_sight: bool) -> Self {
        let since = match (seen.created, seen.edited) {
            (None, _) => seen.rv.map_or(Since::BEGINNING, |rv| Since {
                rv: Some(rv),
                exact: true,
                time: seen.date,
            }),
            (Some(created), edited) => Since {
                rv: edited.or(seen.rv),
                exact: edited.is_some(),
                time: first_time(created, seen),
            },
        };
        Self {
            entries: vec![seen.entry(since)],
            open: first_sight,
        }
    }

    /// Takes up a stored timeline; `None` if it has no entries.
    #[must_use]
    pub fn restore(entries: Vec<Entry>, open: bool) -> Option<Self> {
        (!entries.is_empty()).then_some(Self { entries, open })
    }

    /// The contents, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether Pods older than the first entry can't be told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The content in force now.
    #[must_use]
    pub fn newest(&self) -> &Entry {
        // A timeline is made with one entry and never loses its last.
        &self.entries[self.entries.len() - 1]
    }

    /// Takes in a reading that follows the newest entry. `marks` are the
    /// versions that went by unread, oldest first; `absent` is the digest of
    /// absence and whether that leaves something required missing.
    /// Returns whether the content in force changed.
    pub fn observe(&mut self, marks: &[Mark], absent: (Digest, bool), seen: &Observation) -> bool {
        let before = self.newest().content;
        let since = seen.edited.or(seen.rv);
        for mark in marks {
            if since.is_none_or(|rv| mark.rv < rv) {
                self.push(mark.entry(absent, seen.date));
            }
        }
        if self.newest().content != Content::Known(seen.digest) {
            let since = Since {
                rv: since,
                exact: since.is_some(),
                time: seen.time_after(self.newest().since.time),
            };
            self.push(seen.entry(since));
        }
        before != self.newest().content
    }

    /// Takes in a reading after a span that nobody watched: differing content is
    /// in force since its managedFields time if that is later than the span's
    /// begin, equal content whose data moved leaves the span unsure.
    pub fn observe_after(&mut self, gap: Gap, seen: &Observation) -> bool {
        let changed = self.newest().content != Content::Known(seen.digest);
        // Without managedFields every version counts as an edit.
        let moved = seen.created.is_some() && seen.data_time.is_none_or(|time| time >= gap.from);
        if changed || moved {
            let time = if changed {
                seen.time_after(gap.from)
            } else {
                seen.data_time.unwrap_or(seen.date)
            };
            if !changed {
                self.push(Entry {
                    content: Content::Unsure,
                    since: Since {
                        rv: gap.after.map(|rv| Rv(rv.0.saturating_add(1))),
                        exact: gap.after.is_some(),
                        time: gap.from,
                    },
                    missing: false,
                    changed: Vec::new(),
                    received: seen.received,
                    synced: None,
                });
            }
            self.push(seen.entry(Since {
                rv: seen.rv,
                exact: false,
                time,
            }));
        }
        changed
    }

    /// Puts in a version that the watch brought only after a later one had been
    /// read.
    pub fn late(&mut self, mark: &Mark, absent: (Digest, bool)) {
        let Some(at) = self
            .entries
            .iter()
            .position(|entry| entry.since.rv.is_some_and(|rv| rv >= mark.rv))
        else {
            return;
        };
        // Nothing is known of what was before the first entry, and what was read
        // in that very version is no news.
        if at == 0 || self.entries[at].since.rv == Some(mark.rv) {
            return;
        }
        let time = self.entries[at].since.time;
        self.entries.insert(at, mark.entry(absent, time));
    }

    /// The same timeline with the newest content under another digest, for where
    /// digests can't be compared with the stored ones but the object is the same.
    #[must_use]
    pub fn restate(&self, digest: Digest) -> Self {
        let newest = self.newest().content;
        let mut restated = self.clone();
        for entry in &mut restated.entries {
            entry.content = match entry.content {
                content if content == newest => Content::Known(digest),
                Content::Known(_) => Content::Unread,
                content => content,
            };
        }
        restated
    }

    /// Notes that every Pod created up to `time` has the newest content.
    pub fn mark_synced(&mut self, time: ServerTime) {
        if let Some(newest) = self.entries.last_mut() {
            newest.synced = Some(time);
        }
    }

    /// What a Pod with this start and these `reported` container statuses has of
    /// the reference that `containers` see. `lag` is the kubelet's refresh bound.
    #[must_use]
    pub fn standing(
        &self,
        start: &Start,
        reported: &[Container],
        class: Class,
        containers: &[Arc<str>],
        lag: Duration,
    ) -> Standing {
        let lag = match class {
            Class::Live => lag,
            Class::Frozen => Duration::ZERO,
        };
        let base = self.position_of_pod(start);
        let status = |name: &Arc<str>| reported.iter().find(|c| c.name == *name);
        containers
            .iter()
            .map(|name| {
                self.standing_at(self.position_of_container(base, status(name), lag), start)
            })
            .max()
            .unwrap_or(Standing::NotStarted)
    }

    /// Keeps the timeline within [`LIMIT`]: entries that no Pod in `pods` started
    /// in go first, then the oldest, after which older Pods are outdated.
    pub fn prune<'a>(&mut self, pods: impl Iterator<Item = (Start, &'a [Container])>) {
        if self.entries.len() <= LIMIT {
            return;
        }
        let mut lived = BTreeSet::new();
        for (start, containers) in pods {
            let base = self.position_of_pod(&start);
            lived.insert(base.index());
            for container in containers {
                let position = self.position_of_container(base, Some(container), Duration::ZERO);
                lived.extend(position.map(Position::index));
            }
        }
        let surplus = self.entries.len() - LIMIT;
        let newest = self.entries.len() - 1;
        let unused: BTreeSet<usize> = (0..newest)
            .filter(|index| !lived.contains(index))
            .take(surplus)
            .collect();
        if unused.contains(&0) {
            self.open = false;
        }
        let mut index = 0;
        self.entries.retain(|_| {
            index += 1;
            !unused.contains(&(index - 1))
        });
        while self.entries.len() > LIMIT {
            self.entries.remove(0);
            self.open = false;
        }
    }

    /// Joins a timeline that another replica stored: what it saw before our
    /// first entry is put in front of it.
    pub fn merge(&mut self, stored: &Self) {
        let starts = |entry: &&Entry| match (self.entries[0].since.rv, self.entries.get(1)) {
            (Some(first), _) => entry.since.rv.is_none_or(|rv| rv <= first),
            (None, Some(second)) => entry.since.rv < second.since.rv,
            (None, None) => true,
        };
        let mut older: Vec<Entry> = stored.entries.iter().take_while(starts).cloned().collect();
        let Some(last) = older.last() else {
            return;
        };
        self.open = stored.open;
        if last.content == self.entries[0].content {
            self.entries.remove(0);
        }
        older.append(&mut self.entries);
        self.entries = older;
        for entry in &mut self.entries {
            if let Some(theirs) = stored
                .entries
                .iter()
                .find(|other| other.since == entry.since && other.content == entry.content)
            {
                entry.synced = entry.synced.max(theirs.synced);
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The newest entry that `start` comes after.
    fn position_of_pod(&self, start: &Start) -> Position {
        let last = self
            .entries
            .iter()
            .enumerate()
            .rev()
            .find(|(index, entry)| {
                entry.since.before_pod(start) || self.synced_covers(*index, entry, start)
            });
        last.map_or(Position::Before, |(index, _)| Position::At(index))
    }

    /// `lastInSync` places a listed Pod, unless that Pod was older than anything
    /// we knew: then it can't be told, before and after a restart alike.
    fn synced_covers(&self, index: usize, entry: &Entry, start: &Start) -> bool {
        let untold = index == 0 && self.open && start.time <= entry.since.time;
        start.rv.is_none() && !untold && entry.synced.is_some_and(|time| start.time <= time)
    }

    /// Where a container started; `None` if it has not. A Pod that started while
    /// something required was missing has what then appeared.
    fn position_of_container(
        &self,
        base: Position,
        container: Option<&Container>,
        lag: Duration,
    ) -> Option<Position> {
        let own = match container {
            Some(Container { started: None, .. }) => return None,
            Some(Container {
                started: Some(start),
                ..
            }) => self
                .entries
                .iter()
                .rposition(|entry| entry.since.before_container(start, lag))
                .map_or(Position::Before, Position::At),
            // No status yet, or an owner of Pods that reports none.
            None => Position::Before,
        };
        match base.max(own) {
            Position::Before => Some(Position::Before),
            Position::At(index) => (index..self.entries.len())
                .find(|index| !self.entries[*index].missing)
                .map(Position::At),
        }
    }

    fn standing_at(&self, position: Option<Position>, start: &Start) -> Standing {
        let newest = self.newest().content;
        // Seen live to be older than an edit that was seen live.
        let surely_older = start.rv.is_some() && self.entries[0].since.exact;
        match position {
            None => Standing::NotStarted,
            Some(Position::Before) if !self.open || surely_older => Standing::Outdated { lacks: 0 },
            Some(Position::Before) if self.entries[0].content == newest => Standing::Unknown,
            Some(Position::Before) => self.outdated(self.entries[0].content, 0),
            Some(Position::At(index)) => match self.entries[index].content {
                Content::Known(_) if self.entries[index].content == newest => Standing::Current,
                Content::Unsure => match self.entries.get(index + 1) {
                    Some(next) if next.content == newest => Standing::Unknown,
                    Some(next) => self.outdated(next.content, index + 1),
                    None => Standing::Unknown,
                },
                content => self.outdated(content, index),
            },
        }
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

// === impl Observation ===

impl Observation {
    fn entry(&self, since: Since) -> Entry {
        Entry {
            content: Content::Known(self.digest),
            since,
            missing: self.missing,
            changed: self.changed.iter().take(CHANGED_LIMIT).cloned().collect(),
            received: self.received,
            synced: None,
        }
    }

    /// The server's time for content that follows one in force since `previous`.
    fn time_after(&self, previous: ServerTime) -> ServerTime {
        match self.data_time {
            Some(time) if time > previous && !self.key_went => time,
            _ => self.date,
        }
    }
}

/// The time of a first reading. Content that came with its object, within the
/// same second, and that no container can start without, counts from before that
/// second: whatever started in it has it.
fn first_time(created: ServerTime, seen: &Observation) -> ServerTime {
    let edited = seen.data_time.unwrap_or(seen.date);
    if seen.required && edited == created {
        return created
            .saturating_sub(SignedDuration::from_secs(1))
            .unwrap_or(created);
    }
    edited
}

// === impl Mark ===

impl Mark {
    fn entry(&self, absent: (Digest, bool), time: ServerTime) -> Entry {
        let (content, missing) = match self.kind {
            MarkKind::Edited => (Content::Unread, false),
            MarkKind::Deleted => (Content::Known(absent.0), absent.1),
        };
        Entry {
            content,
            since: Since {
                rv: Some(self.rv),
                exact: true,
                time,
            },
            missing,
            changed: Vec::new(),
            received: self.received,
            synced: None,
        }
    }
}
