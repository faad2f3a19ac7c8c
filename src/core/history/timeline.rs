//! The timeline of a reference: which content was in force when, and from that
//! what each Pod has.
//!
//! The truth is what each live Pod started with. A [`Timeline`] orders contents
//! by [`Since`]; [`Timeline::standing`] finds the content in force at a Pod's
//! [`Start`](crate::core::object::pod::Start) and compares it with the newest.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::core::content::digest::Digest;
use crate::core::time::{Mono, ServerTime};
use crate::kinds::Rv;

mod observation;
mod standing;

use observation::first_time;
pub use observation::{Mark, MarkKind, Observation};

/// How many contents a timeline keeps.
pub const LIMIT: usize = 8;

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
    /// Whether others than these may differ.
    pub unnamed: bool,
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

/// How our own timeline follows one that another replica stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joint {
    /// The last second of which the other replica saw everything.
    pub from: ServerTime,
    /// The `Date` of our reading.
    pub date: ServerTime,
    /// Whether a key that was projected then is gone now.
    pub key_went: bool,
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

// === impl Since ===

impl Since {
    /// In force since before anything that can be told.
    pub const BEGINNING: Self = Self {
        rv: None,
        exact: false,
        time: ServerTime::MIN,
    };
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

    /// The same for a source whose creation was seen live, just as it was read: it
    /// was absent before, so what started then either has its absence or, where
    /// that leaves something required missing, could not start before.
    #[must_use]
    pub fn born(absent: (Digest, bool), first_sight: bool, seen: &Observation) -> Self {
        let before = Observation {
            digest: absent.0,
            missing: absent.1,
            rv: None,
            edited: None,
            required: false,
            created: None,
            data_time: None,
            changed: Vec::new(),
            unnamed: false,
            key_went: false,
            ..*seen
        };
        let mut timeline = Self::new(&before, first_sight);
        timeline.observe(&[], absent, seen);
        timeline
    }

    /// Takes up a stored timeline; `None` if it doesn't end with known content.
    #[must_use]
    pub fn restore(entries: Vec<Entry>, open: bool) -> Option<Self> {
        let known = matches!(entries.last()?.content, Content::Known(_));
        known.then_some(Self { entries, open })
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
        let newest = self.newest();
        // What is empty and what is absent may be the same content.
        if newest.content != Content::Known(seen.digest) || newest.missing != seen.missing {
            let since = Since {
                rv: since,
                exact: since.is_some(),
                time: seen.time_after(newest.since.time),
            };
            self.push(seen.entry(since));
        }
        before != self.newest().content
    }

    /// Takes in a reading after a span that nobody watched: before a restart, or
    /// while a watch was broken. `seen_to` is the last second of which everything
    /// was seen, `marks` are the versions that went by unread after the span.
    ///
    /// Differing content is in force since its managedFields time if that is later,
    /// else since after every Pod; equal content may have been away where its data
    /// moved. What was in force in the span can't be told.
    /// Returns whether the content in force changed.
    pub fn observe_after(
        &mut self,
        seen_to: ServerTime,
        marks: &[Mark],
        absent: (Digest, bool),
        seen: &Observation,
    ) -> bool {
        let newest = self.newest();
        let known_since = newest.since.time;
        let from = newest.known_until(seen_to);
        let changed = newest.content != Content::Known(seen.digest);
        let unread = marks
            .iter()
            .filter(|mark| seen.rv.is_none_or(|rv| mark.rv < rv));
        let unread: Vec<&Mark> = unread.collect();
        // Without managedFields every version counts as an edit.
        let edited = |time: ServerTime| time > from && time != known_since;
        let moved = !unread.is_empty()
            // What was deleted before our eyes had come up in the span.
            || marks.iter().any(|mark| mark.kind == MarkKind::Deleted)
            || newest.missing != seen.missing
            || seen.created.is_some() && seen.data_time.is_none_or(edited);
        if !changed && !moved {
            return false;
        }
        let told = match changed {
            true => seen.told_after(from),
            false => seen.data_time,
        };
        let told = told.filter(|_| unread.is_empty());
        // There may have been others before it.
        self.push(Entry::unsure(from, seen.received));
        for mark in unread {
            self.push(mark.entry(absent, seen.date));
        }
        self.push(seen.entry(Since {
            rv: seen.rv,
            exact: false,
            time: told.unwrap_or(seen.date),
        }));
        changed
    }

