//! Writes of the revision on a Pod template.

use kube::api::Patch;
use kube::core::Request;
use serde_json::{Value, json};

use super::writer::{Subject, Writer, forced};
use super::written::Written;
use crate::api::names::REVISION_ANNOTATION;
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
    /// and the result is [`Written::Conflict`].
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
        self.write(subject, id, "patch", request).await
    }
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
