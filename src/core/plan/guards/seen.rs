//! What has to be seen first, by Projsync or by the workload's controller.

use crate::core::history::record::Origin;
use crate::core::plan::decision::Answer;
use crate::core::plan::facts::ManagedFacts;

/// The template that the watch shows is older than the one that was written.
pub(in crate::core::plan) fn own_write_not_seen(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (facts.record.written > facts.view.workload.rv).then(|| {
        Answer::wait(
            "Projsync has rolled the workload and waits until its watch shows the new template.",
        )
    })
}

/// What a source holds is not known, or only from before a restart.
pub(in crate::core::plan) fn source_not_read(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let mut tracks = facts.record.tracks.iter();
    let (key, _) =
        tracks.find(|(_, track)| track.timeline.is_none() || track.origin != Origin::Followed)?;
    let (kind, name) = &key.source;
    Some(Answer::wait(format!(
        "{kind}/{name} has not been read yet."
    )))
}

/// A workload is in sync only with the last edit. What is outdated all the same is
/// not kept from its roll.
pub(in crate::core::plan) fn edit_not_read(facts: &ManagedFacts<'_>) -> Option<Answer> {
    let (kind, name) = facts.unread?;
    facts.outdated().next().is_none().then(|| {
        Answer::wait(format!(
            "{kind}/{name} was edited and has not been read since."
        ))
    })
}

/// Which Pods are of the current template is not known before.
pub(in crate::core::plan) fn template_not_observed(facts: &ManagedFacts<'_>) -> Option<Answer> {
    (!facts.view.observed).then(|| {
        Answer::wait("The workload's controller has not yet observed the current Pod template.")
    })
}

#[cfg(test)]
mod tests;
