//! How to undo the last change of a template that was not Projsync's.

use std::cmp::Reverse;

use serde::Serialize;

use super::objects::{Objects, Workload};
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
