//! Facts and decisions → `Projection`, and back after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use sha2::{Digest as _, Sha256};

use crate::api::conditions::{IN_SYNC, STATE_KNOWN, Statement, set};
use crate::api::duration::Duration;
use crate::api::projection::{
    ContestedRecord, DecisionRecord, LastInSync, MAX_KEYS, MAX_NOT_FRESH, MAX_TIMELINE, PodRecord,
    PodStart, PodState, Pods, PolicyInForce, ProjectionSpec, ProjectionStatus, ReferenceRecord,
    RollRecord, Since as StoredSince, State, Summary, TimelineEntry, WorkloadRef,
};
use crate::api::reasons::Reason;
use crate::core::digest::{Digest, DigestKey, KeyId};
use crate::core::index::View;
use crate::core::object::{Rv, WorkloadId};
use crate::core::plan::{Decision, PodFacts, Tally, Verdict};
use crate::core::policy::{Effective, Selected};
use crate::core::record::{Contest, Origin, Record, Roll, Track, TrackKey, Version};
use crate::core::reference::Reference;
use crate::core::time::{Mono, ServerTime};
use crate::core::timeline::{Content, Entry, Since, Timeline, second_before};
use crate::core::workload::Template;

/// Relates the operator's clock to the server's, for what people read.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The operator's clock.
    pub now: Mono,
    /// The API server's time at that moment, as far as known.
    pub server: ServerTime,
}

/// What a Projection is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// The workload.
    pub id: &'a WorkloadId,
    /// The workload, its policy and its Pods.
    pub view: &'a View<'a>,
    /// What is remembered of it.
    pub record: &'a Record,
    /// What each of its Pods has.
    pub pods: &'a [PodFacts],
    /// What was decided.
    pub decision: &'a Decision,
    /// What was written last, so that times move only with what they tell of.
    pub before: Option<&'a ProjectionStatus>,
    /// For what people read.
    pub clock: Clock,
}

/// The `spec` of a workload's Projection.
#[must_use]
pub fn spec(id: &WorkloadId, uid: &str) -> ProjectionSpec {
    ProjectionSpec {
        workload: WorkloadRef {
            kind: id.kind,
            name: id.name.to_string(),
            uid: uid.to_owned(),
        },
    }
}

/// The `status` of a workload's Projection.
#[must_use]
pub fn render(input: &Input<'_>) -> ProjectionStatus {
    let Input {
        id, view, record, ..
    } = input;
    let tally = Tally::of(input.pods);
    let mut sources: Vec<_> = view.references.iter().map(|one| &one.source).collect();
    sources.dedup();
    let policy = match view.selected {
        Selected::Managed(policy) => Some(in_force(policy)),
        Selected::NotManaged { .. } => None,
    };
    ProjectionStatus {
        observed_generation: Some(view.workload.generation),
        summary: Summary {
            workload: format!("{}/{}", id.kind, id.name),
            sources: u32::try_from(sources.len()).unwrap_or(u32::MAX),
            state: Some(state(input.decision, &tally)),
            last_roll: record.rolls.last().map(|roll| Time(roll.time)),
        },
        policy,
        template_hash: record.template.as_ref().map(|template| hex(&template.hash)),
        pods: pods(input, &tally),
        decision: Some(decision(input)),
        rolls: record.rolls.iter().rev().map(stored_roll).collect(),
        conditions: conditions(input, &tally),
        references: view
            .references
            .iter()
            .filter_map(|reference| {
                let track = record.tracks.get(&TrackKey::of(reference))?;
                Some(stored_reference(reference, track))
            })
            .collect(),
        last_in_sync: last_in_sync(record),
        starts: starts(input),
        contested: record
            .contest
            .revision
            .as_ref()
            .map(|revision| ContestedRecord {
                revision: revision.to_string(),
                removals: record.contest.removals,
            }),
    }
}

