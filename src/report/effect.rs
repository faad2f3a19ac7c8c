//! What a change of content would bring about.

use std::sync::Arc;

use serde::Serialize;

use super::objects::{Pod, Workload};
use super::uses::Uses;
use crate::api::Reason;
use crate::api::projection::PodState;
use crate::cluster::views::Life;
use crate::core::content::digest::DigestKey;
use crate::core::history::record::{Record, TrackKey};
use crate::core::index::View;
use crate::core::plan::{Decision, Facts, PodFacts, Verdict, decide};
use crate::core::policy::{Effective, Selected};
use crate::core::time::Mono;
use crate::kinds::Class;

/// What happens to a consumer when the keys that it sees change, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// Nothing: it has ended, or is being deleted.
    None,
    /// The kubelet refreshes its files.
    Refreshed,
    /// The kubelet refreshes its files, and Projsync rolls it all the same.
    RefreshedAndRolled,
    /// Projsync rolls it, which is needed.
    Rolled,
    /// Its next run has the new content; the one under way keeps the old.
    NextRun,
    /// It must be rolled, which Projsync would put off for some reason.
    Held,
    /// It must be rolled, and nobody does it.
    ToRoll,
    /// It must be deleted and created again, and nobody does it.
    ToRecreate,
}

impl Effect {
    /// What a workload has to expect, and why where it is held.
    #[must_use]
    pub fn on_workload(workload: &Workload, uses: &Uses) -> (Self, Option<Reason>) {
        let decision = decision(workload, uses);
        let verdict = decision.as_ref().map(|d| (&d.verdict, d.reason));
        let effect = match (verdict, uses.class) {
            (Some((_, Reason::Terminating)), _) => Self::None,
            (Some((Verdict::Roll(_) | Verdict::Wait(_), _)), Class::Frozen) => Self::Rolled,
            (Some((Verdict::Roll(_) | Verdict::Wait(_), _)), Class::Live) => {
                Self::RefreshedAndRolled
            }
            (Some((Verdict::Hold, reason)), Class::Frozen) => return (Self::Held, Some(reason)),
            (Some((Verdict::Nothing, _)) | None, Class::Frozen) => Self::ToRoll,
            (_, Class::Live) => Self::Refreshed,
        };
        (effect, None)
    }

    /// What a Pod has to expect that no workload owns.
    #[must_use]
    pub fn on_pod(pod: &Pod, class: Class) -> Self {
        let owner = pod.object.owner.as_ref();
        match (pod.life, class) {
            (Life::Finished, _) => Self::None,
            (_, Class::Live) => Self::Refreshed,
            (_, Class::Frozen) if owner.is_some_and(|owner| &*owner.kind == "Job") => Self::NextRun,
            (_, Class::Frozen) => Self::ToRecreate,
        }
    }

    /// In words that follow the name of a consumer.
    #[must_use]
    pub fn describe(self, reason: Option<&str>) -> String {
        let text = match self {
            Self::None => "has ended, or is about to",
            Self::Refreshed => "sees it without a restart, within about a minute",
            Self::RefreshedAndRolled => "sees it without a restart, and is rolled by Projsync too",
            Self::Rolled => "is rolled by Projsync",
            Self::NextRun => "sees it in its next run",
            Self::Held => "must be rolled, which Projsync puts off",
            Self::ToRoll => "must be rolled by hand (kubectl rollout restart)",
            Self::ToRecreate => "must be deleted and created again by hand",
        };
        match reason {
            Some(reason) => format!("{text}: {reason}"),
            None => text.to_owned(),
        }
    }

    /// Whether somebody has to do something.
    #[must_use]
    pub const fn needs_somebody(self) -> bool {
        matches!(self, Self::Held | Self::ToRoll | Self::ToRecreate)
    }
}

/// What Projsync would decide if this source changed now and nothing else did: the
/// operator's own decision, of a Pod that lacks the change. `None` where it doesn't
/// manage the workload, or its policy leaves the source out.
fn decision(workload: &Workload, uses: &Uses) -> Option<Decision> {
    workload.record(uses)?;
    let policy = workload.status()?.policy.as_ref()?;
    let selected = Selected::Managed(Arc::new(Effective {
        strategy: policy.strategy,
        suspend: policy.suspend,
        ..Effective::defaults()
    }));
    let object = Arc::new(workload.object.clone());
    let key = TrackKey {
        source: (uses.source.kind, uses.source.name.as_str().into()),
        class: uses.class,
    };
    let pod = PodFacts {
        name: Arc::default(),
        current: true,
        state: PodState::Stale,
        outdated: vec![(key, 0)],
        unknown: Vec::new(),
        doubtful: Vec::new(),
        revision: None,
        ready: true,
        broken: None,
        until: None,
        refreshed: false,
    };
    Some(decide(&Facts {
        synced: true,
        view: &View {
            workload: &object,
            selected: &selected,
            references: &object.references,
            pods: Vec::new(),
            observed: true,
        },
        record: &Record::new(object.uid.clone()),
        pods: &[pod],
        unread: None,
        // Of the revision, which nobody reads here.
        key: &DigestKey::new(&[0; 32]),
        now: Mono::default(),
    }))
}

#[cfg(test)]
mod tests;
