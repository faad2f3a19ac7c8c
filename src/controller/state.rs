//! The operator's state: the index, and what is remembered of each managed
//! workload. Everything in here is synchronous; nothing awaits under its lock.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::projection::{DecisionRecord, ProjectionSpec, ProjectionStatus};
use crate::api::reasons::Reason;
use crate::controller::policies::PolicyMeta;
use crate::core::content::SourceContent;
use crate::core::digest::DigestKey;
use crate::core::index::{Affected, Index};
use crate::core::object::{Rv, SourceId, WorkloadId};
use crate::core::plan::{Decision, Facts, Plan, PodFacts, Tally, Verdict, assess, decide};
use crate::core::policy::{PolicyId, Selected};
use crate::core::projection::{Clock, Input, render, restore, spec};
use crate::core::record::{Arrival, Observed, Record, Roll, TrackKey, Version};
use crate::core::reference::Reference;
use crate::core::time::{Mono, ServerTime};

/// How long a Projection outlives the management of its workload.
pub const RETIRE_AFTER: Duration = Duration::from_secs(5 * 60);

/// A Projection is written at most once in this time, except for a roll.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

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
    settings: Settings,
    managed: HashMap<WorkloadId, Managed>,
    /// Workloads that ask to be managed in a way that can't be.
    refused: HashMap<WorkloadId, Reason>,
}

/// One workload that is managed, or was until lately.
#[derive(Debug)]
struct Managed {
    record: Record,
    decision: Option<Decision>,
    pods: Vec<PodFacts>,
    /// What was last written of it.
    reported: Option<Reported>,
    /// Before that it is not written again, except for a roll.
    report_after: Mono,
    /// Since when it is not managed any more.
    retired: Option<Mono>,
    /// Whether somebody has been told that its digests were lost.
    told_of_loss: bool,
    /// The newest version of its Projection that the watch has shown.
    shown: Option<Rv>,
}

/// What has to be remembered of a Projection that was written.
#[derive(Clone, Debug)]
struct Reported {
    /// Of what it says; `None` where somebody else wrote or deleted it.
    hash: Option<u64>,
    /// The version that says so.
    rv: Option<Rv>,
    /// So that its times move only with what they tell of.
    decision: Option<DecisionRecord>,
    conditions: Vec<Condition>,
    last_in_sync: Option<ServerTime>,
}

/// What is to be done about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// All references have its newest version.
    Nothing,
    /// It is absent: there is nothing to read.
    Absence,
    /// Its content has to be read.
    Read,
}

/// What is to be done about a workload.
#[derive(Debug)]
pub enum Step {
    /// Nothing until something changes.
    Rest,
    /// Plan again then.
    At(Mono),
    /// Roll it.
    Roll(Order),
}

/// A roll to be made.
#[derive(Debug)]
pub struct Order {
    /// `metadata.uid` of the workload that was planned for.
    pub uid: Arc<str>,
    /// Its `metadata.resourceVersion`.
    pub resource_version: String,
    /// What is written.
    pub plan: Plan,
    /// When we learned of the change.
    pub changed: Mono,
}

/// A decision that was made, and whether it is another than before.
#[derive(Debug)]
pub struct Planned {
    /// What is to be done.
    pub step: Step,
    /// What was decided.
    pub decision: Decision,
    /// Whether reason or outcome differ from the last one.
    pub news: bool,
    /// `metadata.uid` of the workload, if there is one.
    pub uid: Option<Arc<str>>,
    /// In how long the Projection should be looked at, if at all.
    pub report: Option<Duration>,
}

/// What a Projection should be.
#[derive(Debug)]
pub enum Report {
    /// As it is.
    Unchanged,
    /// Written like this.
    Write {
        /// `spec`.
        spec: ProjectionSpec,
        /// `status`.
        status: Box<ProjectionStatus>,
        /// Identifies what it says.
        hash: u64,
    },
    /// Deleted.
    Delete,
    /// Looked at again after this time.
    After(Duration),
}

