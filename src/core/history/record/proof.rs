//! What a workload that is wholly healthy has proven of what it has.

use std::collections::BTreeMap;

use crate::core::history::record::{Record, TrackKey};
use crate::core::time::ServerTime;

impl Record {
    /// Notes that all Pods were ready with what they have, before they are rolled for what they
    /// lack: the first entries of those that they lack. What they have was good, and if the roll
    /// fails, it is not why.
    pub fn prove<'a>(
        &mut self,
        lacked: impl Iterator<Item = (&'a TrackKey, usize)>,
        now: ServerTime,
    ) {
        let mut entries: BTreeMap<TrackKey, Vec<usize>> = BTreeMap::new();
        for (key, lacks) in lacked {
            entries
                .entry(key.clone())
                .or_default()
                .extend(lacks.checked_sub(1));
        }
        for (key, track) in &mut self.tracks {
            let Some(timeline) = &mut track.timeline else {
                continue;
            };
            match entries.get(key) {
                Some(had) => had.iter().for_each(|at| timeline.mark_good_at(*at, now)),
                None => timeline.mark_good(now),
            }
        }
    }
}
