//! The guards, each with one reason to do nothing for now.

use std::time::Duration;

use crate::api::policy::Strategy;
use crate::api::reasons::Reason;
use crate::core::content::digest::Missing;
use crate::core::history::record::{Origin, base_of};
use crate::core::history::timeline::Timeline;
use crate::core::object::workload::Update;
use crate::core::plan::{Decision, Facts, Verdict, count_pods, in_words, roll};
use crate::core::policy::Selected;
use crate::core::time::Mono;

/// How many times our annotation may be removed before we stop putting it back.
const REMOVALS: u32 = 2;

/// How long it takes for sure until the server's clock shows a later second than
/// that of something just received.
const UNTIL_LATER_SECOND: Duration = Duration::from_secs(2);

pub(super) fn caches_not_complete(facts: &Facts<'_>) -> Option<Decision> {
    (!facts.synced).then(|| {
        Decision::new(
            Verdict::Wait(None),
            Reason::CachesNotSynced,
            "The first lists of the watches are not complete.",
        )
    })
}

pub(super) fn not_managed(facts: &Facts<'_>) -> Option<Decision> {
    match facts.view.selected {
        Selected::Managed(_) => None,
        Selected::NotManaged { reason, message } => {
            Some(Decision::new(Verdict::Nothing, *reason, message.clone()))
        }
    }
}

pub(super) fn terminating(facts: &Facts<'_>) -> Option<Decision> {
    facts.view.workload.terminating.then(|| {
        Decision::new(
            Verdict::Nothing,
            Reason::Terminating,
            "The workload is being deleted.",
        )
    })
}

pub(super) fn own_write_not_seen(facts: &Facts<'_>) -> Option<Decision> {
    (facts.record.written > facts.view.workload.rv).then(|| {
        Decision::new(
            Verdict::Wait(None),
            Reason::OwnWriteNotSeen,
            "The watch has not yet brought our own last write.",
        )
    })
}

pub(super) fn source_not_read(facts: &Facts<'_>) -> Option<Decision> {
    let unread = facts
        .record
        .tracks
        .iter()
        .find(|(_, track)| track.timeline.is_none() || track.origin != Origin::Followed)?;
    let (kind, name) = &unread.0.source;
    Some(Decision::new(
        Verdict::Wait(None),
        Reason::SourceNotRead,
        format!("{kind}/{name} has not been read yet."),
    ))
}

/// Never roll Pods into a state that cannot start.
pub(super) fn required_missing(facts: &Facts<'_>) -> Option<Decision> {
    let settle = facts.policy()?.settle;
    let (key, track) = facts
        .record
        .tracks
        .iter()
        .find(|(_, track)| track.missing.is_some())?;
    let (kind, name) = &key.source;
    let (reason, what) = match track.missing.as_ref()? {
        Missing::Source => (Reason::SourceMissing, format!("{kind}/{name}")),
        Missing::Key(missing) => (
            Reason::KeyMissing,
            format!("Key {missing} of {kind}/{name}"),
        ),
    };
    let entries = track.timeline.as_ref()?.entries().iter().rev();
    let began = entries.take_while(|entry| entry.missing).last();
    let announced = began.map_or_else(Mono::default, |entry| entry.received) + settle;
    let verdict = match facts.now < announced {
        true => Verdict::Wait(Some(announced)),
        false => Verdict::Hold,
    };
    Some(Decision::new(
        verdict,
        reason,
        format!(
            "{what} is required and does not exist: new Pods could not start. Create it, or make the reference optional."
        ),
    ))
}

/// To be in sync is to be so with the last edit. What is outdated all the same is not
/// kept from its roll.
pub(super) fn edit_not_read(facts: &Facts<'_>) -> Option<Decision> {
    let (kind, name) = facts.unread?;
    (facts.outdated() == 0).then(|| {
        Decision::new(
            Verdict::Wait(None),
            Reason::SourceNotRead,
            format!("{kind}/{name} was edited and has not been read since."),
        )
    })
}

pub(super) fn no_pod_outdated(facts: &Facts<'_>) -> Option<Decision> {
    if facts.outdated() > 0 {
        return None;
    }
    let unknown = facts
        .pods
        .iter()
        .filter(|pod| !pod.unknown.is_empty())
        .count();
    let message = match (facts.pods.len(), unknown) {
        (0, _) => "There are no Pods.".to_owned(),
        (_, 0) => "No Pod is outdated.".to_owned(),
        (_, unknown) => format!(
            "No Pod is known to be outdated; of {} it can't be told.",
            count_pods(unknown)
        ),
    };
    Some(Decision::new(Verdict::Nothing, Reason::InSync, message))
}

pub(super) fn template_not_observed(facts: &Facts<'_>) -> Option<Decision> {
    (!facts.view.observed).then(|| {
        Decision::new(
            Verdict::Wait(None),
            Reason::TemplateNotObserved,
            "The workload's controller has not yet observed its Pod template.",
        )
    })
}