/// Counts for a policy's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// Workloads that it is in force for.
    pub workloads: u32,
    /// Workloads that it selects, but that another policy is in force for.
    pub overridden: u32,
    /// Pods of the workloads that it is in force for.
    pub pods: u32,
    /// Those of them that are `Stale`.
    pub stale: u32,
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
        let reported = Reported {
            hash: Some(fingerprint(status)),
            rv,
            decision: status.decision.clone(),
            conditions: slim(&status.conditions),
            last_in_sync: status.last_in_sync.as_ref().map(|last| last.time.0),
        };
        match self.managed.get_mut(id) {
            Some(managed) => {
                managed.record.merge(stored);
                managed.reported = Some(reported);
            }
            None => {
                let mut managed = Managed::new(stored);
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

    /// Notes that somebody else wrote or deleted a Projection of ours.
    pub fn disown_report(&mut self, id: &WorkloadId) -> bool {
        let managed = self.managed.get_mut(id);
        if let Some(reported) = managed.and_then(|managed| managed.reported.as_mut()) {
            reported.hash = None;
            return true;
        }
        false
    }

    /// Notes that the watch has shown a version of a Projection. If somebody else
    /// has written over ours, returns in how long it may be written again.
    pub fn shown(&mut self, id: &WorkloadId, rv: Option<Rv>, now: Mono) -> Option<Duration> {
        let managed = self.managed.get_mut(id)?;
        managed.shown = rv;
        let overwritten = managed.is_overwritten();
        overwritten.then(|| managed.report_after.since(now))
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
                    let managed = self
                        .managed
                        .entry(id.clone())
                        .or_insert_with(|| Managed::new(Record::new(view.workload.uid.clone())));
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
            let before = match planned.decision.reason.is_refusal() {
                true => self.refused.insert(id.clone(), planned.decision.reason),
                false => self.refused.remove(id),
            };
            planned.news =
                planned.decision.reason.is_refusal() && before != Some(planned.decision.reason);
            planned.uid = Some(view.workload.uid.clone());
            return planned;
        };
        if self.synced {
            managed.record.prune(&view);
        }
        let pods = assess(&view, &managed.record, self.settings.refresh_bound, now);
        let decision = decide(&Facts {
            synced: self.synced,
            view: &view,
            record: &managed.record,
            pods: &pods,
            key: &self.settings.key,
            now,
        });
        if decision.reason == Reason::InSync {
            managed.record.contest.removals = 0;
            let read = managed.record.is_read(|(kind, name)| {
                let id = SourceId::new(*kind, id.namespace.clone(), name.clone());
                self.index.source(&id)
            });
            managed.record.note_in_sync(in_sync.filter(|_| read));
        }
        let news = managed.is_news(&decision);
        let step = match &decision.verdict {
            // Only being in sync moves `lastInSync`; else an event has it planned again.
            Verdict::Nothing
                if decision.reason == Reason::InSync && managed.must_cover_newest_pod() =>
            {
                Step::At(now + REPORT_INTERVAL)
            }
            Verdict::Nothing | Verdict::Hold | Verdict::Wait(None) => Step::Rest,
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
            report: managed.report_in(&decision, now),
            decision,
        }
    }

    /// Of how many Pods it can't be told any more what they have, because stored
    /// digests can't be compared; only once, and once all is read.
    pub fn tell_of_loss(&mut self, id: &WorkloadId) -> Option<u32> {
        let managed = self.managed.get_mut(id)?;
        let reason = managed.decision.as_ref()?.reason;
        let passing = matches!(reason, Reason::CachesNotSynced | Reason::SourceNotRead);
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
        let delay = managed.report_in(&decision, now);
        managed.decision = Some(decision);
        delay
    }

    /// What a workload's Projection should be.
    #[must_use]
    pub fn report(&self, id: &WorkloadId, clock: Clock) -> Report {
        let Some(managed) = self.managed.get(id) else {
            return Report::Unchanged;
        };
        if let Some(since) = managed.retired {
            let age = clock.now.since(since);
            return match RETIRE_AFTER.checked_sub(age).filter(|left| !left.is_zero()) {
                Some(left) => Report::After(left),
                None => Report::Delete,
            };
        }
        let (Some(view), Some(decision)) = (self.index.view(id), &managed.decision) else {
            return Report::Unchanged;
        };
        let before = managed.reported.as_ref().map(|reported| ProjectionStatus {
            decision: reported.decision.clone(),
            conditions: reported.conditions.clone(),
            ..ProjectionStatus::default()
        });
        let status = render(&Input {
            id,
            view: &view,
            record: &managed.record,
            pods: &managed.pods,
            decision,
            before: before.as_ref(),
            clock,
        });
        let hash = fingerprint(&status);
        let reported = managed.reported.as_ref();
        let told = reported.is_some_and(|reported| reported.hash == Some(hash))
            && !managed.is_overwritten();
        if told && !managed.can_cover_newest_pod() {
            return Report::Unchanged;
        }
        Report::Write {
            spec: spec(id, &view.workload.uid),
            status: Box::new(status),
            hash,
        }
    }

    /// Notes that a Projection was written.
    pub fn reported(
        &mut self,
        id: &WorkloadId,
        hash: u64,
        status: &ProjectionStatus,
        rv: Option<Rv>,
        now: Mono,
    ) {
        if let Some(managed) = self.managed.get_mut(id) {
            managed.report_after = now + REPORT_INTERVAL;
            managed.reported = Some(Reported {
                hash: Some(hash),
                rv,
                decision: status.decision.clone(),
                conditions: slim(&status.conditions),
                last_in_sync: status.last_in_sync.as_ref().map(|last| last.time.0),
            });
        }
    }

    /// Forgets a workload whose Projection is deleted.
    pub fn forget(&mut self, id: &WorkloadId) {
        if self
            .managed
            .get(id)
            .is_some_and(|managed| managed.retired.is_some())
        {
            self.managed.remove(id);
        }
    }

    /// Whether every managed workload has been planned at least once.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        let mut managed = self.managed.values().filter(|one| one.retired.is_none());
        managed.all(|one| one.decision.is_some())
    }

    /// Every workload of which something is remembered.
    #[must_use]
    pub fn remembered(&self) -> Vec<WorkloadId> {
        self.managed.keys().cloned().collect()
    }

    /// How many workloads a policy is in force for, and their stale Pods.
    #[must_use]
    pub fn policy_counts(&self) -> HashMap<PolicyId, PolicyCounts> {
        let mut counts: HashMap<PolicyId, PolicyCounts> = HashMap::new();
        for (id, managed) in &self.managed {
            let Some(view) = self.index.view(id) else {
                continue;
            };
            let Selected::Managed(policy) = view.selected else {
                continue;
            };
            if let Some(policy) = &policy.policy {
                let tally = Tally::of(&managed.pods);
                let entry = counts.entry(policy.clone()).or_default();
                entry.workloads += 1;
                entry.pods += tally.total;
                entry.stale += tally.stale;
            }
            for other in self.index.selecting(id) {
                if Some(&other) != policy.policy.as_ref() {
                    counts.entry(other).or_default().overridden += 1;
                }
            }
        }
        counts
    }

    /// Managed workloads by kind, and their Pods by state, for metrics.
    #[must_use]
    pub fn totals(&self) -> (HashMap<(&'static str, &'static str), u32>, Tally) {
        let mut workloads = HashMap::new();
        let mut pods = Tally::default();
        for (id, managed) in self.managed.iter().filter(|(_, one)| one.retired.is_none()) {
            let tally = Tally::of(&managed.pods);
            let reason = managed.decision.as_ref().map(|decision| decision.reason);
            let state = match reason {
                Some(Reason::InSync) => "in_sync",
                Some(_) => "out_of_sync",
                None => "unplanned",
            };
            *workloads.entry((id.kind.as_str(), state)).or_default() += 1;
            pods.total += tally.total;
            pods.fresh += tally.fresh;
            pods.stale += tally.stale;
            pods.refreshing += tally.refreshing;
            pods.unknown += tally.unknown;
        }
        (workloads, pods)
    }

    /// A picture of the state for `/debug/index`: names and versions, no digests.
    #[must_use]
    pub fn dump(&self) -> serde_json::Value {
        let sources: serde_json::Map<_, _> = self
            .index
            .used_sources()
            .map(|id| {
                let version = Version::of_source(self.index.source(&id));
                let seen = self.index.users(&id).iter().all(|user| {
                    self.managed.get(user).is_some_and(|managed| {
                        managed
                            .record
                            .tracks
                            .iter()
                            .filter(|(key, _)| key.source == (id.kind, id.name.clone()))
                            .all(|(_, track)| track.seen.as_ref() == Some(&version))
                    })
                });
                let value = serde_json::json!({
                    "resourceVersion": version.rv.map(|rv| rv.0),
                    "read": seen,
                    "workloads": self.index.users(&id).len(),
                });
                (id.to_string(), value)
            })
            .collect();
        let workloads: serde_json::Map<_, _> = self
            .managed
            .iter()
            .map(|(id, managed)| {
                let decision = managed.decision.as_ref();
                let view = self.index.view(id);
                let value = serde_json::json!({
                    "reason": decision.map(|decision| decision.reason.as_str()),
                    "message": decision.map(|decision| decision.message.as_str()),
                    "resourceVersion": view
                        .as_ref()
                        .and_then(|view| view.workload.rv)
                        .map(|rv| rv.0),
                    "generation": view.as_ref().map(|view| view.workload.generation),
                    "pods": managed.pods.len(),
                    "outdated": managed.pods.iter().filter(|pod| pod.is_outdated()).count(),
                    "unknown": Tally::of(&managed.pods).unknown,
                    "retired": managed.retired.is_some(),
                });
                (id.to_string(), value)
            })
            .collect();
        serde_json::json!({
            "synced": self.synced,
            "sources": sources,
            "workloads": workloads,
        })
    }
}

