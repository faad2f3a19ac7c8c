//! Words that several reports use.

use super::objects::PodLine;
use super::output::{Line, Tone};
use crate::api::projection::{PodState, RollRecord, RollState, State};
use crate::cluster::views::Life;
use crate::core::plan::Tally;

/// State of a workload, with its tone.
pub(super) fn state(state: Option<State>) -> Line {
    match state {
        Some(State::InSync) => Line::of(Tone::Good, "InSync"),
        Some(State::Rolling) => Line::of(Tone::Busy, "Rolling"),
        Some(State::Waiting) => Line::of(Tone::Busy, "Waiting"),
        Some(State::Held) => Line::of(Tone::Bad, "Held"),
        Some(State::Unknown) => Line::of(Tone::Busy, "Unknown"),
        Some(State::NotManaged) => Line::of(Tone::Faint, "NotManaged"),
        None => Line::of(Tone::Faint, "Pending"),
    }
}

/// How a roll went, with its tone: `Failed: CrashLoopBackOff of Pod web-1`.
pub(super) fn roll(roll: &RollRecord) -> Line {
    let line = match roll.state {
        RollState::Rolling => Line::of(Tone::Busy, "Rolling"),
        RollState::Complete => Line::plain("Complete"),
        RollState::Good => Line::of(Tone::Good, "Good"),
        RollState::Failed => Line::of(Tone::Bad, "Failed"),
        RollState::Stuck => Line::of(Tone::Bad, "Stuck"),
    };
    let Some(trouble) = &roll.trouble else {
        return line;
    };
    let pod = trouble.pod.as_ref();
    let pod = pod.map_or_else(String::new, |pod| format!(" of Pod {pod}"));
    line.then(Tone::Plain, format!(": {}{pod}", trouble.reason))
}

/// State of a Pod, with its tone.
pub(super) fn pod_state(pod: &PodLine) -> Line {
    match (pod.life, pod.state) {
        (Life::Terminating, _) => Line::of(Tone::Faint, "Terminating"),
        (Life::Finished, _) => Line::of(Tone::Faint, "Finished"),
        (Life::Active, Some(PodState::Fresh)) => Line::of(Tone::Good, "Fresh"),
        (Life::Active, Some(PodState::Stale)) => Line::of(Tone::Bad, "Stale"),
        (Life::Active, Some(PodState::Refreshing)) => Line::of(Tone::Busy, "Refreshing"),
        (Life::Active, Some(PodState::Unknown)) => Line::of(Tone::Busy, "Unknown"),
        (Life::Active, None) => Line::default(),
    }
}

/// `1 Fresh, 2 Stale`; `none` without Pods.
pub(super) fn pods(tally: &Tally) -> Line {
    let named = [
        (tally.fresh, "Fresh", Tone::Plain),
        (tally.stale, "Stale", Tone::Bad),
        (tally.refreshing, "Refreshing", Tone::Busy),
        (tally.unknown, "Unknown", Tone::Busy),
    ];
    let mut line = Line::default();
    for (count, name, tone) in named.into_iter().filter(|(count, ..)| *count > 0) {
        let comma = if line.is_empty() { "" } else { ", " };
        let count = format!("{count} {name}");
        line = line.then(Tone::Plain, comma).then(tone, count);
    }
    match line.is_empty() {
        true => Line::plain("none"),
        false => line,
    }
}

/// `container web`, `containers web, proxy`.
pub(super) fn in_containers(containers: &[String]) -> String {
    match containers {
        [] => String::new(),
        [one] => format!("container {one}"),
        all => format!("containers {}", all.join(", ")),
    }
}
