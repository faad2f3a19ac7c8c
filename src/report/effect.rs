//! Effects of a change of content.

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
use crate::core::policy::{Effective, PolicyId, Selected};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::Class;

/// Effect on a consumer when keys that it sees change, in order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// Nothing happens: it has ended or is being deleted.
    None,
    /// Only Pods of an older template see it, which go with that.
    Replaced,
    /// The kubelet refreshes its files.
    Refreshed,
    /// The kubelet refreshes its files, and Projsync rolls it too.
    RefreshedAndRolled,
    /// Projsync rolls it, which it needs.
    Rolled,
    /// Its next run has the new content; a current run keeps the old.
    NextRun,
    /// It must be rolled, which Projsync would delay for a reason.
    Held,
    /// It must be rolled by hand.
    ToRoll,
    /// It must be deleted and created again by hand.
    ToRecreate,
}

impl Effect {
    /// Effect on a workload, and the reason if it would be held.
    #[must_use]
    pub fn on_workload(workload: &Workload, uses: &Uses) -> (Self, Option<Reason>) {
        let decision = decision(workload, uses);
        let verdict = decision.as_ref().map(|d| (&d.verdict, d.reason));
        let effect = match (verdict, uses.class) {
            (Some((_, Reason::Terminating)), _) => Self::None,
            (Some((Verdict::Act(_) | Verdict::Wait(_), _)), Class::Frozen) => Self::Rolled,
            (Some((Verdict::Act(_) | Verdict::Wait(_), _)), Class::Live) => {
                Self::RefreshedAndRolled
            }
            (Some((Verdict::Nothing, _) | (_, Reason::ObserveOnly)) | None, Class::Frozen) => {
                Self::ToRoll
            }
            (Some((Verdict::Hold, reason)), Class::Frozen) => return (Self::Held, Some(reason)),
            (_, Class::Live) => Self::Refreshed,
        };
        (effect, None)
    }

    /// Effect on a Pod that no workload owns.
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

    /// The effect in words that follow the name of a consumer.
    #[must_use]
    pub fn describe(self, reason: Option<&str>) -> String {
        let text = match self {
            Self::None => "has ended, or is about to",
            Self::Replaced => "keeps what it has until Pods of an older template are replaced",
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

    /// Returns whether somebody has to do something.
    #[must_use]
    pub const fn needs_somebody(self) -> bool {
        matches!(self, Self::Held | Self::ToRoll | Self::ToRecreate)
    }
}

/// Projsync's decision if only this source changed now: the operator's own code decides, on a Pod
/// without the change. `None` if the workload is not managed or its policy excludes the source.
fn decision(workload: &Workload, uses: &Uses) -> Option<Decision> {
    workload.record(uses)?;
    let policy = workload.status()?.policy.as_ref()?;
    let selected = Selected::Managed(Arc::new(Effective {
        rules: policy.rules.clone(),
        stopped: policy.stopped_by.as_deref().map(PolicyId::cluster),
        ..Effective::defaults()
    }));
    let object = Arc::new(workload.object.clone());
    let key = TrackKey {
        source: (uses.source.kind, uses.source.name.as_str().into()),
        class: uses.class,
    };
    let pod = PodFacts {
        name: Arc::default(),
        uid: Arc::default(),
        current: true,
        state: PodState::Stale,
        outdated: vec![(key, 0)],
        unknown: Vec::new(),
        doubtful: Vec::new(),
        revision: None,
        unready: None,
        until: None,
        refreshed: false,
    };
    Some(decide(&Facts {
        synced: true,
        unlisted: None,
        view: &View {
            workload: &object,
            selected: &selected,
            references: &object.references,
            pods: Vec::new(),
            observed: true,
            absent: None,
        },
        record: &Record::new(object.uid.clone()),
        pods: &[pod],
        unread: None,
        // Of the revision, which nobody reads here.
        key: &DigestKey::new(&[0; 32]),
        now: Moment {
            mono: Mono::default(),
            server: ServerTime::UNIX_EPOCH,
        },
    }))
}

#[cfg(test)]
mod tests;