/// Takes up what an earlier process, or another replica, has stored.
///
/// Nothing in it can fail: what can't be understood is left out, and what it was
/// about is seen anew. `key` tells which digests can be compared.
#[must_use]
pub fn restore(
    spec: &ProjectionSpec,
    status: &ProjectionStatus,
    key: &DigestKey,
    clock: Clock,
) -> Record {
    let mut record = Record::new(spec.workload.uid.as_str().into());
    record.rolls = status.rolls.iter().rev().map(restored_roll).collect();
    record.last_roll = record
        .rolls
        .last()
        .and_then(|roll| before(clock, roll.time));
    record.contest = Contest {
        revision: status
            .contested
            .as_ref()
            .map(|contested| contested.revision.as_str().into()),
        // A removal while nobody watched is not counted.
        present: false,
        removals: status
            .contested
            .as_ref()
            .map_or(0, |contested| contested.removals),
        replaced_by: None,
    };
    record.template = status
        .template_hash
        .as_deref()
        .and_then(parse_hex)
        .map(|hash| Template {
            hash,
            revision: None,
        });
    record.starts = status
        .starts
        .iter()
        .filter_map(|start| {
            Some((
                start.uid.as_str().into(),
                Rv::parse(&start.resource_version)?,
            ))
        })
        .collect();
    record.last_in_sync = status.last_in_sync.as_ref().map(|last| last.time.0);
    for stored in &status.references {
        if let Some((key, track)) = restored_track(stored, status.last_in_sync.as_ref(), key.id()) {
            record.tracks.insert(key, track);
        }
    }
    record
}

/// When something that the server dated `time` was, by the operator's clock;
/// `None` if that was before its zero.
fn before(clock: Clock, time: ServerTime) -> Option<Mono> {
    let ago = clock.server.as_second().saturating_sub(time.as_second());
    let ago = std::time::Duration::from_secs(u64::try_from(ago).unwrap_or(0));
    clock.now.0.checked_sub(ago).map(Mono)
}

fn state(decision: &Decision, tally: &Tally) -> State {
    match (&decision.verdict, decision.reason) {
        (_, Reason::InSync) if tally.unknown > 0 => State::Unknown,
        (_, Reason::InSync) => State::InSync,
        (Verdict::Hold, _) | (_, Reason::ObserveOnly) => State::Held,
        (Verdict::Nothing, Reason::BeingReplaced) | (Verdict::Roll(_), _) => State::Rolling,
        (Verdict::Wait(_) | Verdict::Nothing, _) => State::Waiting,
    }
}

fn in_force(policy: &Effective) -> PolicyInForce {
    PolicyInForce {
        kind: policy.policy.as_ref().map(|id| id.kind()),
        name: policy.policy.as_ref().map(|id| id.name().to_string()),
        why: policy.why.clone(),
        strategy: policy.strategy,
        settle: Duration::from(policy.settle),
        min_interval: Duration::from(policy.min_interval),
        suspend: policy.suspend,
    }
}

fn pods(input: &Input<'_>, tally: &Tally) -> Pods {
    let not_fresh = input.pods.iter().filter(|pod| pod.state != PodState::Fresh);
    Pods {
        total: tally.total,
        fresh: tally.fresh,
        stale: tally.stale,
        refreshing: tally.refreshing,
        unknown: tally.unknown,
        not_fresh: not_fresh
            .take(MAX_NOT_FRESH)
            .map(|pod| PodRecord {
                name: pod.name.to_string(),
                state: pod.state,
                reason: why_not_fresh(pod),
            })
            .collect(),
    }
}

fn why_not_fresh(pod: &PodFacts) -> String {
    let names = |keys: &mut dyn Iterator<Item = &TrackKey>| {
        let mut names: Vec<String> = keys
            .map(|key| format!("{}/{}", key.source.0, key.source.1))
            .collect();
        names.dedup();
        names.truncate(4);
        names.join(", ")
    };
    let outdated = names(&mut pod.outdated.iter().map(|(key, _)| key));
    let unknown = names(&mut pod.unknown.iter());
    match pod.state {
        PodState::Fresh => String::new(),
        PodState::Refreshing => cut(&format!("The kubelet refreshes {outdated} in its files.")),
        PodState::Stale => cut(&format!("It started before {outdated} changed.")),
        PodState::Unknown => cut(&format!(
            "Which content of {unknown} it started with can't be told."
        )),
    }
}

fn decision(input: &Input<'_>) -> DecisionRecord {
    let outcome = input.decision.outcome();
    let until = match input.decision.verdict {
        Verdict::Wait(until) => until,
        Verdict::Nothing | Verdict::Roll(_) | Verdict::Hold => None,
    };
    let reason = input.decision.reason.as_str();
    let before = input.before.and_then(|before| before.decision.as_ref());
    let since = before
        .filter(|before| before.reason == reason && before.outcome == outcome)
        .map_or(Time(input.clock.server), |before| before.since.clone());
    DecisionRecord {
        outcome,
        reason: reason.to_owned(),
        message: cut(&input.decision.message),
        since,
        until: until.map(|until| Time(server_time(input.clock, until))),
    }
}

/// The server's time at a moment to come of the operator's clock, rounded up.
fn server_time(clock: Clock, at: Mono) -> ServerTime {
    let wait = at.since(clock.now);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    clock.server.saturating_add(wait).unwrap_or(clock.server)
}