/// The workload's controller replaces Pods of older templates, or will when told.
pub(super) fn older_templates_only(facts: &Facts<'_>) -> Option<Decision> {
    if facts.to_replace().next().is_some() {
        return None;
    }
    let outdated = count_pods(facts.outdated());
    let workload = facts.view.workload;
    if workload.paused {
        return Some(Decision::new(
            Verdict::Hold,
            Reason::Paused,
            format!(
                "{outdated} outdated: the Deployment is paused; its controller replaces them once it is resumed."
            ),
        ));
    }
    // One that replaces Pods in order waits for a broken Pod of an older template too.
    let ordered = matches!(workload.update, Update::Ordinal { ordered: true, .. });
    let broken = facts
        .pods
        .iter()
        .find(|pod| (pod.current || ordered) && !pod.ready && pod.broken.is_some());
    if workload.update == Update::OnDelete {
        return Some(Decision::new(
            Verdict::Hold,
            Reason::AwaitingDeletion,
            format!(
                "{outdated} outdated: with update strategy OnDelete each is replaced when somebody deletes it."
            ),
        ));
    }
    if let Some(pod) = broken {
        let why = pod.broken.as_deref().unwrap_or("not Ready");
        return Some(Decision::new(
            Verdict::Hold,
            Reason::Blocked,
            format!(
                "{outdated} outdated: the rollout waits for Pod {}, which is in {why}.",
                pod.name
            ),
        ));
    }
    if let Some(stuck) = &workload.stuck {
        return Some(Decision::new(
            Verdict::Hold,
            Reason::Blocked,
            format!("{outdated} outdated: the rollout does not progress: {stuck}"),
        ));
    }
    if let Update::Ordinal { partition, .. } = workload.update
        && partition > 0
        && all_below(facts, partition)
    {
        return Some(Decision::new(
            Verdict::Hold,
            Reason::HeldByPartition,
            format!("{outdated} outdated: partition {partition} keeps them on the older template."),
        ));
    }
    Some(Decision::new(
        Verdict::Nothing,
        Reason::BeingReplaced,
        format!("{outdated} outdated: the workload's controller is replacing them."),
    ))
}

/// Whether each outdated Pod's ordinal is below the partition.
fn all_below(facts: &Facts<'_>, partition: i64) -> bool {
    let ordinal = |name: &str| {
        name.rsplit('-')
            .next()
            .and_then(|text| text.parse::<i64>().ok())
    };
    facts
        .pods
        .iter()
        .filter(|pod| pod.is_outdated())
        .all(|pod| ordinal(&pod.name).is_some_and(|ordinal| ordinal < partition))
}

pub(super) fn suspended(facts: &Facts<'_>) -> Option<Decision> {
    facts.policy()?.suspend.then(|| {
        Decision::new(
            Verdict::Hold,
            Reason::Suspended,
            format!(
                "{} outdated: the policy is suspended.",
                count_pods(facts.outdated())
            ),
        )
    })
}

pub(super) fn observe_only(facts: &Facts<'_>) -> Option<Decision> {
    let observe = facts.policy()?.strategy == Strategy::Observe;
    let until = facts.pods.iter().filter_map(|pod| pod.until).min();
    observe.then(|| {
        Decision::new(
            until.map_or(Verdict::Nothing, |until| Verdict::Wait(Some(until))),
            Reason::ObserveOnly,
            format!(
                "{} outdated: strategy Observe only reports.",
                count_pods(facts.outdated())
            ),
        )
    })
}

pub(super) fn paused(facts: &Facts<'_>) -> Option<Decision> {
    facts.view.workload.paused.then(|| {
        Decision::new(
            Verdict::Hold,
            Reason::Paused,
            format!(
                "{} outdated: the Deployment is paused; it is rolled once it is resumed.",
                count_pods(facts.outdated())
            ),
        )
    })
}

/// Collects edits into one roll, from the first edit.
pub(super) fn settling(facts: &Facts<'_>) -> Option<Decision> {
    let settle = facts.policy()?.settle;
    let until = (first_edit(facts)? + settle).max(second_is_over(facts));
    (facts.now < until).then(|| {
        Decision::new(
            Verdict::Wait(Some(until)),
            Reason::Settling,
            format!(
                "{} outdated: edits are collected for {} from the first.",
                count_pods(facts.outdated()),
                in_words(settle)
            ),
        )
    })
}

/// When we learned of the first edit that a Pod to be replaced lacks.
fn first_edit(facts: &Facts<'_>) -> Option<Mono> {
    facts
        .to_replace()
        .flat_map(|pod| &pod.outdated)
        .filter_map(|(key, lacks)| {
            let timeline = facts.record.tracks.get(key)?.timeline.as_ref()?;
            Some(timeline.entries().get(*lacks)?.received)
        })
        .min()
}

/// When Pods can be told to be newer than what they are rolled for: where a
/// content has no resourceVersion, those of its second count as older.
fn second_is_over(facts: &Facts<'_>) -> Mono {
    let outdated = facts.to_replace().flat_map(|pod| &pod.outdated);
    outdated
        .filter_map(|(key, _)| facts.record.tracks.get(key)?.timeline.as_ref())
        .map(Timeline::newest)
        .filter(|newest| newest.since.rv.is_none())
        .map(|newest| newest.received + UNTIL_LATER_SECOND)
        .max()
        .unwrap_or_default()
}

pub(super) fn minimum_interval(facts: &Facts<'_>) -> Option<Decision> {
    let interval = facts.policy()?.min_interval;
    let until = facts.record.last_roll? + interval;
    (facts.now < until).then(|| {
        Decision::new(
            Verdict::Wait(Some(until)),
            Reason::MinimumInterval,
            format!(
                "{} outdated: the least time between two rolls is {}.",
                count_pods(facts.outdated()),
                in_words(interval)
            ),
        )
    })
}

/// Somebody removes our annotation as often as we write it.
pub(super) fn contested(facts: &Facts<'_>) -> Option<Decision> {
    let contest = &facts.record.contest;
    let same_content = contest
        .revision
        .as_deref()
        .is_some_and(|revision| Some(base_of(revision)) == roll::base(facts).as_deref());
    (contest.removals >= REMOVALS && same_content).then(|| {
        Decision::new(
            Verdict::Hold,
            Reason::Contested,
            format!(
                "{} outdated: somebody else removed annotation projsync.dev/revision from the Pod template {} times. It is written again once the content changes or the owner changes the template otherwise.",
                count_pods(facts.outdated()),
                contest.removals
            ),
        )
    })
}

#[cfg(test)]
mod tests;
