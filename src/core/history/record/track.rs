//! One reference of a workload: its timeline, and how readings of its source go
//! into it.

use std::sync::Arc;

use crate::core::content::digest::{
    Digest, DigestKey, Missing, ProjectedKeys, changed_keys, reference_digest,
};
use crate::core::content::{Reading, SourceContent};
use crate::core::history::record::KEYS;
use crate::core::history::timeline::{
    Content, Mark, MarkKind, Observation, Timeline, second_before,
};
use crate::core::object::source::Source;
use crate::core::project::reference::{Fingerprint, Reference};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::Rv;

/// Seconds within which a watch brings what happened.
const SETTLED: i64 = 5;

/// One reference: its timeline and the version that it was last taken from.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Identity of its uses.
    pub fingerprint: Fingerprint,
    /// What was in force when; `None` until the source is read.
    pub timeline: Option<Timeline>,
    /// The version of the source that was last taken in.
    pub seen: Option<Version>,
    /// The projected keys that the newest content has; the first [`KEYS`] by name.
    pub keys: ProjectedKeys,
    /// What is required and missing now.
    pub missing: Option<Missing>,
    /// The last second of the server's of which all was seen.
    pub date: ServerTime,
    /// Whether older Pods can't be told, rather than being outdated, when the
    /// timeline starts.
    pub open: bool,
    /// How far to trust `timeline`.
    pub origin: Origin,
    /// What nodes may keep of an object that was immutable.
    pub kept: Option<Kept>,
}

/// What an immutable object held: the kubelet doesn't watch it, so as long as a Pod of
/// a node uses its name new ones may get that, whatever has taken its place. See
/// <https://github.com/kubernetes/kubernetes/issues/119733>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its `metadata.uid`.
    pub uid: Arc<str>,
    /// What the reference projected of it.
    pub digest: Digest,
}

/// Where a track's timeline comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process has followed the source.
    Followed,
    /// It was stored by an earlier process; what happened since is unseen.
    Stored,
    /// It was stored with digests that can't be compared with ours.
    Foreign,
}

/// A version of a source; the default is its absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// `metadata.uid`.
    pub uid: Option<Arc<str>>,
    /// `metadata.resourceVersion`.
    pub rv: Option<Rv>,
}

/// How a reading reached us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The `Date` of the API response.
    pub date: ServerTime,
    /// The newest creation among the workload's Pods that a list has shown: all of them
    /// were there before, though a clock that was set back may say otherwise.
    pub listed: Option<ServerTime>,
    /// The operator's clock.
    pub now: Mono,
    /// Whether resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
}

// === impl Version ===

impl Version {
    /// The version that a watch has shown last.
    #[must_use]
    pub fn of_source(source: Option<&Source>) -> Self {
        source
            .and_then(|source| source.meta.as_ref())
            .map_or_else(Self::default, |meta| Self {
                uid: Some(meta.uid.clone()),
                rv: meta.rv,
            })
    }

    /// The version that was read.
    #[must_use]
    pub fn of_content(content: &SourceContent) -> Self {
        match content {
            SourceContent::Absent => Self::default(),
            SourceContent::Present(reading) => Self {
                uid: Some(reading.uid.clone()),
                rv: Rv::parse(&reading.resource_version),
            },
        }
    }
}

// === impl Track ===

impl Track {
    /// A reference that is not read yet.
    #[must_use]
    pub fn new(fingerprint: Fingerprint, open: bool) -> Self {
        Self {
            fingerprint,
            timeline: None,
            seen: None,
            keys: ProjectedKeys::new(),
            missing: None,
            date: ServerTime::MIN,
            open,
            origin: Origin::Followed,
            kept: None,
        }
    }

    /// Whether something of its source still has to be taken in: a version to be
    /// read, or one that went by.
    #[must_use]
    pub fn lags(&self, source: Option<&Source>) -> bool {
        let (Some(timeline), Some(seen)) = (&self.timeline, &self.seen) else {
            return true;
        };
        // What is missing is not stored.
        let stored_missing = self.origin == Origin::Stored && timeline.newest().missing;
        let went_by = |source: &Source| source.marks.iter().any(|mark| Some(mark.rv) != seen.rv);
        self.origin == Origin::Foreign
            || stored_missing
            || *seen != Version::of_source(source)
            || source.is_some_and(went_by)
    }

    /// Up to when every Pod's creation is known to be seen, while the newest
    /// content is in force.
    pub(super) fn covered_until(&self, settled: Option<Moment>) -> Option<ServerTime> {
        let newest = self.timeline.as_ref()?.newest();
        if !matches!(newest.content, Content::Known(_)) {
            return None;
        }
        // Read so long after the edit that no Pod from before it is unseen.
        let old = self
            .date
            .as_second()
            .saturating_sub(newest.since.time.as_second())
            >= SETTLED;
        let read = old.then_some(self.date);
        let watched = settled
            .filter(|settled| newest.received <= settled.mono)
            .map(|settled| settled.server);
        read.max(watched)
    }

