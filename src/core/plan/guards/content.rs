//! What the sources hold, and whether each Pod has it.

use crate::core::content::digest::Missing;
use crate::core::history::record::{Track, TrackKey};
use crate::core::index::SourceName;
use crate::core::plan::decision::{Answer, Verdict};
use crate::core::plan::facts::ManagedFacts;
use crate::core::plan::pods::not_ready;
use crate::core::plan::words::count_pods;
use crate::core::time::Mono;

/// The sources that the policy leaves out are required as well: their content doesn't matter, but
/// no Pod starts without them.
pub(in crate::core::plan) fn source_missing(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let of = |(kind, name): &SourceName| format!("{kind}/{name}");
    let own = missing(facts, |key, missing| match missing {
        Missing::Source => Some(of(&key.source)),
        Missing::Key(_) => None,
    });
    let left_out = || {
        let (name, since) = facts.view.absent?;
        Some((of(name), since))
    };
    hold_back(facts, own.or_else(left_out)?)
}

pub(in crate::core::plan) fn key_missing(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let own = missing(facts, |key, missing| match missing {
        Missing::Source => None,
        Missing::Key(name) => Some(format!("Key {name} of {}/{}", key.source.0, key.source.1)),
    });
    hold_back(facts, own?)
}

/// What is missing, and since when we know.
fn missing(
    facts: &ManagedFacts<'_>,
    name: impl Fn(&TrackKey, &Missing) -> Option<String>,
) -> Option<(String, Mono)> {
    let mut tracks = facts.record.tracks.iter();
    let (what, track) =
        tracks.find_map(|(key, track)| Some((name(key, track.missing.as_ref()?)?, track)))?;
    Some((what, missing_since(track)?))
}

/// Pods are never rolled into a state in which they can't start. What is missing may
/// be in the middle of an edit, so it needs somebody only where it outlasts `settle`. Where no Pod
/// is wanted and none is left, nothing can start and nothing is held.
fn hold_back(facts: &ManagedFacts<'_>, (what, since): (String, Mono)) -> Option<Answer> {
    if facts.pods.is_empty() && facts.view.workload.replicas == 0 {
        return None;
    }
    let announced = since + facts.policy.rules.settle.get();
    let verdict = match facts.now.mono < announced {
        true => Verdict::Wait(Some(announced)),
        false => Verdict::Hold,
    };
    Some(Answer::new(
        verdict,
        format!(
            "{what} is required and does not exist, so new Pods could not start. Create it, or make the reference optional."
        ),
    ))
}

/// When we learned that something required of a source is missing.
fn missing_since(track: &Track) -> Option<Mono> {
    let entries = track.timeline.as_ref()?.entries().iter().rev();
    let first = entries.take_while(|entry| entry.missing).last();
    Some(first.map_or_else(Mono::default, |entry| entry.received))
}

pub(in crate::core::plan) fn in_sync(facts: &ManagedFacts<'_>) -> Option<Answer> {
    if facts.outdated().next().is_some() {
        return None;
    }
    let unknown = facts.pods.iter().filter(|pod| !pod.unknown.is_empty());
    let mut message = match (facts.pods.len(), unknown.count()) {
        (0, _) => "There are no Pods.".to_owned(),
        (_, 0) => "No Pod is outdated.".to_owned(),
        (_, unknown) => format!(
            "No Pod is known to be outdated; what {} started with can't be told.",
            count_pods(unknown)
        ),
    };
    let not_ready = not_ready(facts.view, facts.record, facts.pods).count();
    if let (1.., Some(roll)) = (
        not_ready,
        facts.record.roll_of(&facts.view.workload.template),
    ) {
        message.push_str(&format!(
            " But {not_ready} of {} not ready since the roll for {}: if the new value is bad, set it back.",
            match facts.pods.len() {
                1 => "1 Pod is".to_owned(),
                all => format!("{all} Pods are"),
            },
            roll.causes.join("; ")
        ));
    }
    Some(Answer::nothing(message))
}

#[cfg(test)]
mod tests;
