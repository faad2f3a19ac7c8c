//! What is remembered of a managed workload: the timeline of each reference, the
//! starts of Pods, our rolls, and who undid them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::content::{Reading, SourceContent};
use crate::core::digest::{
    Digest, DigestKey, Missing, ProjectedKeys, changed_keys, reference_digest,
};
use crate::core::index::{SourceName, View};
use crate::core::object::Rv;
use crate::core::pod::{Container, Pod, Start};
use crate::core::reference::{Class, Fingerprint, Reference};
use crate::core::source::Source;
use crate::core::time::{Mono, ServerTime};
use crate::core::timeline::{
    Content, Joint, Mark, MarkKind, Observation, Timeline, second_after, second_before,
};
use crate::core::workload::{Template, Workload};

/// How many rolls are remembered.
pub const ROLLS: usize = 5;

/// How many keys of a reference are remembered, so that changed ones can be named.
pub const KEYS: usize = 64;

/// Seconds within which a watch brings what happened.
const SETTLED: i64 = 5;

/// A reference among those of its workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    /// The source.
    pub source: SourceName,
    /// The class.
    pub class: Class,
}

/// What is remembered of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// `metadata.uid` of the workload whose history this is.
    pub uid: Arc<str>,
    /// Its references.
    pub tracks: BTreeMap<TrackKey, Track>,
    /// Our last rolls, oldest first; at most [`ROLLS`].
    pub rolls: Vec<Roll>,
    /// The template as last seen.
    pub template: Option<Template>,
    /// Whether somebody keeps undoing our rolls.
    pub contest: Contest,
    /// Stored starts of Pods, by uid.
    pub starts: BTreeMap<Arc<str>, Rv>,
    /// The workload's version after our last write: nothing is planned before
    /// the watch has brought it.
    pub written: Option<Rv>,
    /// When we last rolled it.
    pub last_roll: Option<Mono>,
    /// A server time up to which every Pod had the newest content.
    pub last_in_sync: Option<ServerTime>,
    /// The creation of the newest Pod.
    pub newest_start: Option<ServerTime>,
    /// Set where digests were lost or of an unknown format, so that what some
    /// Pods have can't be told.
    pub restated: bool,
}

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

/// One roll that we made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The value of `projsync.dev/revision` that was written.
    pub revision: Arc<str>,
    /// When, by the API server.
    pub time: ServerTime,
    /// The workload's version that it gave: Pods that carry the revision started
    /// after it.
    pub rv: Option<Rv>,
    /// `ConfigMap/app: key1, key2`, one a source.
    pub causes: Vec<String>,
}

/// Counts how often somebody else removed our annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contest {
    /// The revision that we last wrote.
    pub revision: Option<Arc<str>>,
    /// Whether the template was seen with it.
    pub present: bool,
    /// How often it was seen to go while nothing else of the template changed.
    pub removals: u32,
    /// The value that took its place when it was last seen to go: by our own next
    /// roll, if the watch brings that before the answer to the patch.
    pub replaced_by: Option<Arc<str>>,
}

/// How a reading reached us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The `Date` of the API response.
    pub date: ServerTime,
    /// The operator's clock.
    pub now: Mono,
    /// Whether resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
}

// === impl Record ===

impl Record {
    /// Starts the record of a workload that is new to us.
    #[must_use]
    pub fn new(uid: Arc<str>) -> Self {
        Self {
            uid,
            tracks: BTreeMap::new(),
            rolls: Vec::new(),
            template: None,
            contest: Contest::default(),
            starts: BTreeMap::new(),
            written: None,
            last_roll: None,
            last_in_sync: None,
            newest_start: None,
            restated: false,
        }
    }