fn cut(text: &str) -> String {
    const MAX: usize = 1024;
    text[..text.floor_char_boundary(MAX)].to_owned()
}

fn conditions(input: &Input<'_>, tally: &Tally) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = input
        .before
        .map_or_else(Vec::new, |before| before.conditions.clone());
    let now = input.clock.server;
    let observed_generation = Some(input.view.workload.generation);
    set(
        &mut conditions,
        Statement {
            type_: IN_SYNC,
            status: Some(tally.stale + tally.refreshing == 0),
            reason: input.decision.reason,
            message: cut(&input.decision.message),
            observed_generation,
        },
        now,
    );
    let (reason, message) = match (tally.unknown, input.record.restated) {
        (0, _) => (
            Reason::InSync,
            "What each Pod started with is known.".to_owned(),
        ),
        (count, true) => (Reason::StateUnknown, digests_lost(count)),
        (count, false) => (
            Reason::StateUnknown,
            format!(
                "{count} Pods started before anything was known of what they project. They count as having the first content known."
            ),
        ),
    };
    set(
        &mut conditions,
        Statement {
            type_: STATE_KNOWN,
            status: Some(tally.unknown == 0),
            reason,
            message,
            observed_generation,
        },
        now,
    );
    conditions
}

/// What is said where the stored digests of so many Pods' contents are of no use.
#[must_use]
pub fn digests_lost(pods: u32) -> String {
    format!(
        "The stored digests can't be compared any more, so of {pods} Pods it can't be told what they started with. Nothing is rolled for that."
    )
}

// === Rolls ===

fn stored_roll(roll: &Roll) -> RollRecord {
    RollRecord {
        revision: roll.revision.to_string(),
        time: Time(roll.time),
        resource_version: roll.rv.map(|rv| rv.to_string()),
        causes: roll
            .causes
            .iter()
            .take(10)
            .map(|cause| cut(cause))
            .collect(),
    }
}

fn restored_roll(roll: &RollRecord) -> Roll {
    Roll {
        revision: roll.revision.as_str().into(),
        time: roll.time.0,
        rv: roll.resource_version.as_deref().and_then(Rv::parse),
        causes: roll.causes.clone(),
    }
}

// === References ===

fn stored_reference(reference: &Reference, track: &Track) -> ReferenceRecord {
    let mut uses: Vec<String> = reference
        .uses
        .iter()
        .map(|one| one.place.as_str().to_owned())
        .collect();
    uses.dedup();
    let (keys, total): (Vec<String>, usize) = match reference.keys() {
        Some(keys) => (
            keys.iter()
                .take(MAX_KEYS)
                .map(|key| (*key).to_owned())
                .collect(),
            keys.len(),
        ),
        None => (
            track.keys.keys().map(|key| key.to_string()).collect(),
            track.keys.len(),
        ),
    };
    let seen = track.seen.as_ref();
    let entries = track.timeline.as_ref().map_or(&[][..], Timeline::entries);
    let surplus = entries.len().saturating_sub(MAX_TIMELINE);
    ReferenceRecord {
        kind: reference.source.0,
        name: reference.source.1.to_string(),
        class: reference.class,
        uses,
        optional: reference.uses.iter().all(|one| one.optional),
        keys,
        keys_total: u32::try_from(total).unwrap_or(u32::MAX),
        missing: track.missing.is_some(),
        fingerprint: track.fingerprint.to_string(),
        source_uid: seen
            .and_then(|seen| seen.uid.as_ref())
            .map(ToString::to_string),
        source_resource_version: seen.and_then(|seen| seen.rv).map(|rv| rv.to_string()),
        key_digests: track
            .keys
            .iter()
            .filter_map(|(name, digest)| Some((name.to_string(), digest.as_ref()?.to_string())))
            .collect(),
        timeline: entries.iter().skip(surplus).map(stored_entry).collect(),
        open: surplus == 0 && track.timeline.as_ref().is_some_and(Timeline::is_open),
    }
}

fn stored_entry(entry: &Entry) -> TimelineEntry {
    TimelineEntry {
        digest: match entry.content {
            Content::Known(digest) => Some(digest.to_string()),
            Content::Unread | Content::Unsure => None,
        },
        unsure: entry.content == Content::Unsure,
        since: StoredSince {
            resource_version: entry.since.rv.map(|rv| rv.to_string()),
            exact: entry.since.exact,
            time: (entry.since.time != ServerTime::MIN).then_some(Time(entry.since.time)),
        },
        missing: entry.missing,
        changed: entry.changed.iter().map(ToString::to_string).collect(),
    }
}

