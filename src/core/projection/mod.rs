//! Facts and decisions → `Projection`, and back after a restart.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::conditions::{IN_SYNC, STATE_KNOWN, STATE_STORED, Statement, set};
use crate::api::limits::{MAX_NOT_FRESH, cut};
use crate::api::names::SYNC_ANNOTATION;
use crate::api::projection::{
    ContestedRecord, DecisionRecord, PodRecord, PodState, Pods, PolicyInForce, ProjectionSpec,
    ProjectionStatus, State, Summary, WorkloadRef,
};
use crate::api::reasons::{Quality, Reason};
use crate::core::history::record::{Record, TrackKey};
use crate::core::index::View;
use crate::core::plan::{Decision, PodFacts, Tally, Verdict, count_pods, not_ready};
use crate::core::policy::{Effective, Selected};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::WorkloadId;

mod fit;
mod restore;
mod store;

use fit::fit;
pub use restore::restore;
use store::{last_in_sync, starts, stored_reference, stored_roll};

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
    /// Relates the two clocks, for what people read.
    pub now: Moment,
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

/// The `status` of a workload's Projection, without what would be too much to be stored.
#[must_use]
pub fn render(input: &Input<'_>) -> ProjectionStatus {
    let mut status = whole(input);
    match fit(&mut status) {
        Some(left_out) => too_large(&mut status, &left_out, input),
        None => status.conditions.retain(|one| one.type_ != STATE_STORED),
    }
    status
}

fn too_large(status: &mut ProjectionStatus, left_out: &str, input: &Input<'_>) {
    let statement = Statement {
        type_: STATE_STORED,
        status: Some(false),
        reason: Reason::ProjectionTooLarge,
        message: format!("The Projection would be too large to be stored. Left out: {left_out}."),
        observed_generation: Some(input.view.workload.generation),
    };
    set(&mut status.conditions, statement, input.now.server);
}

