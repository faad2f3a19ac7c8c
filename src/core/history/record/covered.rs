//! Which changes no container sees, since another source gives the same path or variable.

use std::sync::Arc;

use crate::core::history::record::{Record, TrackKey};
use crate::core::project::reference::{Place, Reference};
use crate::kinds::{Class, SourceKind};

impl Record {
    /// From which entry of a reference's timeline on contents differ only in what no container
    /// sees, given what the other references have now. Where one of these loses a key, its own
    /// timeline tells of that, and what it covered counts again.
    #[must_use]
    pub fn alike(&self, reference: &Reference, references: &[Reference]) -> usize {
        let track = self.tracks.get(&TrackKey::of(reference));
        let timeline = track.and_then(|track| track.timeline.as_ref());
        let Some(timeline) = timeline.filter(|_| reference.may_be_covered()) else {
            return usize::MAX;
        };
        timeline.alike(|key| {
            reference.is_covered(key, &|source, place, key| {
                self.has(references, reference.class, source, place, key)
            })
        })
    }

    /// Whether a source has a key now that is seen in a place.
    fn has(
        &self,
        references: &[Reference],
        class: Class,
        source: &(SourceKind, Arc<str>),
        place: Place,
        key: &str,
    ) -> bool {
        let of = TrackKey {
            source: source.clone(),
            class,
        };
        let track = self.tracks.get(&of);
        let there = track.and_then(|track| track.keys.get(key).copied().flatten());
        // Variables don't see binaryData, and which of the two a key is in is not remembered.
        let is_data = || {
            let reference = references.iter().find(|one| TrackKey::of(one) == of);
            !source.0.binary_data
                || reference.is_some_and(|reference| {
                    let mut uses = reference.uses.iter();
                    uses.all(|one| !one.place.sees_binary_data())
                })
        };
        there.is_some() && (place.sees_binary_data() || is_data())
    }
}