// === impl Managed ===

impl Managed {
    fn new(record: Record) -> Self {
        Self {
            record,
            decision: None,
            pods: Vec::new(),
            reported: None,
            report_after: Mono::default(),
            retired: None,
            told_of_loss: false,
            shown: None,
        }
    }

    /// Whether reason or outcome differ from those before, a restart included.
    fn is_news(&self, decision: &Decision) -> bool {
        if let Some(before) = &self.decision {
            return before.reason != decision.reason
                || std::mem::discriminant(&before.verdict)
                    != std::mem::discriminant(&decision.verdict);
        }
        let stored = self
            .reported
            .as_ref()
            .and_then(|reported| reported.decision.as_ref());
        stored.is_none_or(|stored| {
            stored.reason != decision.reason.as_str() || stored.outcome != decision.outcome()
        })
    }

    /// In how long the Projection should be looked at.
    fn report_in(&self, decision: &Decision, now: Mono) -> Option<Duration> {
        if self.retired.is_some() {
            return Some(RETIRE_AFTER);
        }
        let passing = match (&decision.verdict, decision.reason) {
            // The roll is reported once it is made.
            (Verdict::Roll(_), _) | (_, Reason::CachesNotSynced) => return None,
            (_, Reason::OwnWriteNotSeen | Reason::SourceNotRead | Reason::TemplateNotObserved) => {
                true
            }
            (Verdict::Wait(Some(until)), _) => until.since(now) < REPORT_INTERVAL,
            _ => false,
        };
        let wait = self.report_after.since(now);
        Some(if passing {
            wait.max(REPORT_INTERVAL)
        } else {
            wait
        })
    }

