//! One reference of a workload: its timeline, and how readings of its source go
//! into it.

use std::sync::Arc;

use crate::api::limits::{MAX_CHANGED, MAX_KEYS};
use crate::core::content::digest::{
    Digest, DigestKey, Missing, Projected, ProjectedKeys, changed_keys, reference_digest,
};
use crate::core::content::{Reading, SourceContent};
use crate::core::history::timeline::{Absence, Content, Observation, Timeline, second_before};
use crate::core::object::source::{Source, SourceEvent, SourceEventKind};
use crate::core::project::reference::{Fingerprint, Reference};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::Rv;

/// Seconds after which a watch has certainly shown what happened.
const WATCH_LAG: i64 = 5;

/// What is known of one reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Identity of its uses.
    pub fingerprint: Fingerprint,
    /// The contents over time; `None` until the source is read.
    pub timeline: Option<Timeline>,
    /// The version of the source that was last taken in.
    pub read: Option<Version>,
    /// The projected keys that the newest content has; the first [`MAX_KEYS`] by name.
    pub keys: ProjectedKeys,
    /// Whether an earlier process knew keys and could not store them: `keys` tells of none.
    pub keys_left_out: bool,
    /// A required part that is missing now.
    pub missing: Option<Missing>,
    /// The last second of the server's clock of which everything was seen.
    pub seen_until: ServerTime,
    /// Whether older Pods can't be told, rather than being outdated, when the
    /// timeline starts.
    pub open: bool,
    /// How far to trust `timeline`.
    pub origin: Origin,
    /// The content that nodes may still have of an object that was immutable.
    pub node_copy: Option<NodeCopy>,
}

/// The content of an immutable object. The kubelet doesn't watch it, so as long as a Pod of a
/// node uses its name, new Pods of that node may get it though the object was replaced. See
/// <https://github.com/kubernetes/kubernetes/issues/119733>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCopy {
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
    /// An earlier process stored it. What happened since is unseen.
    Stored,
    /// An earlier process stored it with digests that can't be compared with ours.
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

/// The answer to a read of a source, and how it reached us.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// What it brought.
    pub content: &'a SourceContent,
    /// The source, as the watch has shown it.
    pub source: Option<&'a Source>,
    /// Its `Date`.
    pub date: ServerTime,
    /// When the operator learned of the change.
    pub received: Mono,
    /// The newest creation among the workload's Pods that a list has shown: all of them
    /// were there before, though a clock that was set back may say otherwise.
    pub listed: Option<ServerTime>,
    /// Whether resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
}

/// What references with one fingerprint, in one namespace, see of a content. It is found out once
/// for all of them.
#[derive(Clone, Debug)]
pub struct SeenContent {
    projected: Projected,
    /// What they see while the source is absent.
    absent: Absence,
    /// The projected keys that are remembered.
    remembered: ProjectedKeys,
}

// === impl SeenContent ===

impl SeenContent {
    /// What such references see of the content of their source.
    #[must_use]
    pub fn of(
        namespace: &str,
        reference: &Reference,
        content: &SourceContent,
        key: &DigestKey,
    ) -> Self {
        let projected = reference_digest(namespace, reference, content, key);
        let absent = reference_digest(namespace, reference, &SourceContent::Absent, key);
        Self {
            remembered: remembered(&projected.keys),
            projected,
            absent: Absence {
                digest: absent.digest,
                missing: absent.missing.is_some(),
            },
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
                rv: reading.rv(),
            },
        }
    }
}

// === impl Track ===

impl Track {
    /// Makes the track of a reference that is not read yet.
    #[must_use]
    pub fn new(fingerprint: Fingerprint, open: bool) -> Self {
        Self {
            fingerprint,
            timeline: None,
            read: None,
            keys: ProjectedKeys::new(),
            keys_left_out: false,
            missing: None,
            seen_until: ServerTime::MIN,
            open,
            origin: Origin::Followed,
            node_copy: None,
        }
    }

