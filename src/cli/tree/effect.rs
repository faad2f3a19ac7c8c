//! What happens to a consumer when the key that it sees changes.

use serde::Serialize;

use crate::api::policy::Strategy;
use crate::api::projection::ProjectionStatus;
use crate::cli::objects::Owner;
use crate::kinds::Class;

/// What a change of content brings about, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effect {
    /// Nothing: its containers have ended.
    None,
    /// The kubelet refreshes its files.
    Refreshed,
    /// The kubelet refreshes its files, and Projsync rolls it all the same.
    RefreshedAndRolled,
    /// Projsync rolls it, which is needed.
    Rolled,
    /// Its next run has the new content; the one under way keeps the old.
    NextRun,
    /// It must be rolled, which Projsync does once its policy is resumed.
    Suspended,
    /// It must be rolled, and nobody does it.
    ToRoll,
    /// It must be deleted and created again, and nobody does it.
    ToRecreate,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::Refreshed,
        Self::RefreshedAndRolled,
        Self::Rolled,
        Self::NextRun,
        Self::Suspended,
        Self::ToRoll,
        Self::ToRecreate,
    ];

    /// In words that follow the name of a consumer.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::None => "has ended",
            Self::Refreshed => "sees it without a restart, within about a minute",
            Self::RefreshedAndRolled => "sees it without a restart; Projsync rolls it all the same",
            Self::Rolled => "is rolled by Projsync",
            Self::NextRun => "sees it in its next run",
            Self::Suspended => "must be rolled: Projsync does it once its policy is resumed",
            Self::ToRoll => "must be rolled by hand (kubectl rollout restart)",
            Self::ToRecreate => "must be created anew by hand",
        }
    }

    /// Whether somebody has to do something.
    #[must_use]
    pub const fn needs_somebody(self) -> bool {
        matches!(self, Self::Suspended | Self::ToRoll | Self::ToRecreate)
    }
}

/// Of a workload. `watched` says that Projsync counts the source among what it
/// projects: a policy may leave it out.
#[must_use]
pub fn of_workload(status: Option<&ProjectionStatus>, watched: bool, class: Class) -> Effect {
    let by_itself = match class {
        Class::Live => Effect::Refreshed,
        Class::Frozen => Effect::ToRoll,
    };
    let policy = status
        .filter(|_| watched)
        .and_then(|status| status.policy.as_ref());
    let Some(policy) = policy else {
        return by_itself;
    };
    match (policy.strategy, policy.suspend, class) {
        (Strategy::Observe, _, _) => by_itself,
        (Strategy::Rollout, true, Class::Live) => by_itself,
        (Strategy::Rollout, true, Class::Frozen) => Effect::Suspended,
        (Strategy::Rollout, false, Class::Live) => Effect::RefreshedAndRolled,
        (Strategy::Rollout, false, Class::Frozen) => Effect::Rolled,
    }
}

/// Of a Pod that no workload's template tells of.
#[must_use]
pub fn of_pod(owner: &Owner, class: Class) -> Effect {
    match (class, owner) {
        (Class::Live, _) => Effect::Refreshed,
        (Class::Frozen, Owner::Other { kind, .. }) if kind == "Job" => Effect::NextRun,
        (Class::Frozen, _) => Effect::ToRecreate,
    }
}
