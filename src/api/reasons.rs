//! Reasons: why something was decided, said or refused; one row each.

use std::fmt;

/// A row of the table of reasons.
#[derive(Debug)]
struct Row {
    name: &'static str,
    qualities: &'static [Quality],
    description: &'static str,
    advice: &'static str,
}

/// What a reason is besides its words; where none is given, it is somebody's wish or all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// Its Event is a Warning: somebody should look at it.
    Warning,
    /// It passes by itself within moments, so it is reported only where it lasts.
    Passing,
    /// It is not reported at all, since what follows tells more.
    Silent,
    /// A rollout goes on, of which the live Pods tell more than a report.
    Rolling,
    /// The workload asks to be managed in a way that is impossible.
    Refusal,
}

/// The type of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// For information.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// Declares [`Reason`] from its rows: name, qualities, meaning, and what to do about it.
macro_rules! reasons {
    ($($name:ident [$($is:ident),*] $description:literal $advice:literal;)+) => {
        /// Why something was done, or was not.
        ///
        /// The same constants are seen in the decision and the conditions of a
        /// [`Projection`](crate::api::Projection), in Events and in metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $description] $name,)+
        }

        impl Reason {
            /// Every reason, in the order in which the documentation lists them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => &Row {
                        name: stringify!($name),
                        qualities: &[$(Quality::$is),*],
                        description: $description,
                        advice: $advice,
                    },)+
                }
            }
        }
    };
}

