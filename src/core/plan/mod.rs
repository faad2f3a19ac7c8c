//! Deciding: a chain of small guards over the facts about one workload.
//!
//! A decision is a pure function of (workload, references and timelines, Pods,
//! policy, history, now). The first guard that answers decides; where none does,
//! the workload is rolled. Events, conditions, metrics and the command line show
//! the same reason and sentence.

mod act;
mod decision;
mod facts;
mod gated;
mod guards;
mod pods;
mod unready;
mod words;

use std::time::Duration;

pub use act::{Act, Plan};
use decision::Answer;
pub use decision::{Decision, Verdict};
use facts::ManagedFacts;
pub use facts::{Facts, Unlisted};
pub use gated::gated;
use guards::{content, older, pace, seen, wishes};
pub use pods::{PodFacts, Tally, assess, not_ready};
pub use unready::Unready;
pub use words::count_pods;
use words::outdated;

use crate::api::reasons::Reason::{self, *};
use crate::core::policy::Selected;
use crate::core::time::Mono;

/// How long the kubelet may take to refresh a mounted directory, unless told.
pub const REFRESH_BOUND: Duration = Duration::from_secs(120);

/// How long something may not be listed before it is told: an API server that has just
/// started denies what it allows a moment later.
const DENIAL: Duration = Duration::from_secs(5);

/// A guard, with the reason for which it keeps a managed workload from being rolled.
type Guard = (Reason, fn(&ManagedFacts<'_>) -> Option<Answer>);

/// In this order: an earlier guard's answer makes the later ones' moot.
const CHAIN: &[Guard] = &[
    (Terminating, wishes::terminating),
    (TooManyUses, wishes::too_many_uses),
    (OwnWriteNotSeen, seen::own_write_not_seen),
    (SourceNotRead, seen::source_not_read),
    (SourceMissing, content::source_missing),
    (KeyMissing, content::key_missing),
    (SourceNotRead, seen::edit_not_read),
    (InSync, content::in_sync),
    (TemplateNotObserved, seen::template_not_observed),
    // Where every outdated Pod is of an older template, a roll would replace none.
    (Paused, older::paused),
    (AwaitingDeletion, older::awaiting_deletion),
    (Blocked, older::blocked),
    (HeldByPartition, older::held_by_partition),
    (BeingReplaced, older::being_replaced),
    // From here on a roll would.
    (Stopped, wishes::stopped),
    (Suspended, wishes::suspended),
    (ObserveOnly, wishes::observe_only),
    (Paused, wishes::paused),
    (Settling, pace::settling),
    (MinimumInterval, pace::minimum_interval),
    (Contested, pace::contested),
];

/// Decides about one workload.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Decision {
    // Which policy is in force isn't known before.
    if !facts.synced {
        let answer = Answer::wait("The operator has just started and is still listing objects.");
        return answer.because(CachesNotSynced);
    }
    if let Some(unlisted) = facts.unlisted {
        return not_listed(unlisted, facts.now.mono);
    }
    let policy = match facts.view.selected {
        Selected::Managed(policy) => policy,
        Selected::NotManaged { reason, message } => {
            return Answer::nothing(message).because(*reason);
        }
    };
    let facts = ManagedFacts { facts, policy };
    CHAIN
        .iter()
        .find_map(|(reason, guard)| Some(guard(&facts)?.because(*reason)))
        .unwrap_or_else(|| roll(&facts))
}

/// Nothing is decided on half knowledge.
#[must_use]
pub fn not_listed(unlisted: &Unlisted, now: Mono) -> Decision {
    let told = unlisted.since + DENIAL;
    let verdict = match now < told {
        true => Verdict::Wait(Some(told)),
        false => Verdict::Hold,
    };
    Answer::new(verdict, &*unlisted.why).because(NotListed)
}

/// What is decided where no guard is in the way.
fn roll(facts: &ManagedFacts<'_>) -> Decision {
    let Some(plan) = Plan::of(facts) else {
        // The guard that waits for unread sources has answered before.
        return Answer::wait("A source has not been read yet.").because(SourceNotRead);
    };
    let message = outdated(facts, format_args!("{} changed.", plan.causes.join("; ")));
    Answer::new(Verdict::Act(Act::Roll(plan)), message).because(ContentChanged)
}

#[cfg(test)]
mod tests;