    /// Puts in a version that the watch brought only after a later one, `read`,
    /// had been read; `seen` is the reading that the mark came with.
    pub fn late(
        &mut self,
        mark: &Mark,
        read: Option<Rv>,
        absent: (Digest, bool),
        seen: &Observation,
    ) {
        let follows = |entry: &Entry| entry.since.rv.is_some_and(|rv| rv >= mark.rv);
        match self.entries.iter().position(follows) {
            // Nothing is known of what was before the first entry, and what was
            // read in that very version is no news.
            Some(0) => {}
            Some(at) if self.entries[at].since.rv == Some(mark.rv) => {}
            Some(at) => {
                let time = self.entries[at].since.time;
                self.entries.insert(at, mark.entry(absent, time));
            }
            // The same content was read before and after it.
            None if read.is_some_and(|read| read > mark.rv) => {
                let again = Entry {
                    since: Since {
                        rv: read,
                        exact: true,
                        time: seen.date,
                    },
                    changed: Vec::new(),
                    unnamed: false,
                    received: mark.received,
                    synced: None,
                    ..self.newest().clone()
                };
                self.push(mark.entry(absent, seen.date));
                self.push(again);
            }
            None => {}
        }
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
            newest.synced = newest.synced.max(Some(time));
        }
    }

    /// Notes that `content` was the newest at `time`, and that every Pod created
    /// up to then had it.
    pub fn mark_synced_with(&mut self, content: Digest, time: ServerTime) {
        let then = |entry: &&mut Entry| {
            entry.content == Content::Known(content) && entry.since.time <= time
        };
        if let Some(entry) = self.entries.iter_mut().rev().find(then) {
            entry.synced = entry.synced.max(Some(time));
        }
    }

    /// Joins a timeline that another replica stored: what it saw before our
    /// first entry is put in front of it.
    pub fn merge(&mut self, stored: &Self, joint: Joint) {
        let mut first = self.entries[0].clone();
        let precedes = |entry: &&Entry| match (first.since.rv, self.entries.get(1)) {
            (Some(own), _) => match entry.since.rv {
                Some(rv) => rv <= own,
                None => entry.since.time <= first.since.time,
            },
            (None, Some(second)) => entry.since.rv < second.since.rv,
            (None, None) => true,
        };
        let mut joined: Vec<Entry> = stored
            .entries
            .iter()
            .take_while(precedes)
            .cloned()
            .collect();
        let Some(last) = joined.last() else {
            return;
        };
        // Our first entry is what we found: between the two nobody watched.
        let from = last.known_until(joint.from);
        if first.content != last.content {
            if !first.since.exact && (first.since.time <= from || joint.key_went) {
                first.since.time = joint.date;
            }
            joined.push(first);
        } else if !first.since.exact && first.since.time > from {
            joined.push(Entry::unsure(from, first.received));
            joined.push(first);
        }
        joined.extend(self.entries.drain(1..));
        self.entries = joined;
        self.open = stored.open;
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
}

// === impl Entry ===

impl Entry {
    /// A span from `from` on that nobody watched and that may hide an edit.
    fn unsure(from: ServerTime, received: Mono) -> Self {
        Self {
            content: Content::Unsure,
            since: Since {
                rv: None,
                exact: false,
                time: from,
            },
            missing: false,
            changed: Vec::new(),
            unnamed: false,
            received,
            synced: None,
        }
    }

    /// Up to the end of which second it is known to have been the newest, given
    /// that everything up to `seen` was seen. Of the second in which it came into
    /// force nothing is known.
    fn known_until(&self, seen: ServerTime) -> ServerTime {
        let synced = self.synced.unwrap_or(ServerTime::MIN);
        seen.max(synced).max(second_before(self.since.time))
    }
}

/// The second before.
pub(crate) fn second_before(time: ServerTime) -> ServerTime {
    let second = SignedDuration::from_secs(1);
    time.saturating_sub(second).unwrap_or(time)
}

/// The second after.
pub(crate) fn second_after(time: ServerTime) -> ServerTime {
    let second = SignedDuration::from_secs(1);
    time.saturating_add(second).unwrap_or(time)
}

#[cfg(test)]
mod tests;