reasons! {
    CachesNotSynced [Passing, Silent]
        "The operator has just started and has not listed all objects yet, so nothing is decided."
        "Wait: the operator has just started. If it lasts, look at its log for a watch that is refused, usually for want of a ClusterRole.";
    NotListed [Warning]
        "The operator can't list something that the workload needs, so nothing is decided about it."
        "Read the message: it names the right that the operator lacks, or the kind that the API server does not know. What can be listed again is taken in within a minute, without a restart.";
    TooManyUses [Warning]
        "The Pod template sees ConfigMaps and Secrets in too many ways, so the workload is not followed and nothing is rolled."
        "Mount volumes as directories rather than file by file, and split up what one Pod has. What counts is in docs/limits.md.";
    OwnWriteNotSeen [Passing, Rolling]
        "Projsync has rolled the workload and has not yet seen the new template in its watch."
        "Wait: it passes within a second. If it lasts, the watch of this kind of workload hangs; see projsync_watch_last_event_age_seconds and the operator's log.";
    NotManaged []
        "No policy selects the workload, or its annotation says that it is not to be managed."
        "If it is to be managed, select it with a SyncPolicy or annotate it with projsync.dev/sync=\"true\"; an annotation of \"false\" must go.";
    PolicyNotFound [Warning, Refusal]
        "The workload's annotation names a policy that does not exist."
        "Create the policy that the annotation projsync.dev/sync names, or correct the annotation.";
    PolicyInvalid [Warning, Refusal]
        "The policy that the workload's annotation names is invalid."
        "Look at the policy's condition Accepted, which says what is wrong with it, and correct that.";
    SourceNotRead [Passing]
        "A source that the workload projects has not been read yet, or not since its last edit."
        "Wait: it passes within moments. If it lasts, look for ReadFailed in Events and in the operator's log.";
    SourceMissing [Warning]
        "A required ConfigMap or Secret does not exist, so new Pods could not start."
        "Create the ConfigMap or Secret, correct its name in the Pod template, or mark the reference optional. Nothing is rolled before, since new Pods could not start.";
    KeyMissing [Warning]
        "A required key does not exist in its ConfigMap or Secret, so new Pods could not start."
        "Add the key to the ConfigMap or Secret, correct its name in the Pod template, or mark the reference optional. Nothing is rolled before, since new Pods could not start.";
    InSync []
        "No Pod is outdated."
        "Nothing: all is well.";
    TemplateNotObserved [Passing, Rolling]
        "The workload's controller has not yet observed the Pod template."
        "Wait: the workload's controller has not caught up. If it lasts, check that kube-controller-manager runs.";
    BeingReplaced [Rolling]
        "Every outdated Pod belongs to an older template, and the workload's controller is replacing them."
        "Wait for the rollout; `kubectl rollout status` follows it.";
    AwaitingDeletion []
        "Every outdated Pod waits until somebody deletes it, as the update strategy OnDelete asks."
        "Delete the outdated Pods when it suits you: with the update strategy OnDelete nobody else does.";
    HeldByPartition []
        "The partition of the StatefulSet's update strategy holds back the outdated Pods."
        "Lower spec.updateStrategy.rollingUpdate.partition of the StatefulSet when its lower ordinals may be replaced too.";
    Blocked [Warning]
        "The workload's rollout does not go on: it waits for a Pod that does not become ready, or its controller reports no progress."
        "Look at what the message names, and correct what keeps the Pod from becoming ready; if that is a new value, set it back. Of a StatefulSet also delete that Pod, since its controller waits for it.";
    Stopped [Warning]
        "A ClusterSyncPolicy with spec.stop selects the workload: the cluster's administrators have stopped all rolls."
        "Ask the cluster's administrators. Once spec.stop of the ClusterSyncPolicy that the message names is false, or it is deleted, everything outdated is rolled.";
    Suspended []
        "The policy is suspended."
        "Set spec.suspend of the policy to false when rolls are wanted again; everything outdated is then rolled.";
    ObserveOnly []
        "The policy's strategy is Observe: outdated Pods are reported, not replaced."
        "Roll the workload yourself (kubectl rollout restart), or set the policy's strategy to Rollout to have it done.";
    Paused []
        "The Deployment is paused."
        "Resume the Deployment (kubectl rollout resume) when it may be rolled.";
    Settling []
        "The content has changed; edits are collected until the policy's settle time has passed."
        "Wait: it is rolled when the policy's settle time has passed. Shorten spec.settle if edits never come in bursts.";
    MinimumInterval []
        "The workload was rolled less than the policy's minInterval ago."
        "Wait: it is rolled when the policy's minInterval since its last roll has passed. If it is seen often, find out what keeps editing the source.";
    Contested [Warning]
        "Somebody else keeps removing the revision annotation from the Pod template."
        "Find who removes the annotation projsync.dev/revision from the Pod template, usually a tool that applies the whole object or a mutating webhook, and have it leave that field alone. The next change of content is rolled again.";
    Halted [Warning]
        "A change failed in the first workloads that got it, so the others keep what they have."
        "Correct the content, or set it back: the workload that failed gets that first. If the failure has another cause, mend that: once the workload has been healthy for five minutes, another one gets the change. Or set spec.rollout.onFailure of the policy to Continue.";
    Suspect []
        "A container that started with the change seems to fail, so nobody else gets it until that is certain or over."
        "Look at the workload that the message names. It is certain or over within about a minute.";
    NothingProven [Warning]
        "The workloads of an earlier wave can't show whether the change is good: none of them was wholly ready, or none can be rolled."
        "See to it that a workload of that wave can be rolled and is healthy, or take the wave out of the policy.";
    EarlierWave []
        "Other workloads get the change first, and must stay healthy with it for the policy's soak time."
        "Wait: it is rolled when the change is proven there. Their Projections tell how it goes.";
    NoSlot []
        "As many workloads are being rolled as may be at a time."
        "Wait: it is rolled when another is complete. The policy's maxConcurrent and --max-concurrent-rolls set how many.";
    ContentChanged [Passing, Silent]
        "Projected content has changed, and Pods have old content."
        "Nothing: the workload is being rolled. The message names the keys that changed.";
    RollFailed [Warning]
        "The API server refused the roll, or a webhook undid it in the same request."
        "Read the message: usually an admission webhook, a quota or a missing right refuses the patch, or a mutating webhook takes the annotation away. It is tried again.";
    ReadFailed [Warning]
        "A source could not be read."
        "Read the API server's answer in the message; usually the operator lacks the right to get the source. It is tried again, and nothing is rolled for it.";
    StateUnknown [Warning]
        "What some Pods started with can't be told any more."
        "Nothing has to be done: the Pods count as having the first content known, and are brought up to date with its next change. To be sure at once, run kubectl rollout restart.";
    ProjectionTooLarge [Warning]
        "The workload's Projection would be larger than what the API server stores, so it is stored without some of it."
        "Split up what one workload projects. Until then a restart of the operator can't tell all: the condition StateStored says what is left out.";
    ProjectionIgnored [Warning]
        "A Projection of another name says that it is the workload's. It is ignored."
        "Find out who made it, and delete it. Only the operator should have the right to write Projections; config/admission has a policy for that.";
    AnnotationsUndone [Warning]
        "kubectl rollout undo has changed the workload's annotation projsync.dev/sync: it brings back the annotations of an earlier revision."
        "Set the annotation projsync.dev/sync again if the change was not meant. Better select the workload by a policy, which an undo doesn't touch.";
    ServerRestored [Warning]
        "The API server has gone back to an earlier state, as when etcd is restored from a backup."
        "Nothing has to be done: all objects are listed anew and compared by times. Restart other controllers of the cluster; they may hang.";
    Terminating []
        "The workload is being deleted."
        "Nothing: the workload is on its way out. If it stays, a finalizer holds it.";
    Accepted []
        "The policy is valid and in force."
        "Nothing: the policy is in force.";
    InvalidSelector [Warning]
        "A label selector of the policy is invalid."
        "Correct the label selector that the message names: an operator is unknown, or a key or value is no label's.";
    InvalidPattern [Warning]
        "A name pattern of the policy is invalid."
        "Correct the name pattern that the message names: a bracket or brace is left open, for example.";
    InvalidDuration [Warning]
        "A duration of the policy is out of its bounds."
        "Correct the duration that the message names; the bounds are in the message too.";
    InvalidAmount [Warning]
        "An amount of the policy is neither a number nor a percentage."
        "Correct the field that the message names: a number from 1 on, or a percentage from 1% to 100%.";
    TooManyPolicies [Warning]
        "More than 100 SyncPolicies of the namespace come before the policy, so it selects no workload. One that names it in its annotation still has it."
        "Put policies of the namespace together, delete those that are not needed, or raise spec.priority of those that are.";
    Undecodable [Warning]
        "The object can't be decoded: it was written for another version of the resource."
        "Apply the CustomResourceDefinitions of the operator's version, and write the object anew for it.";
}