    /// Whether something of its source has not been taken in yet: a version, or an event
    /// before it.
    #[must_use]
    pub fn lags(&self, source: Option<&Source>) -> bool {
        let (Some(timeline), Some(read)) = (&self.timeline, &self.read) else {
            return true;
        };
        // What is missing is not stored.
        let stored_missing = self.origin == Origin::Stored && timeline.newest().missing;
        let is_unread = |event: &SourceEvent| Some(event.rv) != read.rv;
        self.origin == Origin::Foreign
            || stored_missing
            || *read != Version::of_source(source)
            || source.is_some_and(|source| source.events.iter().any(is_unread))
    }

    /// The time up to which all Pods that were created are known, if the newest content was
    /// in force then.
    pub(super) fn covered_until(&self, watched_until: Option<Moment>) -> Option<ServerTime> {
        let newest = self.timeline.as_ref()?.newest();
        if !matches!(newest.content, Content::Known(_)) {
            return None;
        }
        // Read so long after the edit that no Pod from before it is unseen.
        let old = self
            .seen_until
            .as_second()
            .saturating_sub(newest.since.time.as_second())
            >= WATCH_LAG;
        let read = old.then_some(self.seen_until);
        let watched = watched_until
            .filter(|moment| newest.received <= moment.mono)
            .map(|moment| moment.server);
        read.max(watched)
    }

    /// Whether a Pod that started while the newest content was in force may have an older
    /// one, from an immutable object that was deleted or replaced. Files of a running Pod
    /// stay as that was.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        let (Some(copy), Some(timeline)) = (&self.node_copy, &self.timeline) else {
            return false;
        };
        let uid = self.read.as_ref().and_then(|read| read.uid.as_ref());
        uid.is_none_or(|uid| *uid != copy.uid)
            && timeline.newest().content != Content::Known(copy.digest)
    }

    /// Follows its source from now on, which is still as stored.
    pub fn resume(&mut self) {
        if self.origin == Origin::Stored {
            self.origin = Origin::Followed;
        }
    }

    /// Takes in what was read of its source, or that it is absent. Returns whether its
    /// digests were lost or unknown, and were made anew.
    pub fn observe(
        &mut self,
        reference: &Reference,
        answer: &Answer<'_>,
        seen: &SeenContent,
    ) -> bool {
        let projected = &seen.projected;
        let version = Version::of_content(answer.content);
        let observation = self.observation(reference, answer, projected, seen.absent);
        let restated = self.join(&version, &observation, answer);
        self.origin = Origin::Followed;
        self.read = Some(version);
        if let Some(reading) = answer.content.reading()
            && reading.immutable
            && !self.is_doubtful()
        {
            self.node_copy = Some(NodeCopy {
                uid: reading.uid.clone(),
                digest: projected.digest,
            });
        }
        self.missing.clone_from(&projected.missing);
        self.keys.clone_from(&seen.remembered);
        self.keys_left_out = false;
        // What followed the answer within its second is not seen.
        self.seen_until = second_before(answer.date);
        restated
    }

    /// What an answer says of the reference.
    fn observation<'a>(
        &self,
        reference: &Reference,
        answer: &Answer<'a>,
        projected: &Projected,
        absent: Absence,
    ) -> Observation<'a> {
        let reading = answer.content.reading();
        let events = answer.source.map_or(&[][..], |source| &source.events);
        let unread = match answer.comparable {
            true => events,
            false => &[],
        };
        let rv = match reading {
            Some(reading) => reading.rv(),
            None => deletion(events),
        };
        let edited = edited(answer.source, reading).filter(|_| answer.comparable);
        let created = answer.source.and_then(|source| source.created);
        let is_known = self.timeline.is_some() && self.origin != Origin::Foreign;
        Observation {
            digest: projected.digest,
            missing: projected.missing.is_some(),
            absent,
            unread,
            after: self.read.as_ref().and_then(|read| read.rv),
            rv: rv.filter(|_| answer.comparable),
            edited,
            born: created.is_some() && created == edited,
            required: reference.uses.iter().all(|one| !one.optional) && reading.is_some(),
            created: reading.map(|reading| reading.created),
            data_time: reading.and_then(|reading| reading.data_time),
            date: answer.date.max(answer.listed.unwrap_or(answer.date)),
            received: answer.received,
            changed: match is_known && !self.keys_left_out {
                true => changed(&self.keys, &projected.keys),
                false => Vec::new(),
            },
            unnamed: self.keys_left_out || told_up_to(&self.keys).is_some(),
            key_went: is_known && self.lost_key(&projected.keys),
        }
    }

    /// Whether a key that was projected is gone, or may be.
    pub(super) fn lost_key(&self, now: &ProjectedKeys) -> bool {
        self.keys_left_out || key_went(&self.keys, now)
    }

    /// Adds an observation to the timeline, by what is known of the time before it.
    /// Returns whether digests were restated.
    fn join(&mut self, version: &Version, seen: &Observation<'_>, answer: &Answer<'_>) -> bool {
        let same_version = self.read.as_ref().unwrap_or(&Version::default()) == version;
        let unwatched = self.origin == Origin::Stored
            || answer.source.is_some_and(|source| source.gap)
            || !answer.comparable;
        match &mut self.timeline {
            None => self.timeline = Some(Timeline::new(seen, self.open)),
            Some(timeline) if self.origin == Origin::Foreign => {
                *timeline = match same_version {
                    true => timeline.restate(seen.digest),
                    false => Timeline::new(
                        &Observation {
                            born: false,
                            ..seen.clone()
                        },
                        true,
                    ),
                };
                return true;
            }
            Some(_) if unwatched && same_version && seen.unread.is_empty() => {}
            Some(timeline) if unwatched => timeline.observe_after(self.seen_until, seen),
            Some(timeline) => timeline.observe(seen),
        }
        false
    }
}