    /// Whether a Pod that started with the newest content may have got an older one:
    /// that of an immutable object in place of which there is another now.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let (Some(kept), Some(timeline)) = (&self.kept, &self.timeline) else {
            return false;
        };
        let uid = self.seen.as_ref().and_then(|seen| seen.uid.as_ref());
        uid.is_some_and(|uid| *uid != kept.uid)
            && timeline.newest().content != Content::Known(kept.digest)
    }

    /// Takes in that its source is still as stored, so that nothing happened.
    pub fn resume(&mut self) {
        if self.origin == Origin::Stored {
            self.origin = Origin::Followed;
        }
    }

    /// Takes in what was read of its source, or that it is absent.
    pub fn observe(
        &mut self,
        namespace: &str,
        reference: &Reference,
        source: Option<&Source>,
        content: &SourceContent,
        key: &DigestKey,
        arrival: Arrival,
    ) -> Observed {
        let projected = reference_digest(namespace, reference, content, key);
        let absent = reference_digest(namespace, reference, &SourceContent::Absent, key);
        let absent = (absent.digest, absent.missing.is_some());
        let version = Version::of_content(content);
        let reading = match content {
            SourceContent::Present(reading) => Some(reading),
            SourceContent::Absent => None,
        };
        let marks = source.map_or(&[][..], |source| &source.marks);
        let known = self.timeline.is_some() && self.origin != Origin::Foreign;
        let rv = match reading {
            Some(_) => version.rv,
            None => deleted(marks),
        };
        let seen = Observation {
            digest: projected.digest,
            missing: projected.missing.is_some(),
            rv: rv.filter(|_| arrival.comparable),
            edited: edited(source, reading).filter(|_| arrival.comparable),
            required: reference.uses.iter().all(|one| !one.optional) && reading.is_some(),
            created: reading.map(|reading| reading.created),
            data_time: reading.and_then(|reading| reading.data_time),
            date: arrival
                .listed
                .map_or(arrival.date, |listed| listed.max(arrival.date)),
            received: arrival.now,
            changed: if known {
                changed(&self.keys, &projected.keys)
            } else {
                Vec::new()
            },
            unnamed: remembered(&self.keys).is_some(),
            key_went: known && key_went(&self.keys, &projected.keys),
        };
        let before = self.seen.take().unwrap_or_default();
        let gap = source.is_some_and(|source| source.gap)
            || self.origin == Origin::Stored
            || !arrival.comparable;
        let mut observed = Observed::Same;
        match &mut self.timeline {
            Some(timeline) if self.origin == Origin::Foreign => {
                observed = Observed::Restated;
                self.timeline = Some(if before == version {
                    timeline.restate(seen.digest)
                } else {
                    Timeline::new(&seen, true)
                });
            }
            Some(timeline) if gap => {
                let marks = if arrival.comparable { marks } else { &[] };
                let news = before != version || !marks.is_empty();
                if news && timeline.observe_after(self.date, marks, absent, &seen) {
                    observed = Observed::Changed;
                }
            }
            Some(timeline) => {
                // An absent source has no version but that of its deletion.
                let reached = before.rv.max(timeline.newest().since.rv);
                let after = marks.partition_point(|mark| Some(mark.rv) <= reached);
                let (late, new) = marks.split_at(after);
                for mark in late {
                    timeline.late(mark, before.rv, absent, &seen);
                }
                if timeline.observe(new, absent, &seen) {
                    observed = Observed::Changed;
                }
            }
            None => {
                let born = source.and_then(|source| source.created);
                let born = born.is_some() && born == seen.edited;
                self.timeline = Some(if born {
                    Timeline::born(absent, self.open, &seen)
                } else {
                    Timeline::new(&seen, self.open)
                });
                observed = Observed::Changed;
            }
        }
        self.origin = Origin::Followed;
        self.seen = Some(version);
        if let Some(reading) = reading.filter(|reading| reading.immutable)
            && !self.is_doubtful()
        {
            self.kept = Some(Kept {
                uid: reading.uid.clone(),
                digest: projected.digest,
            });
        }
        self.missing = projected.missing;
        let present = projected.keys.iter().filter(|(_, digest)| digest.is_some());
        let present = present.take(KEYS);
        self.keys = ProjectedKeys::with_capacity(present.clone().count());
        self.keys
            .extend(present.map(|(name, digest)| (Arc::clone(name), *digest)));
        // What followed the answer within its second is not seen.
        self.date = second_before(arrival.date);
        observed
    }
}

/// What a reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// The content in force is the same.
    Same,
    /// It is another.
    Changed,
    /// Its digests were lost or unknown, and were made anew.
    Restated,
}

/// The version of the last DELETED event that went by.
fn deleted(marks: &[Mark]) -> Option<Rv> {
    let deleted = |mark: &&Mark| mark.kind == MarkKind::Deleted;
    marks.iter().rev().find(deleted).map(|mark| mark.rv)
}

/// The changed keys, as far as `old` remembers keys.
fn changed(old: &ProjectedKeys, new: &ProjectedKeys) -> Vec<Arc<str>> {
    let mut changed = changed_keys(old, new);
    if let Some(last) = remembered(old) {
        changed.retain(|name| name <= last);
    }
    changed
}

/// Whether a key that was projected is gone, or may be.
pub(super) fn key_went(old: &ProjectedKeys, new: &ProjectedKeys) -> bool {
    let gone = |(name, digest): (&Arc<str>, &Option<_>)| {
        digest.is_some() && new.get(name).copied().flatten().is_none()
    };
    remembered(old).is_some() || old.iter().any(gone)
}

/// The last key up to which `keys` tells all; `None` where it tells all keys.
fn remembered(keys: &ProjectedKeys) -> Option<&Arc<str>> {
    let full = keys.len() >= KEYS;
    full.then(|| keys.last().map(|(name, _)| name)).flatten()
}

/// The version since which the data of `reading` is in force, where the watch has
/// reached just that reading and saw the edit live.
fn edited(source: Option<&Source>, reading: Option<&Reading>) -> Option<Rv> {
    let source = source?;
    let meta = source.meta.as_ref()?;
    let read = Rv::parse(&reading?.resource_version);
    (meta.rv == read).then_some(source.edited).flatten()
}
