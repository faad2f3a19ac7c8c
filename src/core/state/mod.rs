//! The operator's state: the index, and what is remembered of each managed
//! workload. Everything in here is synchronous; nothing awaits under its lock.

use std::collections::HashMap;
use std::time::Duration;

use crate::api::policy::PolicyStatus;
use crate::api::projection::{ProjectionSpec, ProjectionStatus};
use crate::api::reasons::{Quality, Reason};
use crate::core::content::SourceContent;
use crate::core::content::digest::DigestKey;
use crate::core::history::record::{Arrival, Observed, Record, Roll, TrackKey, Version};
use crate::core::index::{Affected, Index};
use crate::core::plan::{Decision, Facts, Tally, Verdict, assess, decide};
use crate::core::policy::{PolicyId, Selected};
use crate::core::project::reference::Reference;
use crate::core::projection::{Clock, restore};
use crate::core::time::{Mono, ServerTime};
use crate::kinds::{Rv, SourceId, WorkloadId};

mod managed;
mod report;
mod step;
mod summary;

use managed::{Managed, Reported, newest_change};
use report::fingerprint;
pub use report::{Pace, Report};
pub use step::{Need, Order, Planned, Step};
pub use summary::PolicyCounts;

/// How long a Projection outlives the management of its workload.
pub const RETIRE_AFTER: Duration = Duration::from_secs(5 * 60);

/// A Projection is written at most once in this time, except for a roll. What passes
/// within it is not written at all.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// The same while a rollout goes on, of which the live Pods tell more: hundreds of
/// rollouts at a time have the API server busy enough.
pub const ROLLOUT_INTERVAL: Duration = Duration::from_secs(30);

/// What the watch told of a policy besides its spec.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyMeta {
    /// `metadata.generation`.
    pub generation: i64,
    /// Its status as last seen or written.
    pub status: PolicyStatus,
}

/// What does not change while the operator runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Makes digests.
    pub key: DigestKey,
    /// Whether resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
    /// How long the kubelet may take to refresh a mounted directory.
    pub refresh_bound: Duration,
    /// Whether all namespaces are watched.
    pub cluster_wide: bool,
}

/// The operator's state.
#[derive(Debug)]
pub struct State {
    /// The newest view of all objects.
    pub index: Index,
    /// Whether every watch has finished its first list.
    pub synced: bool,
    /// What the watches told of the policies besides their specs.
    pub policies: HashMap<PolicyId, PolicyMeta>,
    /// Before that their status is not looked at again.
    pub policies_after: Mono,
    settings: Settings,
    /// Boxed, as most room in a large table is empty.
    managed: HashMap<WorkloadId, Box<Managed>>,
    /// Workloads that ask to be managed in a way that can't be.
    refused: HashMap<WorkloadId, Reason>,
}

// === impl State ===

