//! Which revision undoes the last change of a template that was not ours.

use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use crate::cli::name::WorkloadName;
use crate::cli::objects::annotation;
use crate::cluster::views::template_identity;
use crate::kinds::WorkloadKind;

/// Where a Deployment's controller numbers its ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// A revision that a workload's controller keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its number.
    pub number: i64,
    /// Hash of its Pod template without our annotation.
    pub template: [u8; 16],
}

/// How to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// What `--to-revision` must say; absent where no kept revision has another template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_revision: Option<i64>,
    /// The whole command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether `kubectl rollout undo` without it would only undo a roll of Projsync.
    pub plain_undo_is_ours: bool,
}

/// The revisions of a workload among ReplicaSets or ControllerRevisions.
#[must_use]
pub fn revisions(kind: WorkloadKind, uid: &str, objects: &[DynamicObject]) -> Vec<Revision> {
    objects
        .iter()
        .filter(|object| is_controlled_by(object, uid))
        .filter_map(|object| revision(kind, object))
        .collect()
}

fn is_controlled_by(object: &DynamicObject, uid: &str) -> bool {
    let owners = object.metadata.owner_references.as_deref();
    owners
        .unwrap_or_default()
        .iter()
        .any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

fn revision(kind: WorkloadKind, object: &DynamicObject) -> Option<Revision> {
    let (number, template) = match kind {
        WorkloadKind::Deployment => (
            annotation(object, REVISION)?.parse().ok()?,
            object.data.pointer("/spec/template")?,
        ),
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => (
            object.data.get("revision")?.as_i64()?,
            object.data.pointer("/data/spec/template")?,
        ),
    };
    let template = template_hash(template)?;
    Some(Revision { number, template })
}

/// Hash of a Pod template without our annotation.
#[must_use]
pub fn template_hash(template: &Value) -> Option<[u8; 16]> {
    Some(template_identity(template.clone()).ok()?.hash)
}

impl Undo {
    /// Finds the newest revision whose template differs from the current one by more
    /// than our annotation. `current` is the workload's own template, where its
    /// revisions hold the same text; else that of its newest revision is.
    #[must_use]
    pub fn new(
        workload: &WorkloadName,
        namespace: &str,
        current: Option<[u8; 16]>,
        mut revisions: Vec<Revision>,
    ) -> Option<Self> {
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        let current = current.or_else(|| Some(revisions.first()?.template))?;
        let others = |revision: &&Revision| revision.template != current;
        let to_revision = revisions.iter().find(others).map(|other| other.number);
        // Without a number kubectl takes the last revision but one.
        let before = revisions.get(1);
        Some(Self {
            to_revision,
            command: to_revision.map(|n| {
                format!("kubectl rollout undo {workload} -n {namespace} --to-revision={n}")
            }),
            plain_undo_is_ours: before.is_some_and(|before| before.template == current),
        })
    }
}
