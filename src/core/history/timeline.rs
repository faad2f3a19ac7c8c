//! The timeline of a reference: which content was in force when, and from that
//! what each Pod has.
//!
//! The truth is what each live Pod started with. A [`Timeline`] orders contents
//! by [`Since`]; [`Timeline::standing`] finds the content in force at a Pod's
//! [`Start`](crate::core::object::pod::Start) and compares it with the newest.

use crate::core::content::digest::Digest;
use crate::core::object::source::{SourceEvent, SourceEventKind};
use crate::core::time::ServerTime;

mod entry;
mod handover;
mod observation;
mod prune;
mod standing;

pub use entry::{Absence, Content, Entry, Since};
pub use handover::Handover;
pub use observation::Observation;
pub use standing::Standing;

pub(crate) use entry::{second_after, second_before};
use observation::first_time;

/// The contents of one reference, oldest first; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// Whether Pods older than the first entry can't be told (first sight)
    /// rather than being outdated.
    open: bool,
}

// === impl Timeline ===

impl Timeline {
    /// Starts the timeline of a new reference. `first_sight` says that the
    /// workload itself is new to us, so that older Pods can't be told: the last edit
    /// may have been of something else than what is projected.
    ///
    /// Where the watch saw the object appear, what started before either has its absence
    /// or, where that leaves something required missing, could not start before.
    #[must_use]
    pub fn new(seen: &Observation<'_>, first_sight: bool) -> Self {
        if seen.born {
            let mut timeline = Self::new(&seen.before_birth(), first_sight);
            timeline.follow(seen);
            return timeline;
        }
        let since = match (seen.created, seen.edited) {
            (None, _) => seen.rv.map_or(Since::BEGINNING, |rv| Since {
                rv: Some(rv),
                exact: true,
                time: seen.date,
            }),
            (Some(created), edited) => Since {
                rv: seen.version(),
                exact: edited.is_some() && !first_sight,
                time: first_time(created, seen),
            },
        };
        Self {
            entries: vec![seen.entry(since)],
            open: first_sight,
        }
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

    /// Takes in a reading of a source that was watched since the reading before.
    pub fn observe(&mut self, seen: &Observation<'_>) {
        // An absent source has no version but that of its deletion.
        let reached = seen.after.max(self.newest().since.rv);
        let late = (seen.unread).partition_point(|event| Some(event.rv) <= reached);
        let (late, new) = seen.unread.split_at(late);
        for event in late {
            self.put_in(event, seen);
        }
        let version = seen.version();
        let new = new.iter();
        for event in new.filter(|event| version.is_none_or(|rv| event.rv < rv)) {
            self.push(Entry::unread(event, seen.absent, seen.date));
        }
        self.follow(seen);
    }

    /// Puts what was read at the end, if it is another content.
    fn follow(&mut self, seen: &Observation<'_>) {
        let newest = self.newest();
        // What is empty and what is absent may be the same content.
        if newest.content != Content::Known(seen.digest) || newest.missing != seen.missing {
            let since = Since {
                rv: seen.version(),
                exact: seen.version().is_some(),
                time: seen.time_after(newest.since.time),
            };
            self.push(seen.entry(since));
        }
    }

    /// Puts in an event that the watch brought only after a later version had been read.
    fn put_in(&mut self, event: &SourceEvent, seen: &Observation<'_>) {
        let follows = |entry: &Entry| entry.since.rv.is_some_and(|rv| rv >= event.rv);
        match self.entries.iter().position(follows) {
            // Nothing is known of what was before the first entry, and what was
            // read in that very version is no news.
            Some(0) => {}
            Some(at) if self.entries[at].since.rv == Some(event.rv) => {}
            Some(at) => {
                let time = self.entries[at].since.time;
                let entry = Entry::unread(event, seen.absent, time);
                self.entries.insert(at, entry);
            }
            // The same content was read before and after it.
            None if seen.after.is_some_and(|read| read > event.rv) => {
                let again = Entry {
                    since: Since {
                        rv: seen.after,
                        exact: true,
                        time: seen.date,
                    },
                    changed: Vec::new(),
                    unnamed: false,
                    received: event.received,
                    synced: None,
                    good: None,
                    ..self.newest().clone()
                };
                self.push(Entry::unread(event, seen.absent, seen.date));
                self.push(again);
            }
            None => {}
        }
    }

    /// Takes in a reading after a span that nobody watched: before a restart, or
    /// while a watch was broken. `seen_until` is the last second of which everything
    /// was seen; what was not read of the source happened after the span.
    ///
    /// Differing content is in force since its managedFields time if that is later,
    /// else since after every Pod; equal content may have been away where its data
    /// moved. What was in force in the span can't be told.
    pub fn observe_after(&mut self, seen_until: ServerTime, seen: &Observation<'_>) {
        let newest = self.newest();
        let known_since = newest.since.time;
        let from = newest.known_until(seen_until);
        let changed = newest.content != Content::Known(seen.digest);
        let unread = (seen.unread.iter()).filter(|event| seen.rv.is_none_or(|rv| event.rv < rv));
        let unread: Vec<&SourceEvent> = unread.collect();
        let is_deletion = |event: &SourceEvent| event.kind == SourceEventKind::Deleted;
        // Without managedFields every version counts as an edit.
        let edited = |time: ServerTime| time > from && time != known_since;
        let moved = !unread.is_empty()
            // What was deleted before our eyes had come up in the span.
            || seen.unread.iter().any(is_deletion)
            || newest.missing != seen.missing
            || seen.created.is_some() && seen.data_time.is_none_or(edited);
        if !changed && !moved {
            return;
        }
        let told = match changed {
            true => seen.told_after(from),
            false => seen.data_time,
        };
        let told = told.filter(|_| unread.is_empty());
        // There may have been others before it.
        self.push(Entry::unsure(from, seen.received));
        for event in unread {
            self.push(Entry::unread(event, seen.absent, seen.date));
        }
        self.push(seen.entry(Since {
            rv: seen.rv,
            exact: false,
            time: told.unwrap_or(seen.date),
        }));
    }

    /// The same timeline with the newest content under another digest, for where
    /// digests can't be compared with the stored ones but the object is the same. What
    /// was before it still differs from it, under digests that equal no other.
    #[must_use]
    pub fn restate(&self, digest: Digest) -> Self {
        let newest = self.newest().content;
        let mut restated = self.clone();
        for entry in &mut restated.entries {
            entry.content = match entry.content {
                content if content == newest => Content::Known(digest),
                Content::Known(lost) => Content::Known(Digest {
                    key_id: digest.key_id,
                    ..lost
                }),
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

    /// Notes that the workload was healthy with the content of an entry.
    pub fn mark_good_at(&mut self, at: usize, time: ServerTime) {
        let known = |entry: &&mut Entry| matches!(entry.content, Content::Known(_));
        if let Some(entry) = self.entries.get_mut(at).filter(known) {
            entry.good.get_or_insert(time);
        }
    }

    /// Notes that the workload was proven to be healthy with the newest content.
    pub fn mark_good(&mut self, time: ServerTime) {
        if let Some(newest) = self.entries.last_mut() {
            newest.good.get_or_insert(time);
        }
    }

    /// Notes that what was proven since then of the newest content was wrong.
    pub fn unmark_good(&mut self, since: ServerTime) {
        if let Some(newest) = self.entries.last_mut() {
            newest.good = newest.good.filter(|good| *good < since);
        }
    }

    /// Forgets every version: from now on times decide. Pods that were gone are there again, of
    /// which nothing was said.
    pub fn forget_versions(&mut self) {
        for entry in &mut self.entries {
            entry.since.rv = None;
            entry.since.exact = false;
            entry.synced = None;
        }
    }

    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests;