    /// Brings the record in line with the workload: references that are new or
    /// have other uses start anew, those that went are dropped.
    ///
    /// A reference that came with another template is one of a known workload:
    /// Pods older than the last edit of its source are outdated. One that came
    /// without (first sight, a policy, a newer operator) tells nothing of them.
    pub fn align(&mut self, workload: &Workload, references: &[Reference]) {
        if self.uid != workload.uid {
            // Timelines outlive a workload that is orphaned and recreated.
            self.uid = workload.uid.clone();
            self.rolls.clear();
            self.contest = Contest::default();
            self.written = None;
            self.last_roll = None;
        }
        let same_template = self
            .template
            .as_ref()
            .is_none_or(|template| template.hash == workload.template.hash);
        if self.template.as_ref() != Some(&workload.template) {
            self.contest.see(&workload.template, same_template);
            self.template = Some(workload.template.clone());
        }
        let keys: BTreeMap<TrackKey, &Reference> = references
            .iter()
            .map(|reference| (TrackKey::of(reference), reference))
            .collect();
        self.tracks.retain(|key, track| {
            keys.get(key)
                .is_some_and(|reference| reference.fingerprint() == track.fingerprint)
        });
        for (key, reference) in keys {
            self.tracks
                .entry(key)
                .or_insert_with(|| Track::new(reference.fingerprint(), same_template));
        }
    }

    /// When `pod` started, with what we remember of it and of the roll whose
    /// revision it carries.
    #[must_use]
    pub fn start_of(&self, pod: &Pod) -> Start {
        let mut start = pod.start;
        start.rv = start.rv.or_else(|| self.starts.get(&pod.uid).copied());
        let roll = pod
            .revision
            .as_ref()
            .and_then(|revision| self.rolls.iter().find(|roll| roll.revision == *revision));
        start.at_least = start.at_least.max(roll.and_then(|roll| roll.rv));
        start
    }

    /// Notes a roll that the API server accepted.
    pub fn rolled(&mut self, roll: Roll, base: &str, now: Mono) {
        self.written = roll.rv;
        self.last_roll = Some(now);
        let same_content = self
            .contest
            .revision
            .as_deref()
            .is_some_and(|revision| base_of(revision) == base);
        let by_us = self.contest.replaced_by.take().as_ref() == Some(&roll.revision);
        if !same_content {
            self.contest.removals = 0;
        } else if by_us {
            self.contest.removals = self.contest.removals.saturating_sub(1);
        }
        let template = self.template.as_ref();
        self.contest.present =
            template.is_some_and(|template| template.revision.as_ref() == Some(&roll.revision));
        self.contest.revision = Some(roll.revision.clone());
        self.rolls.push(roll);
        let surplus = self.rolls.len().saturating_sub(ROLLS);
        self.rolls.drain(..surplus);
    }

    /// Joins what another replica has stored: what it saw before we did, and its
    /// rolls. The Pod starts that we saw are kept.
    pub fn merge(&mut self, stored: Self) {
        if stored.uid == self.uid {
            self.rolls = stored.rolls;
            self.contest = stored.contest;
            self.last_roll = self.last_roll.max(stored.last_roll);
        }
        self.last_in_sync = self.last_in_sync.max(stored.last_in_sync);
        self.starts.extend(stored.starts);
        for (key, theirs) in stored.tracks {
            let Some(ours) = self.tracks.get_mut(&key) else {
                continue;
            };
            if ours.fingerprint != theirs.fingerprint || theirs.origin == Origin::Foreign {
                continue;
            }
            match (&mut ours.timeline, &theirs.timeline) {
                (Some(timeline), Some(stored)) => {
                    let joint = Joint {
                        from: theirs.date,
                        date: second_after(ours.date),
                        key_went: key_went(&theirs.keys, &ours.keys),
                    };
                    timeline.merge(stored, joint);
                }
                (None, Some(_)) => *ours = theirs,
                (_, None) => {}
            }
        }
    }

    /// Stops following the sources: what happens until it is managed again goes
    /// by unseen.
    pub fn pause(&mut self) {
        for track in self.tracks.values_mut() {
            if track.origin == Origin::Followed {
                track.origin = Origin::Stored;
            }
        }
    }

    /// Keeps each timeline within its limit, and what is only needed for live Pods.
    pub fn prune(&mut self, view: &View<'_>) {
        let live = || {
            view.pods
                .iter()
                .map(|(pod, _)| *pod)
                .filter(|pod| pod.active)
        };
        self.newest_start = live().map(|pod| pod.start.time).max();
        let uids: BTreeSet<&Arc<str>> = live().map(|pod| &pod.uid).collect();
        self.starts.retain(|uid, _| uids.contains(uid));
        let starts: Vec<(Start, &[Container])> = live()
            .map(|pod| (self.start_of(pod), &*pod.containers))
            .collect();
        for track in self.tracks.values_mut() {
            if let Some(timeline) = &mut track.timeline {
                timeline.prune(starts.iter().copied());
            }
        }
    }

