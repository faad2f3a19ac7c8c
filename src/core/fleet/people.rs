//! What people say about the changes of a source, and what was remembered of it.

use std::fmt;

use crate::api::SyncRollout;
use crate::api::sync_rollout::Halt;
use crate::kinds::Rv;

/// What people say about the changes of one source, with what its SyncRollout remembers.
///
/// A change that is no resource version names none, so what is said of it has no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Nobody is rolled for the source.
    pub paused: bool,
    /// The change that may go on to waves which need approval.
    pub approved: Option<Approved>,
    /// The change that everybody is to have at once.
    pub roll_now: Option<Rv>,
    /// Workloads whose failures stop nobody else.
    pub ignored: Vec<Muted>,
    /// The newest change for which an approval counted.
    pub accepted: Option<Rv>,
    /// The change that was stopped, and why.
    pub halt: Option<(Rv, Halt)>,
}

/// An approval of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The change.
    pub change: Rv,
    /// Last wave that it may reach; `None` for all.
    pub through: Option<String>,
}

/// A workload whose failures with one change stop nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Muted {
    /// Kind and name, as in `Deployment/web`.
    pub workload: String,
    /// The change.
    pub change: Rv,
}

// === impl People ===

impl People {
    /// What a SyncRollout says.
    #[must_use]
    pub fn of(rollout: &SyncRollout) -> Self {
        let spec = &rollout.spec;
        let status = rollout.status.as_ref();
        Self {
            paused: spec.paused,
            approved: spec.approved.as_ref().and_then(|approval| {
                Some(Approved {
                    change: Rv::parse(&approval.change)?,
                    through: approval.through.clone(),
                })
            }),
            roll_now: spec
                .roll_now
                .as_ref()
                .and_then(|now| Rv::parse(&now.change)),
            ignored: spec
                .ignored
                .iter()
                .filter_map(|ignored| {
                    Some(Muted {
                        workload: ignored.workload.clone(),
                        change: Rv::parse(&ignored.change)?,
                    })
                })
                .collect(),
            accepted: status
                .and_then(|status| status.accepted.as_deref())
                .and_then(Rv::parse),
            halt: status
                .and_then(|status| status.halt.as_ref())
                .and_then(|halt| Some((Rv::parse(&halt.change)?, halt.clone()))),
        }
    }

    /// Whether the failures of `workload` with `change` stop nobody else.
    #[must_use]
    pub fn ignore(&self, workload: impl fmt::Display, change: Rv) -> bool {
        let workload = workload.to_string();
        self.ignored
            .iter()
            .any(|muted| muted.change == change && muted.workload == workload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{SourceId, SourceKind};

    fn rollout(text: &str) -> SyncRollout {
        serde_json::from_str(text).expect("a SyncRollout")
    }

    #[test]
    fn what_people_say_and_what_was_remembered() {
        let rollout = rollout(
            r#"{
                "apiVersion": "projsync.dev/v1alpha1",
                "kind": "SyncRollout",
                "metadata": {"name": "configmap-app", "namespace": "shop"},
                "spec": {
                    "source": {"kind": "ConfigMap", "name": "app"},
                    "paused": true,
                    "approved": {"change": "48213", "through": "half", "by": "alice"},
                    "rollNow": {"change": "48214", "by": "alice"},
                    "ignored": [{"workload": "Deployment/x", "change": "48213", "by": "bob"}]
                },
                "status": {
                    "accepted": "48213",
                    "halt": {
                        "change": "48213", "workload": "Deployment/x", "pod": "x-1",
                        "reason": "CrashLoopBackOff", "time": "2026-12-01T10:00:00Z"
                    }
                }
            }"#,
        );
        assert_eq!(
            rollout.source(),
            Some(SourceId::new(SourceKind::CONFIG_MAP, "shop", "app"))
        );
        let people = People::of(&rollout);
        assert!(people.paused);
        let approved = people.approved.as_ref().expect("an approval");
        assert_eq!(approved.change, Rv(48_213));
        assert_eq!(approved.through.as_deref(), Some("half"));
        assert_eq!(people.roll_now, Some(Rv(48_214)));
        assert_eq!(people.accepted, Some(Rv(48_213)));
        let (halted, halt) = people.halt.as_ref().expect("a halt");
        assert_eq!((*halted, &*halt.workload), (Rv(48_213), "Deployment/x"));
        assert!(people.ignore("Deployment/x", Rv(48_213)));
        assert!(
            !people.ignore("Deployment/x", Rv(48_214)),
            "of another change"
        );
        assert!(
            !people.ignore("Deployment/y", Rv(48_213)),
            "of another workload"
        );
    }

    #[test]
    fn what_names_no_change_has_no_effect() {
        let people = People::of(&rollout(
            r#"{
                "apiVersion": "projsync.dev/v1alpha1",
                "kind": "SyncRollout",
                "metadata": {"name": "mine", "namespace": "shop"},
                "spec": {
                    "source": {"kind": "Secret", "name": "db"},
                    "approved": {"change": "latest", "by": "alice"},
                    "rollNow": {"change": "", "by": "alice"},
                    "ignored": [{"workload": "Deployment/x", "change": "*", "by": "alice"}]
                }
            }"#,
        ));
        assert_eq!(people, People::default());
    }

    #[test]
    fn an_object_by_another_name_is_of_no_source() {
        let of_another = rollout(
            r#"{
                "apiVersion": "projsync.dev/v1alpha1",
                "kind": "SyncRollout",
                "metadata": {"name": "configmap-other", "namespace": "shop"},
                "spec": {"source": {"kind": "ConfigMap", "name": "app"}}
            }"#,
        );
        assert_eq!(of_another.source(), None);
    }
}