fn whole(input: &Input<'_>) -> ProjectionStatus {
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
        starts: starts(record, &view.pods),
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

fn state(decision: &Decision, tally: &Tally) -> State {
    match (&decision.verdict, decision.reason) {
        (_, reason) if is_not_managed(reason) => State::NotManaged,
        (_, Reason::InSync) if tally.unknown > 0 => State::Unknown,
        (_, Reason::InSync) => State::InSync,
        (Verdict::Hold, _) => State::Held,
        (Verdict::Act(_), _) => State::Rolling,
        (_, reason) if reason.is(Quality::Rolling) => State::Rolling,
        (Verdict::Wait(_) | Verdict::Nothing, _) => State::Waiting,
    }
}

/// What is told where an undo has changed `projsync.dev/sync`, in a sentence or two.
#[must_use]
pub fn sync_undone(before: Option<&str>, now: Option<&str>) -> String {
    let value = |sync: Option<&str>| {
        sync.map_or("absent".to_owned(), |sync| {
            format!("{:?}", cut(sync.to_owned()))
        })
    };
    format!(
        "An undo has brought back the annotations of an earlier revision: {SYNC_ANNOTATION} was {} and is {} now. Set it again if that was not meant; a policy that selects the workload can't be undone so.",
        value(before),
        value(now)
    )
}

fn is_not_managed(reason: Reason) -> bool {
    reason == Reason::NotManaged || reason.is(Quality::Refusal)
}

fn in_force(policy: &Effective) -> PolicyInForce {
    PolicyInForce {
        kind: policy.policy.as_ref().map(|id| id.kind()),
        name: policy.policy.as_ref().map(|id| id.name().to_string()),
        why: policy.why.clone(),
        stopped_by: policy.stopped.as_ref().map(|id| id.name().to_string()),
        rules: policy.rules.clone(),
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
        not_ready: match input.decision.reason {
            Reason::InSync => {
                let not_ready = not_ready(input.view, input.record, input.pods).count();
                u32::try_from(not_ready).unwrap_or(u32::MAX)
            }
            _ => 0,
        },
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
    let doubtful = names(&mut pod.doubtful.iter());
    cut(match pod.state {
        PodState::Fresh => String::new(),
        PodState::Refreshing => format!("The kubelet refreshes {outdated} in its files."),
        PodState::Stale if !pod.doubtful.is_empty() => format!(
            "It started before {outdated} changed. {doubtful} was immutable and was made again: its node may keep the old content."
        ),
        PodState::Stale => format!("It started before {outdated} changed."),
        PodState::Unknown if !pod.doubtful.is_empty() => format!(
            "{doubtful} was immutable and was made again: its node may have given it the old content."
        ),
        PodState::Unknown => format!("Which content of {unknown} it started with can't be told."),
    })
}

fn decision(input: &Input<'_>) -> DecisionRecord {
    let outcome = input.decision.outcome();
    let until = match input.decision.verdict {
        Verdict::Wait(until) => until,
        Verdict::Nothing | Verdict::Act(_) | Verdict::Hold => None,
    };
    let reason = input.decision.reason.as_str();
    let before = input.before.and_then(|before| before.decision.as_ref());
    let since = before
        .filter(|before| before.reason == reason && before.outcome == outcome)
        .map_or(Time(input.now.server), |before| before.since.clone());
    DecisionRecord {
        outcome,
        reason: reason.to_owned(),
        message: cut(input.decision.message.clone()),
        since,
        until: until.map(|until| Time(server_time(input.now, until))),
    }
}

/// The server's time at a moment to come of the operator's clock, rounded up.
fn server_time(now: Moment, at: Mono) -> ServerTime {
    let wait = at.since(now.mono);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let wait = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    now.server.saturating_add(wait).unwrap_or(now.server)
}

fn conditions(input: &Input<'_>, tally: &Tally) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = input
        .before
        .map_or_else(Vec::new, |before| before.conditions.clone());
    let now = input.now.server;
    let managed = !is_not_managed(input.decision.reason);
    let observed_generation = Some(input.view.workload.generation);
    set(
        &mut conditions,
        Statement {
            type_: IN_SYNC,
            status: managed.then_some(tally.stale + tally.refreshing == 0),
            reason: input.decision.reason,
            message: input.decision.message.clone(),
            observed_generation,
        },
        now,
    );
    let doubtful = input.pods.iter().flat_map(|pod| &pod.doubtful).next();
    let (reason, message) = match (tally.unknown, input.record.restated) {
        _ if !managed => (input.decision.reason, cut(input.decision.message.clone())),
        (count, _) if let Some(key) = doubtful => (Reason::StateUnknown, made_again(count, key)),
        (0, _) => (
            Reason::InSync,
            "What each Pod started with is known.".to_owned(),
        ),
        (count, true) => (Reason::StateUnknown, digests_lost(count)),
        (count, false) => (
            Reason::StateUnknown,
            format!(
                "{} started before the projected content was first read. That first content counts as current for such Pods until it changes.",
                count_pods(count)
            ),
        ),
    };
    set(
        &mut conditions,
        Statement {
            type_: STATE_KNOWN,
            status: managed.then_some(tally.unknown == 0),
            reason,
            message,
            observed_generation,
        },
        now,
    );
    conditions
}

/// What is said of Pods whose node may have kept an immutable object.
fn made_again(pods: u32, key: &TrackKey) -> String {
    let (kind, name) = &key.source;
    format!(
        "{kind}/{name} was immutable and was made again. A node that had it may go on giving the old content to new Pods, so what {} started with can't be told. Give the new content a new name.",
        count_pods(pods)
    )
}

/// What is said where the stored digests of so many Pods' contents are of no use.
#[must_use]
pub fn digests_lost(pods: u32) -> String {
    format!(
        "The stored digests can't be compared any more, so what {} started with can't be told. Nothing is rolled for that.",
        count_pods(pods)
    )
}

// === Hex ===

fn hex(bytes: &[u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
