//! What somebody wishes of the workload.

use crate::api::limits::MAX_USES;
use crate::api::projection::PodState;
use crate::api::rules::Strategy;
use crate::core::plan::decision::{Answer, Verdict};
use crate::core::plan::facts::ManagedFacts;
use crate::core::plan::pods::PodFacts;
use crate::core::plan::words::outdated;
use crate::core::time::Mono;

pub(in crate::core::plan) fn terminating(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (facts.view.workload.terminating).then(|| Answer::nothing("The workload is being deleted."))
}

pub(in crate::core::plan) fn too_many_uses(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (facts.view.workload.too_many_uses).then(|| {
        let message = format!(
            "The Pod template sees ConfigMaps and Secrets in more than {MAX_USES} ways, so the workload is not followed."
        );
        Answer::new(Verdict::Hold, message)
    })
}

pub(in crate::core::plan) fn stopped(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let brake = facts.policy.stopped.as_ref()?;
    Some(Answer::hold(
        facts,
        format_args!("{brake} stops all rolls."),
    ))
}

pub(in crate::core::plan) fn suspended(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (facts.policy.rules.suspend).then(|| Answer::hold(facts, "the policy is suspended."))
}

/// What the kubelet refreshes by itself is waited for; the rest needs somebody.
pub(in crate::core::plan) fn observe_only(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (facts.policy.rules.strategy == Strategy::Observe).then(|| {
        let refreshed = |pod: &PodFacts| pod.until.filter(|_| pod.state != PodState::Stale);
        let times: Option<Vec<Mono>> = facts.outdated().map(refreshed).collect();
        let verdict = match times.and_then(|times| times.into_iter().min()) {
            Some(until) => Verdict::Wait(Some(until)),
            None => Verdict::Hold,
        };
        let why = "the policy's strategy is Observe, so nothing is rolled.";
        Answer::new(verdict, outdated(facts, why))
    })
}

pub(in crate::core::plan) fn paused(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (facts.view.workload.paused).then(|| {
        Answer::hold(
            facts,
            "the Deployment is paused; it is rolled once it is resumed.",
        )
    })
}

#[cfg(test)]
mod tests;
