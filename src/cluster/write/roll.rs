//! Writes of the revision on a Pod template.

use kube::api::Patch;
use kube::core::Request;
use serde_json::{Value, json};

use super::writer::{Subject, Writer, forced};
use super::written::Written;
use crate::api::names::REVISION_ANNOTATION;
use crate::cluster::client::exchange::{Answer, NoAnswer, marked};
use crate::kinds::WorkloadId;

/// The workload of a plan, in the version that the plan was made for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub id: &'a WorkloadId,
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.resourceVersion`.
    pub resource_version: &'a str,
}

impl Writer {
    /// Rolls a workload: writes `projsync.dev/revision` on its Pod template, and nothing
    /// else. If the workload was deleted, recreated or changed meanwhile, it is not touched,
    /// and the result is [`Written::Conflict`]. The answer is the whole workload, since only
    /// that shows whether a webhook has undone the roll.
    pub async fn roll(&self, target: Target<'_>, revision: &str) -> Written {
        let id = target.id;
        let subject = Subject::Roll(id.kind.as_str());
        if target.uid.is_empty() || target.resource_version.is_empty() {
            // Without preconditions the write could replace a newer state.
            let message = "it was seen without uid or resourceVersion".to_owned();
            let written = Written::Failed { message };
            self.tell(subject, id, &written);
            return written;
        }
        let url = id.kind.api.path(Some(&id.namespace));
        let body = revision_body(target, revision);
        let request = Request::new(url).patch(&id.name, &forced(), &Patch::Apply(&body));
        let request = marked(request, "patch");
        let written = self.send(request, |answer| read(answer, id, revision));
        let written = written.await;
        self.tell(subject, id, &written);
        written
    }
}

/// Reads the answer to a roll.
fn read(answer: Result<Answer, NoAnswer>, id: &WorkloadId, revision: &str) -> Written {
    let undone = answer
        .as_ref()
        .is_ok_and(|answer| answer.status.is_success() && lacks(&answer.body, id, revision));
    match undone {
        true => Written::WithoutEffect,
        false => answer.into(),
    }
}

/// Returns whether the Pod template of the workload in `body` is without the revision. What is no
/// workload tells nothing.
fn lacks(body: &[u8], id: &WorkloadId, revision: &str) -> bool {
    let workload: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut fields = id.kind.template.iter();
    let template = fields.try_fold(&workload, |object, field| object.get(field));
    template.is_some_and(|template| {
        template["metadata"]["annotations"][REVISION_ANNOTATION].as_str() != Some(revision)
    })
}

/// Body of the write: the annotation, and the version of the object that it is for.
fn revision_body(target: Target<'_>, revision: &str) -> Value {
    let kind = target.id.kind;
    let annotation = json!({"metadata": {"annotations": {REVISION_ANNOTATION: revision}}});
    let mut body = json!({
        "apiVersion": kind.api.api_version(),
        "kind": kind.as_str(),
        "metadata": {
            "namespace": &*target.id.namespace,
            "name": &*target.id.name,
            "uid": target.uid,
            "resourceVersion": target.resource_version,
        },
    });
    let mut template = &mut body;
    for field in kind.template {
        template = &mut template[*field];
    }
    *template = annotation;
    body
}
