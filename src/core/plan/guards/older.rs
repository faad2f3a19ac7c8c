//! Where every outdated Pod is of an older template: a roll would replace none of them,
//! since the workload's controller does so already, or will when it is let.

use crate::core::object::workload::Update;
use crate::core::plan::decision::Answer;
use crate::core::plan::facts::ManagedFacts;
use crate::core::plan::pods::PodFacts;
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

/// The rollout waits for a Pod that can't run or doesn't get ready, or its controller says that it
/// is stuck.
pub(in crate::core::plan) fn blocked(facts: &ManagedFacts<'_>) -> Option<Answer> {
    if !left_to_controller(facts) {
        return None;
    }
    let why = broken(facts).or_else(|| slow(facts)).or_else(|| {
        let stuck = facts.view.workload.stuck.as_ref()?;
        Some(format!("the rollout does not go on: {stuck}"))
    })?;
    Some(Answer::hold(facts, why))
}

/// A Pod that can't run and that the rollout waits for.
fn broken(facts: &ManagedFacts<'_>) -> Option<String> {
    // One that replaces Pods in order waits for a broken Pod of an older template too.
    let update = facts.view.workload.update;
    let ordered = matches!(update, Update::Ordinal { ordered: true, .. });
    let mut waited_for = facts.pods.iter().filter(|pod| pod.current || ordered);
    waited_for.find_map(|pod| {
        let why = pod.unready.as_ref()?.reason(facts.now.mono)?;
        Some(format!(
            "the rollout waits for Pod {}, which is in {why}.{}",
            pod.name,
            came_with_roll(facts, pod)
        ))
    })
}

/// The Pod that is not ready for longest, if each that the rollout may wait for takes too long: while
/// it goes on there are younger ones. A StatefulSet counts Pods of any revision as unavailable, also
/// where it replaces them in parallel (Kubernetes 1.35 and later).
fn slow(facts: &ManagedFacts<'_>) -> Option<String> {
    let ordinal = matches!(facts.view.workload.update, Update::Ordinal { .. });
    let unready = facts.pods.iter().filter_map(|pod| {
        let unready = pod.unready.as_ref().filter(|_| pod.current || ordinal)?;
        Some((unready, pod))
    });
    if !unready
        .clone()
        .all(|(one, _)| one.is_lasting(facts.now.mono))
    {
        return None;
    }
    let (longest, pod) = unready.min_by_key(|(one, _)| one.since.mono)?;
    Some(format!(
        "the rollout waits for Pod {}, which has not been ready since {}.{}",
        pod.name,
        longest.since.server,
        came_with_roll(facts, pod)
    ))
}

/// What to do about a Pod that came with our last roll.
fn came_with_roll(facts: &ManagedFacts<'_>, pod: &PodFacts) -> String {
    let roll = facts.record.roll_of(&facts.view.workload.template);
    match roll.filter(|roll| pod.is_of(roll)) {
        Some(roll) => format!(
            " It came with the roll at {} for {}: if the new value is bad, set it back.",
            roll.time,
            roll.causes.join("; ")
        ),
        None => String::new(),
    }
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
