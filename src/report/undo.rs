//! How to undo the last change of a template that was not Projsync's.

use std::cmp::Reverse;

use serde::Serialize;

use super::objects::{Objects, Workload};
use crate::core::projection::sync_undone;
use crate::kinds::Pods;

/// How to undo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undo {
    /// Value of `--to-revision`; absent if every revision that is kept has the current
    /// template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_revision: Option<i64>,
    /// The whole command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// True if `kubectl rollout undo` without it would only undo a roll of Projsync.
    pub plain_undo_is_ours: bool,
}

impl Undo {
    /// Finds the newest revision whose template differs from the current one by more than
    /// Projsync's annotation. `None` if Projsync never rolled the workload or its revisions are
    /// not known.
    #[must_use]
    pub fn of(workload: &Workload, objects: &Objects) -> Option<Self> {
        if workload.status()?.rolls.is_empty() {
            return None;
        }
        let mut kept = objects.revisions.clone();
        kept.retain(|revision| revision.owner == workload.object.uid);
        kept.sort_by_key(|revision| Reverse(revision.number));
        let newest = kept.first()?.template;
        let current = match workload.name.kind.pods {
            Pods::ReplicaSets => workload.object.template.hash,
            // Revisions of other kinds hold the template in another form.
            Pods::UpdateRevision | Pods::NewestRevision => newest,
        };
        let other = kept.iter().find(|revision| revision.template != current);
        let to_revision = other.map(|revision| revision.number);
        let command = to_revision.map(|number| {
            let (name, namespace) = (&workload.name, &objects.namespace);
            format!("kubectl rollout undo {name} -n {namespace} --to-revision={number}")
        });
        Some(Self {
            to_revision,
            command,
            // Without a number kubectl takes the second to last revision.
            plain_undo_is_ours: kept.get(1).is_some_and(|it| it.template == current),
        })
    }
}

/// What an undo has made of `projsync.dev/sync`: the newest revision is an earlier one that came
/// back, and the one before it had another annotation.
#[must_use]
pub(super) fn sync_brought_back(workload: &Workload, objects: &Objects) -> Option<String> {
    let revisions = objects.revisions.iter();
    let mut kept: Vec<_> = revisions
        .filter(|revision| revision.owner == workload.object.uid)
        .collect();
    kept.sort_by_key(|revision| Reverse(revision.number));
    let [newest, before, ..] = kept.as_slice() else {
        return None;
    };
    let changed = newest.undone && newest.sync != before.sync;
    // It was set again since.
    let again = workload.object.sync.as_deref() == before.sync.as_deref();
    (changed && !again).then(|| sync_undone(before.sync.as_deref(), newest.sync.as_deref()))
}
