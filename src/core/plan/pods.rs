//! What each Pod has: from the standing in each reference to its state.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::api::projection::{PodState, Pods};
use crate::api::rules::Strategy;
use crate::core::history::record::{Record, Roll, TrackKey};
use crate::core::history::timeline::Standing;
use crate::core::index::View;
use crate::core::object::pod::Pod;
use crate::core::plan::unready::Unready;
use crate::core::policy::Selected;
use crate::core::time::{Moment, Mono};
use crate::kinds::Class;

/// What is known of one Pod that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// Whether it is of the workload's current template.
    pub current: bool,
    /// What it has.
    pub state: PodState,
    /// The references in which it is outdated, each with the first entry of the
    /// timeline that it lacks.
    pub outdated: Vec<(TrackKey, usize)>,
    /// The references of which it can't be told.
    pub unknown: Vec<TrackKey>,
    /// The references whose source was immutable and was deleted or made again: a node
    /// may go on giving what it was.
    pub doubtful: Vec<TrackKey>,
    /// `projsync.dev/revision` that it carries.
    pub revision: Option<Arc<str>>,
    /// If it is not ready, since when and why.
    pub unready: Option<Unready>,
    /// When its state changes by itself (`Refreshing` to `Fresh` under Observe).
    pub until: Option<Mono>,
    /// Whether it started with other files than the newest, which the kubelet has
    /// brought since: it is not outdated under Observe, and is under Rollout.
    pub refreshed: bool,
}

/// How many Pods are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All that count.
    pub total: u32,
    /// `Fresh`.
    pub fresh: u32,
    /// `Stale`.
    pub stale: u32,
    /// `Refreshing`.
    pub refreshing: u32,
    /// `Unknown`.
    pub unknown: u32,
}

/// What each Pod of a workload has; terminating and finished ones don't count.
/// `lag` is the kubelet's refresh bound. `before` is what was known of its Pods before.
#[must_use]
pub fn assess(
    view: &View<'_>,
    record: &Record,
    lag: Duration,
    now: Moment,
    before: &[PodFacts],
) -> Vec<PodFacts> {
    let observe = matches!(
        view.selected,
        Selected::Managed(policy) if policy.rules.strategy == Strategy::Observe
    );
    let references = view.references.iter();
    let alike: Vec<usize> = references
        .map(|reference| record.alike(reference, view.references))
        .collect();
    let active = view.pods.iter().filter(|(pod, _)| pod.active);
    // They are kept, and most workloads have fewer than a `Vec` begins with.
    let mut pods = Vec::with_capacity(active.clone().count());
    pods.extend(active.map(|(pod, current)| {
        let mut facts = PodFacts::of(pod, *current);
        facts.unready = Unready::of(pod, facts.unready_in(before), now);
        let by = Judge {
            lag,
            observe,
            now: now.mono,
            alike: &alike,
        };
        facts.judge(view, record, pod, by);
        facts
    }));
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    pods
}

#[derive(Clone, Copy)]
struct Judge<'a> {
    lag: Duration,
    observe: bool,
    now: Mono,
    /// For each reference, from where on its timeline is alike.
    alike: &'a [usize],
}

// === impl PodFacts ===

impl PodFacts {
    fn of(pod: &Pod, current: bool) -> Self {
        Self {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            current,
            state: PodState::Fresh,
            outdated: Vec::new(),
            unknown: Vec::new(),
            doubtful: Vec::new(),
            revision: pod.revision.clone(),
            unready: None,
            until: None,
            refreshed: false,
        }
    }

    /// What was known of the same Pod in `before`, which is sorted by name.
    fn unready_in<'a>(&self, before: &'a [Self]) -> Option<&'a Unready> {
        let at = before.binary_search_by(|pod| pod.name.cmp(&self.name));
        let same = before.get(at.ok()?).filter(|pod| pod.uid == self.uid);
        same?.unready.as_ref()
    }

    /// Whether it carries the revision of a roll.
    #[must_use]
    pub fn is_of(&self, roll: &Roll) -> bool {
        self.revision.as_ref() == Some(&roll.revision)
    }

    /// When what is known of it changes by itself.
    #[must_use]
    pub fn next(&self, now: Mono) -> Option<Mono> {
        let unready = self.unready.as_ref().and_then(|one| one.next(now));
        self.until.into_iter().chain(unready).min()
    }

    /// Whether the content now differs from the content at its start.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        !self.outdated.is_empty()
    }

    fn judge(&mut self, view: &View<'_>, record: &Record, pod: &Pod, by: Judge<'_>) {
        let start = record.start_of(pod);
        let mut frozen = false;
        for (reference, alike) in view.references.iter().zip(by.alike) {
            let key = TrackKey::of(reference);
            let Some(track) = record.tracks.get(&key) else {
                continue;
            };
            let Some(timeline) = &track.timeline else {
                continue;
            };
            let Some(own) = pod.own_use_of(reference) else {
                continue;
            };
            let standing = timeline.standing(&start, &pod.containers, own, by.lag, *alike);
            match standing {
                Standing::Current if track.is_doubtful() => {
                    self.unknown.push(key.clone());
                    self.doubtful.push(key);
                }
                Standing::NotStarted | Standing::Current => {}
                Standing::Unknown => self.unknown.push(key),
                Standing::Outdated { lacks } => {
                    let newest = timeline.newest();
                    let refreshed = newest.received + by.lag;
                    // Nor is a copy refreshed that its node keeps of an immutable object.
                    let kept = track.is_doubtful();
                    if kept {
                        self.doubtful.push(key.clone());
                    }
                    let refreshes = reference.class == Class::Live && !kept;
                    // What is missing the kubelet can't put in place of what was there.
                    if refreshes && by.observe && !newest.missing {
                        if by.now >= refreshed {
                            self.refreshed = true;
                            continue;
                        }
                        self.until =
                            Some(self.until.map_or(refreshed, |until| until.max(refreshed)));
                    }
                    frozen |= !refreshes;
                    self.outdated.push((key, lacks));
                }
            }
        }
        self.state = if frozen {
            PodState::Stale
        } else if self.is_outdated() {
            PodState::Refreshing
        } else if self.unknown.is_empty() {
            PodState::Fresh
        } else {
            PodState::Unknown
        };
    }
}

// === impl Tally ===

impl From<&Pods> for Tally {
    fn from(pods: &Pods) -> Self {
        Self {
            total: pods.total,
            fresh: pods.fresh,
            stale: pods.stale,
            refreshing: pods.refreshing,
            unknown: pods.unknown,
        }
    }
}

/// The Pods of our last roll that are not ready; none if another has changed the template since.
pub fn not_ready<'a>(
    view: &View<'_>,
    record: &'a Record,
    pods: &'a [PodFacts],
) -> impl Iterator<Item = &'a PodFacts> {
    let roll = record.roll_of(&view.workload.template);
    pods.iter()
        .filter(move |pod| pod.unready.is_some() && roll.is_some_and(|roll| pod.is_of(roll)))
}

impl Tally {
    /// Counts Pods.
    #[must_use]
    pub fn of(pods: &[PodFacts]) -> Self {
        let mut tally = Self::default();
        for pod in pods {
            tally.total += 1;
            match pod.state {
                PodState::Fresh => tally.fresh += 1,
                PodState::Stale => tally.stale += 1,
                PodState::Refreshing => tally.refreshing += 1,
                PodState::Unknown => tally.unknown += 1,
            }
        }
        tally
    }
}
