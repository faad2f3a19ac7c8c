//! What to do about each reason.

use crate::api::Reason;

/// What somebody who sees this reason can do, in a sentence or two.
#[must_use]
pub const fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::CachesNotSynced => {
            "Wait: the operator has just started. If it lasts, look at its log for a watch that is refused, usually for want of a ClusterRole."
        }
        Reason::OwnWriteNotSeen => {
            "Wait: it passes within a second. If it lasts, the watch of this kind of workload hangs; see projsync_watch_last_event_age_seconds and the operator's log."
        }
        Reason::NotManaged => {
            "If it is to be managed, select it with a SyncPolicy or annotate it with projsync.dev/sync=\"true\"; an annotation of \"false\" must go."
        }
        Reason::PolicyNotFound => {
            "Create the policy that the annotation projsync.dev/sync names, or correct the annotation."
        }
        Reason::PolicyInvalid => {
            "Look at the policy's condition Accepted, which says what is wrong with it, and correct that."
        }
        Reason::SourceNotRead => {
            "Wait: it passes within moments. If it lasts, look for ReadFailed in Events and in the operator's log."
        }
        Reason::SourceMissing => {
            "Create the ConfigMap or Secret, correct its name in the Pod template, or mark the reference optional. Nothing is rolled before, since new Pods could not start."
        }
        Reason::KeyMissing => {
            "Add the key to the ConfigMap or Secret, correct its name in the Pod template, or mark the reference optional. Nothing is rolled before, since new Pods could not start."
        }
        Reason::InSync => "Nothing: all is well.",
        Reason::TemplateNotObserved => {
            "Wait: the workload's controller has not caught up. If it lasts, check that kube-controller-manager runs."
        }
        Reason::BeingReplaced => "Wait for the rollout; `kubectl rollout status` follows it.",
        Reason::AwaitingDeletion => {
            "Delete the outdated Pods when it suits you: with the update strategy OnDelete nobody else does."
        }
        Reason::HeldByPartition => {
            "Lower spec.updateStrategy.rollingUpdate.partition of the StatefulSet when its lower ordinals may be replaced too."
        }
        Reason::Blocked => {
            "Look at the Pod that the message names: correct what keeps it from becoming ready. Of a StatefulSet also delete that Pod, since its controller waits for it."
        }
        Reason::Suspended => {
            "Set spec.suspend of the policy to false when rolls are wanted again; everything outdated is then rolled."
        }
        Reason::ObserveOnly => {
            "Roll the workload yourself (kubectl rollout restart), or set the policy's strategy to Rollout to have it done."
        }
        Reason::Paused => "Resume the Deployment (kubectl rollout resume) when it may be rolled.",
        Reason::Settling => {
            "Wait: it is rolled when the policy's settle time has passed. Shorten spec.settle if edits never come in bursts."
        }
        Reason::MinimumInterval => {
            "Wait: it is rolled when the policy's minInterval since its last roll has passed. If it is seen often, find out what keeps editing the source."
        }
        Reason::Contested => {
            "Find who removes the annotation projsync.dev/revision from the Pod template, usually a tool that applies the whole object, and have it leave that field alone. The next change of content is rolled again."
        }
        Reason::ContentChanged => {
            "Nothing: the workload is being rolled. The message names the keys that changed."
        }
        Reason::RollFailed => {
            "Read the API server's answer in the message: usually an admission webhook, a quota or a missing right refuses the patch. It is tried again."
        }
        Reason::ReadFailed => {
            "Read the API server's answer in the message; usually the operator lacks the right to get the source. It is tried again, and nothing is rolled for it."
        }
        Reason::StateUnknown => {
            "Nothing has to be done: the Pods count as having the first content known, and are brought up to date with its next change. To be sure at once, run kubectl rollout restart."
        }
        Reason::Terminating => {
            "Nothing: the workload is on its way out. If it stays, a finalizer holds it."
        }
        Reason::Accepted => "Nothing: the policy is in force.",
        Reason::InvalidSelector => {
            "Correct the label selector that the message names: an operator is unknown, or a key or value is no label's."
        }
        Reason::InvalidPattern => {
            "Correct the name pattern that the message names: a bracket or brace is left open, for example."
        }
        Reason::InvalidDuration => {
            "Correct the duration that the message names; the bounds are in the message too."
        }
        Reason::Undecodable => {
            "Apply the CustomResourceDefinitions of the operator's version, and write the object anew for it."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_advice_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let text = advice(*reason);
            assert!(text.ends_with('.'), "{reason}");
            assert!(
                !text.contains(['\n', '|']),
                "{reason}: it goes into a table"
            );
            assert!(seen.insert(text), "{reason}");
        }
    }
}