/// The version of the last deletion.
fn deletion(events: &[SourceEvent]) -> Option<Rv> {
    let is_deletion = |event: &&SourceEvent| event.kind == SourceEventKind::Deleted;
    events.iter().rev().find(is_deletion).map(|event| event.rv)
}

/// The keys that are remembered: the first [`MAX_KEYS`] of those that are there.
fn remembered(keys: &ProjectedKeys) -> ProjectedKeys {
    let present = keys.iter().filter(|(_, digest)| digest.is_some());
    let present = present.take(MAX_KEYS);
    // They are kept, so there is no more room than for them.
    let mut remembered = ProjectedKeys::with_capacity(present.clone().count());
    remembered.extend(present.map(|(name, digest)| (Arc::clone(name), *digest)));
    remembered
}

/// The changed keys, as far as `old` remembers keys, and no more than tell that there are too
/// many to be named.
fn changed(old: &ProjectedKeys, new: &ProjectedKeys) -> Vec<Arc<str>> {
    let last = told_up_to(old);
    let changed = changed_keys(old, new);
    let told = changed.take_while(|name| last.is_none_or(|last| *name <= last));
    told.take(MAX_CHANGED + 1).cloned().collect()
}

/// Whether a key that was projected is gone, or may be.
fn key_went(old: &ProjectedKeys, new: &ProjectedKeys) -> bool {
    let gone = |(name, digest): (&Arc<str>, &Option<_>)| {
        digest.is_some() && new.get(name).copied().flatten().is_none()
    };
    told_up_to(old).is_some() || old.iter().any(gone)
}

/// The last key up to which `keys` tells all; `None` where it tells all keys.
fn told_up_to(keys: &ProjectedKeys) -> Option<&Arc<str>> {
    let full = keys.len() >= MAX_KEYS;
    full.then(|| keys.last().map(|(name, _)| name)).flatten()
}

/// The version since which the data of `reading` is in force, where the watch has
/// reached just that reading and saw the edit live.
fn edited(source: Option<&Source>, reading: Option<&Reading>) -> Option<Rv> {
    let source = source?;
    let meta = source.meta.as_ref()?;
    (meta.rv == reading?.rv())
        .then_some(source.edited)
        .flatten()
}
