//! What is remembered of a managed workload: the timeline of each reference, the
//! starts of Pods, our rolls, and who undid them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::api::limits::MAX_ROLLS;
use crate::core::content::digest::Digest;
use crate::core::history::timeline::{Content, Handover, second_after};
use crate::core::index::{SourceName, View};
use crate::core::object::pod::{Container, Pod, Start};
use crate::core::object::source::Source;
use crate::core::object::workload::{Template, Workload};
use crate::core::project::reference::{Fingerprint, Reference};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::Class;
use crate::kinds::Rv;

mod covered;
mod proof;
mod rolls;
mod track;

pub use rolls::{Contest, Health, Roll, Trouble, base_of};
pub use track::{Answer, NodeCopy, Origin, SeenContent, Track, Version};

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
    /// Its references. They are boxed: most workloads have few, and a map makes room for
    /// eleven at once.
    pub tracks: BTreeMap<TrackKey, Box<Track>>,
    /// Our last rolls, oldest first; at most [`MAX_ROLLS`].
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
    /// When its last roll was made.
    pub last_roll: Option<Mono>,
    /// A server time up to which every Pod had the newest content.
    pub last_in_sync: Option<ServerTime>,
    /// The creation of the newest Pod.
    pub newest_start: Option<ServerTime>,
    /// Whether digests were lost or of an unknown format, so that the content of some Pods
    /// can't be told.
    pub restated: bool,
}

// === impl Record ===

impl Record {
    /// Makes the record of a workload that is new to us.
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
    /// without (first sight, a policy, a newer operator), or while the workload was not
    /// managed, so that it is `resumed` now, tells nothing of them.
    pub fn align(&mut self, workload: &Workload, references: &[Reference], resumed: bool) {
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
            if let Some(roll) = self.rolls.last_mut().filter(|_| !same_template) {
                // Whether the template or the content is at fault can't be told any more.
                roll.health.unready = None;
            }
            self.template = Some(workload.template.clone());
        }
        let first_sight = same_template || resumed;
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
                .or_insert_with(|| Box::new(Track::new(reference.fingerprint(), first_sight)));
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

    /// Our last roll, if it made this template.
    #[must_use]
    pub fn roll_of(&self, template: &Template) -> Option<&Roll> {
        let newest = self.rolls.last();
        newest.filter(|roll| template.revision.as_ref() == Some(&roll.revision))
    }

    /// Notes a roll that the API server accepted.
    pub fn rolled(&mut self, roll: Roll, base: &str, now: Mono) {
        self.written = roll.rv;
        self.last_roll = Some(now);
        self.contest
            .rolled(&roll.revision, base, self.template.as_ref());
        self.rolls.push(roll);
        let surplus = self.rolls.len().saturating_sub(MAX_ROLLS);
        self.rolls.drain(..surplus);
    }

    /// Adds what another replica has stored: what it saw before we did, and its rolls. Pod
    /// starts that we saw are kept.
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
            ours.node_copy = ours.node_copy.take().or_else(|| theirs.node_copy.clone());
            match (&mut ours.timeline, &theirs.timeline) {
                (Some(timeline), Some(stored)) => {
                    let handover = Handover {
                        from: theirs.seen_until,
                        date: second_after(ours.seen_until),
                        key_went: theirs.lost_key(&ours.keys),
                    };
                    timeline.merge(stored, handover);
                }
                (None, Some(_)) => *ours = theirs,
                (_, None) => {}
            }
        }
    }

    /// Stops following the sources. What happens until the workload is managed again stays
    /// unseen.
    pub fn pause(&mut self) {
        for track in self.tracks.values_mut() {
            if track.origin == Origin::Followed {
                track.origin = Origin::Stored;
            }
        }
    }

    /// Forgets every version, since the cluster has gone back to an earlier state: versions are
    /// given anew. What is remembered is compared by times, and each source is read anew.
    pub fn forget_versions(&mut self) {
        self.written = None;
        self.starts.clear();
        self.last_in_sync = None;
        self.contest.present = false;
        for roll in &mut self.rolls {
            roll.rv = None;
        }
        self.pause();
        for track in self.tracks.values_mut() {
            if let Some(read) = &mut track.read {
                read.rv = None;
            }
            if let Some(timeline) = &mut track.timeline {
                timeline.forget_versions();
            }
        }
    }

    /// Cuts each timeline to its limit, and forgets starts of Pods that are gone. `lag` is
    /// the kubelet's refresh bound.
    pub fn prune(&mut self, view: &View<'_>, lag: Duration) {
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
                timeline.prune(starts.iter().copied(), lag);
            }
        }
    }

    /// A source whose last version has not been read, given what the index knows of each.
    #[must_use]
    pub fn unread<'a>(
        &self,
        source: impl Fn(&SourceName) -> Option<&'a Source>,
    ) -> Option<&SourceName> {
        let mut tracks = self.tracks.iter();
        let unread = tracks.find(|(key, track)| track.lags(source(&key.source)));
        unread.map(|(key, _)| &key.source)
    }

    /// Notes that no Pod is outdated: each one created up to some time has the
    /// newest contents. `watched_until` is a moment before which everything has been seen
    /// for sure.
    pub fn note_in_sync(&mut self, watched_until: Option<Moment>) {
        let covered: Option<Vec<ServerTime>> = self
            .tracks
            .values()
            .map(|track| track.covered_until(watched_until))
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

    /// The newest digest of each reference; `None` until all are read.
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

// === impl TrackKey ===

impl TrackKey {
    /// The keys that references to a source have.
    pub fn of_source(source: &SourceName) -> [Self; 2] {
        [Class::Live, Class::Frozen].map(|class| Self {
            source: source.clone(),
            class,
        })
    }

    /// The key of a reference.
    #[must_use]
    pub fn of(reference: &Reference) -> Self {
        Self {
            source: reference.source.clone(),
            class: reference.class,
        }
    }
}

#[cfg(test)]
mod tests;