fn restored_track(
    stored: &ReferenceRecord,
    last: Option<&LastInSync>,
    key: KeyId,
) -> Option<(TrackKey, Track)> {
    let fingerprint = stored.fingerprint.parse().ok()?;
    let mut foreign = false;
    let entries: Vec<Entry> = stored
        .timeline
        .iter()
        .map(|entry| restored_entry(entry, key, &mut foreign))
        .collect();
    let date = match last {
        Some(last) => last.time.0,
        None => second_before(entries.last()?.since.time),
    };
    let mut timeline = Timeline::restore(entries, stored.open)?;
    if let Some(last) = last
        && let Some(digest) = last.digests.get(&stored.fingerprint)
    {
        timeline.mark_synced_with(
            comparable(digest, key).unwrap_or_else(|own| own),
            last.time.0,
        );
    }
    let track = Track {
        fingerprint,
        timeline: Some(timeline),
        seen: Some(Version {
            uid: stored.source_uid.as_deref().map(Arc::from),
            rv: stored
                .source_resource_version
                .as_deref()
                .and_then(Rv::parse),
        }),
        keys: stored_keys(stored),
        missing: None,
        date,
        open: true,
        origin: if foreign {
            Origin::Foreign
        } else {
            Origin::Stored
        },
    };
    let key = TrackKey {
        source: (stored.kind, stored.name.as_str().into()),
        class: stored.class,
    };
    Some((key, track))
}

fn restored_entry(stored: &TimelineEntry, key: KeyId, foreign: &mut bool) -> Entry {
    let content = match &stored.digest {
        None if stored.unsure => Content::Unsure,
        None => Content::Unread,
        Some(text) => Content::Known(comparable(text, key).unwrap_or_else(|stand_in| {
            *foreign = true;
            stand_in
        })),
    };
    Entry {
        content,
        since: Since {
            rv: stored.since.resource_version.as_deref().and_then(Rv::parse),
            exact: stored.since.exact,
            time: stored
                .since
                .time
                .as_ref()
                .map_or(ServerTime::MIN, |time| time.0),
        },
        missing: stored.missing,
        changed: stored
            .changed
            .iter()
            .map(|key| key.as_str().into())
            .collect(),
        received: Mono::default(),
        synced: None,
    }
}

/// A stored digest if it can be compared with ours, else what stands for it.
fn comparable(text: &str, key: KeyId) -> Result<Digest, Digest> {
    match text.parse::<Digest>() {
        Ok(digest) if digest.key_id == key => Ok(digest),
        _ => Err(stand_in(text, key)),
    }
}

/// Stands for a digest that can't be compared with ours: equal only to itself.
fn stand_in(text: &str, key_id: KeyId) -> Digest {
    let hash = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Digest { key_id, bytes }
}

fn stored_keys(
    stored: &ReferenceRecord,
) -> BTreeMap<Arc<str>, Option<crate::core::digest::KeyDigest>> {
    let digests = stored.key_digests.iter();
    digests
        .filter_map(|(name, digest)| Some((name.as_str().into(), Some(digest.parse().ok()?))))
        .collect()
}

// === Pods' starts and the last time in sync ===

/// The starts of Pods that a time in whole seconds would place elsewhere among
/// the contents.
fn starts(input: &Input<'_>) -> Vec<PodStart> {
    let timelines = || {
        let tracks = input.record.tracks.values();
        tracks.filter_map(|track| track.timeline.as_ref())
    };
    let mut starts: Vec<PodStart> = input
        .view
        .pods
        .iter()
        .filter(|(pod, _)| pod.active)
        .filter_map(|(pod, _)| {
            let start = input.record.start_of(pod);
            let needed = timelines().any(|timeline| timeline.needs_version(&start));
            Some(PodStart {
                uid: pod.uid.to_string(),
                resource_version: start.rv.filter(|_| needed)?.to_string(),
            })
        })
        .collect();
    starts.sort_by(|a, b| a.uid.cmp(&b.uid));
    starts
}

/// The contents that were in force then, not those of now.
fn last_in_sync(record: &Record) -> Option<LastInSync> {
    let synced = |track: &Track| {
        let entries = track.timeline.as_ref()?.entries().iter();
        let entry = entries.rev().find(|entry| entry.synced.is_some())?;
        match entry.content {
            Content::Known(digest) => Some((track.fingerprint.to_string(), digest.to_string())),
            Content::Unread | Content::Unsure => None,
        }
    };
    Some(LastInSync {
        time: Time(record.last_in_sync?),
        digests: record.tracks.values().filter_map(synced).collect(),
    })
}

// === Hex ===

fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    crate::core::hex::parse(text).ok()
}