// === impl Reason ===

impl Reason {
    /// The constant, as `reason` fields spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.row().description
    }

    /// What somebody who sees it can do, in a sentence or two.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        self.row().advice
    }

    /// Whether it is such a reason.
    #[must_use]
    pub fn is(self, what: Quality) -> bool {
        self.row().qualities.contains(&what)
    }

    /// The type of the Events that it is the reason of.
    #[must_use]
    pub fn event_type(self) -> EventType {
        match self.is(Quality::Warning) {
            true => EventType::Warning,
            false => EventType::Normal,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl EventType ===

impl EventType {
    /// The constant, as the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_name_a_meaning_and_advice_of_its_own() {
        let mut seen = BTreeSet::new();
        for reason in Reason::ALL {
            // metav1.Condition: ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
            assert!(reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(seen.insert(reason.as_str()), "{reason}");
            for text in [reason.description(), reason.advice()] {
                assert!(text.ends_with('.'), "{reason}");
                let in_a_table = !text.contains(['\n', '|']) && text.trim() == text;
                assert!(in_a_table, "{reason}");
                assert!(seen.insert(text), "{reason}");
            }
        }
    }

    #[test]
    fn what_is_not_reported_passes_by_itself() {
        let silent: Vec<_> = Reason::ALL
            .iter()
            .filter(|one| one.is(Quality::Silent))
            .collect();
        assert!(!silent.is_empty());
        assert!(silent.iter().all(|reason| reason.is(Quality::Passing)));
    }
}
