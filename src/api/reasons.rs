//! Why: one list of reasons for decisions, conditions, Events and metrics.

use std::fmt;

/// A doc comment begins with a blank.
const fn trim(doc: &'static str) -> &'static str {
    match doc.as_bytes() {
        [b' ', ..] => doc.split_at(1).1,
        _ => doc,
    }
}

/// Declares [`Reason`] so that each reason is written down once, with its sentence.
macro_rules! reasons {
    ($(#[doc = $doc:literal] $name:ident,)+) => {
        /// Why something was done, or was not.
        ///
        /// The same constants are seen in the decision and the conditions of a
        /// [`Projection`](crate::api::Projection), in Events and in metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $doc] $name,)+
        }

        impl Reason {
            /// Every reason, in the order in which the documentation lists them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The constant, as `reason` fields spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What it means.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$name => trim($doc),)+
                }
            }
        }
    };
}

reasons! {
    /// The first lists of the watches are not complete, so nothing is decided yet.
    CachesNotSynced,
    /// The operator has not yet seen its own last write of the workload come back.
    OwnWriteNotSeen,
    /// No policy selects the workload, or its annotation says that it is not to be managed.
    NotManaged,
    /// The workload's annotation names a policy that does not exist.
    PolicyNotFound,
    /// The policy is invalid, so it selects nothing.
    PolicyInvalid,
    /// A source that the workload projects has not been read yet, or not since its last edit.
    SourceNotRead,
    /// A required ConfigMap or Secret does not exist: Pods could not start.
    SourceMissing,
    /// A required key does not exist in its ConfigMap or Secret: Pods could not start.
    KeyMissing,
    /// No Pod is outdated.
    InSync,
    /// The workload's controller has not yet observed the Pod template.
    TemplateNotObserved,
    /// Every outdated Pod belongs to an older template: the workload's controller replaces them.
    BeingReplaced,
    /// The outdated Pods wait until they are deleted, as the update strategy OnDelete asks.
    AwaitingDeletion,
    /// The outdated Pods are held back by the partition of the StatefulSet's update strategy.
    HeldByPartition,
    /// The StatefulSet's rollout waits for a Pod that does not become ready.
    Blocked,
    /// The policy is suspended.
    Suspended,
    /// The policy's strategy is Observe: outdated Pods are reported, not replaced.
    ObserveOnly,
    /// The Deployment is paused.
    Paused,
    /// The content has changed; edits are collected until the policy's settle time has passed.
    Settling,
    /// The workload was rolled less than the policy's minInterval ago.
    MinimumInterval,
    /// Somebody else keeps removing the revision annotation from the Pod template.
    Contested,
    /// Projected content has changed, and Pods have old content.
    ContentChanged,
    /// The API server refused the roll.
    RollFailed,
    /// A source could not be read.
    ReadFailed,
    /// What Pods started with can't be told any more.
    StateUnknown,
    /// The workload is being deleted.
    Terminating,
    /// The policy is valid and in force.
    Accepted,
    /// A label selector of the policy is invalid.
    InvalidSelector,
    /// A name pattern of the policy is invalid.
    InvalidPattern,
    /// A duration of the policy is out of its bounds.
    InvalidDuration,
    /// The object can't be decoded: it was written for another version of the resource.
    Undecodable,
}

impl Reason {
    /// Whether a workload asks to be managed in a way that can't be.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::PolicyNotFound | Self::PolicyInvalid)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_is_a_valid_reason_and_has_a_sentence() {
        let mut seen = BTreeSet::new();
        for reason in Reason::ALL {
            // metav1.Condition: ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
            assert!(reason.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(reason.description().ends_with('.'), "{reason}");
            assert!(!reason.description().starts_with(' '), "{reason}");
            assert!(seen.insert(reason.as_str()), "{reason} twice");
        }
    }
}
