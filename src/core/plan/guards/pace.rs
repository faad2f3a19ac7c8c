//! How soon and how often a workload is rolled.

use std::time::Duration;

use crate::core::history::record::base_of;
use crate::core::history::timeline::Timeline;
use crate::core::plan::act::roll;
use crate::core::plan::decision::Answer;
use crate::core::plan::facts::ManagedFacts;
use crate::core::time::Mono;

/// How many times our annotation may be removed before we stop putting it back.
pub(super) const REMOVALS: u32 = 2;

/// How long it takes for sure until the server's clock shows a later second than
/// that of something just received.
const UNTIL_LATER_SECOND: Duration = Duration::from_secs(2);

/// Collects edits into one roll, from the first edit.
pub(in crate::core::plan) fn settling(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let settle = facts.policy.rules.settle;
    let until = (first_edit(facts)? + settle.get()).max(second_is_over(facts));
    Answer::until(
        facts,
        until,
        format_args!("edits are collected for {settle} after the first one."),
    )
}

/// When we learned of the first edit that a Pod to be replaced lacks.
fn first_edit(facts: &ManagedFacts<'_>) -> Option<Mono> {
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
fn second_is_over(facts: &ManagedFacts<'_>) -> Mono {
    let outdated = facts.to_replace().flat_map(|pod| &pod.outdated);
    outdated
        .filter_map(|(key, _)| facts.record.tracks.get(key)?.timeline.as_ref())
        .map(Timeline::newest)
        .filter(|newest| newest.since.rv.is_none())
        .map(|newest| newest.received + UNTIL_LATER_SECOND)
        .max()
        .unwrap_or_default()
}

pub(in crate::core::plan) fn minimum_interval(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let interval = facts.policy.rules.min_interval;
    let until = facts.record.last_roll? + interval.get();
    Answer::until(
        facts,
        until,
        format_args!("two rolls are at least {interval} apart."),
    )
}

/// Somebody removes our annotation as often as we write it.
pub(in crate::core::plan) fn contested(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let contest = &facts.record.contest;
    let revision = contest.revision.as_deref()?;
    let same_content = roll::base(facts).as_deref() == Some(base_of(revision));
    (contest.removals >= REMOVALS && same_content).then(|| {
        Answer::hold(
            facts,
            format_args!(
                "somebody else has removed the annotation projsync.dev/revision from the Pod template {} times. It is written again once the content changes, or once its owner changes the template otherwise.",
                contest.removals
            ),
        )
    })
}

#[cfg(test)]
mod tests;