    /// Whether all of its sources have been read to the last version, given what
    /// the index knows of each.
    #[must_use]
    pub fn is_read<'a>(&self, source: impl Fn(&SourceName) -> Option<&'a Source>) -> bool {
        let mut tracks = self.tracks.iter();
        tracks.all(|(key, track)| !track.lags(source(&key.source)))
    }

    /// Notes that no Pod is outdated: each one created up to some time has the
    /// newest contents. `seen` is a server time up to which everything has been
    /// seen for sure, with the operator's time of it.
    pub fn note_in_sync(&mut self, seen: Option<(ServerTime, Mono)>) {
        let covered: Option<Vec<ServerTime>> = self
            .tracks
            .values()
            .map(|track| track.covered_until(seen))
            .collect();
        let Some(time) = covered.and_then(|times| times.into_iter().min()) else {
            return;
        };
        self.last_in_sync = Some(time);
        for track in self.tracks.values_mut() {
            if let Some(timeline) = &mut track.timeline {
                timeline.mark_synced(time);
            }
        }
    }

    /// The newest digest of each reference, where all are read.
    #[must_use]
    pub fn newest(&self) -> Option<Vec<(Fingerprint, Digest)>> {
        self.tracks
            .values()
            .map(|track| match track.timeline.as_ref()?.newest().content {
                Content::Known(digest) => Some((track.fingerprint, digest)),
                Content::Unread | Content::Unsure => None,
            })
            .collect()
    }
}

/// The digest in a revision, without the counter that may follow it.
#[must_use]
pub fn base_of(revision: &str) -> &str {
    // v1.<key id>.<digest>[.<n>]
    match revision.match_indices('.').nth(2) {
        Some((at, _)) => &revision[..at],
        None => revision,
    }
}

// === impl Contest ===

impl Contest {
    /// Takes in another template.
    fn see(&mut self, template: &Template, otherwise_same: bool) {
        if !otherwise_same {
            *self = Self::default();
            return;
        }
        let ours = self.revision.is_some() && template.revision == self.revision;
        if self.present && !ours {
            self.removals = self.removals.saturating_add(1);
            self.replaced_by = template.revision.clone();
        }
        self.present = ours;
    }
}

// === impl TrackKey ===

impl TrackKey {
    /// That of a reference.
    #[must_use]
    pub fn of(reference: &Reference) -> Self {
        Self {
            source: reference.source.clone(),
            class: reference.class,
        }
    }
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
    fn covered_until(&self, seen: Option<(ServerTime, Mono)>) -> Option<ServerTime> {
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
        let watched = seen
            .filter(|(_, at)| newest.received <= *at)
            .map(|(time, _)| time);
        read.max(watched)
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
            date: arrival.date,
            received: arrival.now,
            changed: if known {
                changed(&self.keys, &projected.keys)
            } else {
                Vec::new()
            },
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
        self.missing = projected.missing;
        let present = projected.keys.into_iter();
        self.keys = present
            .filter(|(_, digest)| digest.is_some())
            .take(KEYS)
            .collect();
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
fn key_went(old: &ProjectedKeys, new: &ProjectedKeys) -> bool {
    let gone = |(name, digest): (&Arc<str>, &Option<_>)| {
        digest.is_some() && new.get(name).copied().flatten().is_none()
    };
    remembered(old).is_some() || old.iter().any(gone)
}

/// The last key up to which `keys` tells all; `None` where it tells all keys.
fn remembered(keys: &ProjectedKeys) -> Option<&Arc<str>> {
    let full = keys.len() >= KEYS;
    full.then(|| keys.last_key_value().map(|(name, _)| name))
        .flatten()
}

/// The version since which the data of `reading` is in force, where the watch has
/// reached just that reading and saw the edit live.
fn edited(source: Option<&Source>, reading: Option<&Reading>) -> Option<Rv> {
    let source = source?;
    let meta = source.meta.as_ref()?;
    let read = Rv::parse(&reading?.resource_version);
    (meta.rv == read).then_some(source.edited).flatten()
}

#[cfg(test)]
mod tests;