impl State {
    /// Empty.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            index: Index::default(),
            synced: false,
            policies: HashMap::new(),
            policies_after: Mono::default(),
            settings,
            managed: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// Whether resourceVersions of sources and Pods can be compared.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        self.settings.comparable
    }

    /// Whether a policy's status is for this operator to write: one that watches a
    /// few namespaces sees a part of what a ClusterSyncPolicy selects, and others
    /// like it see other parts.
    #[must_use]
    pub fn reports_on(&self, policy: &PolicyId) -> bool {
        self.settings.cluster_wide || policy.namespace().is_some()
    }

    /// Takes up a stored Projection: at start, or on a standby as the leader
    /// writes it.
    pub fn adopt(
        &mut self,
        id: &WorkloadId,
        spec: &ProjectionSpec,
        status: &ProjectionStatus,
        rv: Option<Rv>,
        clock: Clock,
    ) {
        let stored = restore(spec, status, &self.settings.key, clock);
        let reported = Reported::of(status, fingerprint(status), rv);
        match self.managed.get_mut(id) {
            Some(managed) => {
                managed.record.merge(stored);
                managed.reported = Some(reported);
            }
            None => {
                let mut managed = Box::new(Managed::new(stored));
                managed.reported = Some(reported);
                managed.retired = Some(clock.now);
                self.managed.insert(id.clone(), managed);
            }
        }
    }

    /// Whether a stored Projection tells of a roll that is later than all we know
    /// of: another replica made it.
    #[must_use]
    pub fn is_unknown_roll(&self, id: &WorkloadId, status: &ProjectionStatus) -> bool {
        let Some(theirs) = status.rolls.first() else {
            return false;
        };
        let known = self.managed.get(id).map(|managed| &managed.record.rolls);
        let ours = known.and_then(|rolls| rolls.last());
        ours.is_none_or(|ours| ours.time < theirs.time.0 && *ours.revision != *theirs.revision)
    }

    /// Notes that every watch has finished its first list. Only now can records be
    /// brought in line: before, a workload may lack its policy, and a stored
    /// reference would be dropped for it.
    pub fn start(&mut self, now: Mono) {
        self.synced = true;
        let all = Affected {
            workloads: self.index.workloads().collect(),
            ..Affected::default()
        };
        self.align(&all, now);
    }

    /// Brings the records in line with what the index now says.
    pub fn align(&mut self, affected: &Affected, now: Mono) {
        if !self.synced {
            return;
        }
        for id in &affected.workloads {
            let view = self.index.view(id);
            let managed = view
                .as_ref()
                .filter(|view| matches!(view.selected, Selected::Managed(_)));
            match managed {
                Some(view) => {
                    let managed = self.managed.entry(id.clone()).or_insert_with(|| {
                        let record = Record::new(view.workload.uid.clone());
                        Box::new(Managed::new(record))
                    });
                    managed.retired = None;
                    managed.record.align(view.workload, view.references);
                }
                None => {
                    if let Some(managed) = self.managed.get_mut(id)
                        && managed.retired.is_none()
                    {
                        managed.retired = Some(now);
                        managed.decision = None;
                        managed.pods.clear();
                        managed.record.pause();
                    }
                }
            }
        }
    }

    /// What is to be done about a source. Where all references have its newest
    /// version, what went by is forgotten.
    pub fn need(&mut self, id: &SourceId) -> Need {
        let source = self.index.source(id);
        let version = Version::of_source(source);
        let mut lags = false;
        for workload in self.index.users(id) {
            let Some(managed) = self.managed.get_mut(&workload) else {
                continue;
            };
            for track in tracks_of(&mut managed.record, id) {
                if track.lags(source) {
                    lags = true;
                } else {
                    track.resume();
                }
            }
        }
        let absent = version == Version::default();
        match (lags, absent) {
            (false, _) => {
                self.index.settle_source(id, version.rv);
                Need::Nothing
            }
            (true, true) => Need::Absence,
            (true, false) => Need::Read,
        }
    }

    /// Takes in the content of a source, for every reference to it. Returns the
    /// workloads to plan.
    pub fn take_in(
        &mut self,
        id: &SourceId,
        content: &SourceContent,
        date: ServerTime,
        now: Mono,
    ) -> Vec<WorkloadId> {
        let source = self.index.source(id);
        let arrival = Arrival {
            date,
            listed: None,
            now: source
                .and_then(|source| source.marks.first())
                .map_or(now, |mark| mark.received),
            comparable: self.settings.comparable,
        };
        let users = self.index.users(id);
        for workload in &users {
            let (Some(managed), Some(view)) =
                (self.managed.get_mut(workload), self.index.view(workload))
            else {
                continue;
            };
            let arrival = Arrival {
                listed: view.newest_listed(),
                ..arrival
            };
            for reference in of_source(view.references, id) {
                let key = TrackKey::of(reference);
                let Some(track) = managed.record.tracks.get_mut(&key) else {
                    continue;
                };
                let observed = track.observe(
                    &id.namespace,
                    reference,
                    source,
                    content,
                    &self.settings.key,
                    arrival,
                );
                managed.record.restated |= observed == Observed::Restated;
            }
        }
        let rv = match content {
            SourceContent::Absent => None,
            SourceContent::Present(_) => Version::of_content(content).rv,
        };
        self.index.settle_source(id, rv);
        users
    }

    /// Plans one workload. `in_sync` is a server time up to which everything has
    /// been seen for sure, with the operator's time of it.
    pub fn plan(
        &mut self,
        id: &WorkloadId,
        now: Mono,
        in_sync: Option<(ServerTime, Mono)>,
    ) -> Planned {
        let Some(view) = self.index.view(id) else {
            self.refused.remove(id);
            return Planned::gone(self.managed.get(id).map(|_| RETIRE_AFTER));
        };
        let Some(managed) = self.managed.get_mut(id) else {
            let mut planned = Planned::gone(None);
            if let Selected::NotManaged { reason, message } = view.selected {
                planned.decision.reason = *reason;
                planned.decision.message.clone_from(message);
            }
            let before = match planned.decision.reason.is(Quality::Refusal) {
                true => self.refused.insert(id.clone(), planned.decision.reason),
                false => self.refused.remove(id),
            };
            planned.news = planned.decision.reason.is(Quality::Refusal)
                && before != Some(planned.decision.reason);
            planned.uid = Some(view.workload.uid.clone());
            return planned;
        };
        if self.synced {
            managed.record.prune(&view);
        }
        let pods = assess(&view, &managed.record, self.settings.refresh_bound, now);
        let unread = managed.record.unread(|(kind, name)| {
            let id = SourceId::new(*kind, id.namespace.clone(), name.clone());
            self.index.source(&id)
        });
        let decision = decide(&Facts {
            synced: self.synced,
            view: &view,
            record: &managed.record,
            pods: &pods,
            unread,
            key: &self.settings.key,
            now,
        });
        let refreshed = pods.iter().any(|pod| pod.refreshed);
        if decision.reason == Reason::InSync {
            managed.record.contest.removals = 0;
            if !refreshed {
                managed.record.note_in_sync(in_sync);
            }
        }
        let news = managed.is_news(&decision);
        if news {
            managed.decided = now;
        }
        let step = match &decision.verdict {
            // Only being in sync moves `lastInSync`; else an event has it planned again.
            Verdict::Nothing
                if decision.reason == Reason::InSync
                    && !refreshed
                    && managed.must_cover_newest_pod() =>
            {
                Step::At(now + REPORT_INTERVAL)
            }
            // A Pod's state that changes by itself is told, whatever else holds.
            Verdict::Nothing | Verdict::Hold | Verdict::Wait(None) => {
                let changes = pods.iter().filter_map(|pod| pod.until).min();
                changes.map_or(Step::Rest, Step::At)
            }
            Verdict::Wait(Some(until)) => Step::At(*until),
            Verdict::Roll(plan) => Step::Roll(Order {
                uid: view.workload.uid.clone(),
                resource_version: view
                    .workload
                    .rv
                    .map_or_else(String::new, |rv| rv.to_string()),
                plan: plan.clone(),
                changed: newest_change(&managed.record, &pods).unwrap_or(now),
            }),
        };
        let uid = Some(view.workload.uid.clone());
        managed.pods = pods;
        managed.decision = Some(decision.clone());
        Planned {
            step,
            news,
            uid,
            report: managed.report_in(now),
            decision,
        }
    }

    /// Of how many Pods it can't be told any more what they have, because stored
    /// digests can't be compared; only once, and once all is read.
    pub fn tell_of_loss(&mut self, id: &WorkloadId) -> Option<u32> {
        let managed = self.managed.get_mut(id)?;
        let reason = managed.decision.as_ref()?.reason;
        let passing = reason.is(Quality::Passing);
        let unknown = Tally::of(&managed.pods).unknown;
        if passing || managed.told_of_loss || !managed.record.restated || unknown == 0 {
            return None;
        }
        managed.told_of_loss = true;
        Some(unknown)
    }

    /// Notes a roll that the API server accepted.
    pub fn rolled(&mut self, id: &WorkloadId, roll: Roll, base: &str, now: Mono) {
        if let Some(managed) = self.managed.get_mut(id) {
            managed.record.rolled(roll, base, now);
        }
    }

    /// Notes that the API server refuses a roll, so that this is told in place of
    /// the roll, until it is planned again. Returns in how long the Projection
    /// should be looked at, if at all.
    pub fn refused(&mut self, id: &WorkloadId, message: String, now: Mono) -> Option<Duration> {
        let managed = self.managed.get_mut(id)?;
        let decision = Decision {
            verdict: Verdict::Hold,
            reason: Reason::RollFailed,
            message,
        };
        managed.decision = Some(decision);
        managed.report_in(now)
    }
}

fn of_source<'a>(
    references: &'a [Reference],
    id: &'a SourceId,
) -> impl Iterator<Item = &'a Reference> {
    references
        .iter()
        .filter(|reference| reference.source.0 == id.kind && reference.source.1 == id.name)
}

fn tracks_of<'a>(
    record: &'a mut Record,
    id: &'a SourceId,
) -> impl Iterator<Item = &'a mut crate::core::history::record::Track> {
    record
        .tracks
        .iter_mut()
        .filter(|(key, _)| key.source.0 == id.kind && key.source.1 == id.name)
        .map(|(_, track)| &mut **track)
}

#[cfg(test)]
mod tests;
