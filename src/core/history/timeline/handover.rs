//! From the timeline that another replica stored to our own.

use crate::core::history::timeline::Timeline;
use crate::core::history::timeline::entry::Entry;
use crate::core::time::ServerTime;

/// How our own timeline follows one that another replica stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The last second of which the other replica saw everything.
    pub from: ServerTime,
    /// The `Date` of our reading.
    pub date: ServerTime,
    /// Whether a key that was projected then is gone now.
    pub key_went: bool,
}

// === impl Timeline ===

impl Timeline {
    /// Joins a timeline that another replica stored: what it saw before our
    /// first entry is put in front of it.
    pub fn merge(&mut self, stored: &Self, handover: Handover) {
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
        let from = last.known_until(handover.from);
        if first.content != last.content {
            if !first.since.exact && (first.since.time <= from || handover.key_went) {
                first.since.time = handover.date;
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
                entry.good = entry.good.max(theirs.good);
            }
        }
    }
}
