//! Where every outdated Pod is of an older template: a roll would replace none of them,
//! since the workload's controller does so already, or will when it is let.

use crate::core::object::workload::Update;
use crate::core::plan::decision::Answer;
use crate::core::plan::facts::ManagedFacts;
use crate::core::plan::words::outdated;

/// The condition of all guards in here.
fn left_to_controller(facts: &ManagedFacts<'_>) -> bool {
    facts.to_replace().next().is_none()
}

pub(in crate::core::plan) fn paused(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (left_to_controller(facts) && facts.view.workload.paused).then(|| {
        Answer::hold(
            facts,
            "the Deployment is paused; its rollout goes on once it is resumed.",
        )
    })
}

pub(in crate::core::plan) fn awaiting_deletion(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let on_delete = facts.view.workload.update == Update::OnDelete;
    (left_to_controller(facts) && on_delete).then(|| {
        Answer::hold(
            facts,
            "the update strategy is OnDelete, so a Pod is replaced only when somebody deletes it.",
        )
    })
}

/// The rollout waits for a Pod that can't run, or its controller says that it is stuck.
pub(in crate::core::plan) fn blocked(facts: &ManagedFacts<'_>) -> Option<Answer> {
    if !left_to_controller(facts) {
        return None;
    }
    let workload = facts.view.workload;
    // One that replaces Pods in order waits for a broken Pod of an older template too.
    let ordered = matches!(workload.update, Update::Ordinal { ordered: true, .. });
    let broken = facts.pods.iter().find_map(|pod| {
        let waited_for = (pod.current || ordered) && !pod.ready;
        let why = pod.broken.as_ref().filter(|_| waited_for)?;
        Some(format!(
            "the rollout waits for Pod {}, which is in {why}.",
            pod.name
        ))
    });
    let why = broken.or_else(|| {
        let stuck = workload.stuck.as_ref()?;
        Some(format!("the rollout does not go on: {stuck}"))
    })?;
    Some(Answer::hold(facts, why))
}

pub(in crate::core::plan) fn held_by_partition(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let Update::Ordinal { partition, .. } = facts.view.workload.update else {
        return None;
    };
    let held = partition > 0 && facts.outdated().all(|pod| is_below(&pod.name, partition));
    (left_to_controller(facts) && held).then(|| {
        let why =
            format!("the update strategy's partition, {partition}, holds lower ordinals back.");
        Answer::hold(facts, why)
    })
}

/// Whether the ordinal in a Pod's name is below the partition.
fn is_below(pod: &str, partition: i64) -> bool {
    let ordinal = pod.rsplit('-').next().and_then(|text| text.parse().ok());
    ordinal.is_some_and(|ordinal: i64| ordinal < partition)
}

pub(in crate::core::plan) fn being_replaced(facts: &ManagedFacts<'_>) -> Option<Answer> {
    left_to_controller(facts).then(|| {
        Answer::nothing(outdated(
            facts,
            "a rollout is under way, and the workload's controller replaces old Pods.",
        ))
    })
}

#[cfg(test)]
mod tests;