    /// Whether its Projection is in a later version than the one we know.
    fn is_overwritten(&self) -> bool {
        let written = self.reported.as_ref().and_then(|reported| reported.rv);
        written.is_some() && self.shown > written
    }

    /// Whether a Pod is newer than the `lastInSync` that was written: after a
    /// restart it could not always be told what that Pod has.
    fn must_cover_newest_pod(&self) -> bool {
        let reported = self.reported.as_ref();
        !self.record.tracks.is_empty()
            && self.record.newest_start > reported.and_then(|reported| reported.last_in_sync)
    }

    /// Whether writing it now would change that.
    fn can_cover_newest_pod(&self) -> bool {
        self.must_cover_newest_pod() && self.record.last_in_sync >= self.record.newest_start
    }
}

// === impl Planned ===

impl Planned {
    fn gone(report: Option<Duration>) -> Self {
        Self {
            step: Step::Rest,
            decision: Decision {
                verdict: Verdict::Nothing,
                reason: Reason::NotManaged,
                message: "It is not managed.".to_owned(),
            },
            news: false,
            uid: None,
            report,
        }
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
) -> impl Iterator<Item = &'a mut crate::core::record::Track> {
    record
        .tracks
        .iter_mut()
        .filter(|(key, _)| key.source.0 == id.kind && key.source.1 == id.name)
        .map(|(_, track)| track)
}

/// When we learned of the newest content that an outdated Pod lacks.
fn newest_change(record: &Record, pods: &[PodFacts]) -> Option<Mono> {
    let outdated = pods.iter().flat_map(|pod| &pod.outdated);
    outdated
        .filter_map(|(key, _)| Some(record.tracks.get(key)?.timeline.as_ref()?.newest().received))
        .max()
}

/// Conditions without what isn't needed to set them anew.
fn slim(conditions: &[Condition]) -> Vec<Condition> {
    let mut slim = conditions.to_vec();
    for condition in &mut slim {
        condition.message = String::new();
        condition.reason = String::new();
    }
    slim
}

/// Identifies what a status says, less what moves without telling anything new.
fn fingerprint(status: &ProjectionStatus) -> u64 {
    let mut told = status.clone();
    told.last_in_sync = None;
    told.conditions.clear();
    told.observed_generation = None;
    if let Some(decision) = &mut told.decision {
        decision.until = None;
    }
    for reference in &mut told.references {
        reference.source_resource_version = None;
    }
    let mut hasher = DefaultHasher::new();
    // A status is plain data: that it can't be written as JSON can't happen.
    serde_json::to_vec(&told)
        .unwrap_or_default()
        .hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
