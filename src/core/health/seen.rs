//! What a roll is judged by.

use std::time::Duration;

use crate::core::history::record::TrackKey;
use crate::core::index::View;
use crate::core::object::pod::Pod;
use crate::core::time::Moment;

/// What a roll is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The workload and its Pods.
    pub view: &'a View<'a>,
    /// The names of the Pods that are outdated.
    pub outdated: &'a [&'a str],
    /// The references of which they lack the newest content.
    pub lacked: &'a [&'a TrackKey],
    /// Now, by both clocks.
    pub now: Moment,
    /// A moment before which everything has been seen for sure.
    pub until: Option<Moment>,
    /// How long a roll has to stay healthy before its content counts as good.
    pub soak: Duration,
    /// How long a roll may make no progress.
    pub deadline: Duration,
}

/// Those of the Pods that the roll has started which have its content: where that has changed,
/// a container that started again by itself has other content.
pub(super) fn with_its_content<'a>(seen: &Seen<'a>) -> impl Iterator<Item = &'a Pod> {
    let outdated = seen.outdated;
    new_pods(seen.view).filter(move |pod| outdated.is_empty() || outdated.contains(&&*pod.name))
}

/// The Pods that the roll has started.
pub(super) fn new_pods<'a>(view: &'a View<'_>) -> impl Iterator<Item = &'a Pod> + Clone {
    let revision = &view.workload.template.revision;
    let pods = view.pods.iter();
    pods.filter(|(pod, current)| pod.active && *current)
        .map(|(pod, _)| *pod)
        .filter(move |pod| pod.revision == *revision)
}
