//! Everything that is written: by server-side apply, as field manager
//! `projsync`, each in one request.

mod digest_key;

use std::time::Duration;

use http::StatusCode;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::{ObjectMeta, Request};
use kube::{Client, Resource};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::names::{FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL, REVISION_ANNOTATION};
use crate::api::policy::{ClusterSyncPolicy, PolicyStatus, SyncPolicy};
use crate::api::projection::{Projection, ProjectionSpec, ProjectionStatus};
use crate::cluster::client::exchange::{Answer, NoAnswer, exchange, metadata_only};
use crate::core::policy::PolicyId;
use crate::core::time::ServerTime;
use crate::kinds::{Rv, WorkloadId, WorkloadKind};

pub use digest_key::{KeyError, SECRET_NAME, digest_key};

/// The most bytes of an answer; only metadata is asked for, but not every
/// server that speaks the API heeds that.
const LIMIT: usize = 4 << 20;

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patched {
    /// It was made.
    Done {
        /// The version that it gave.
        rv: Option<Rv>,
        /// When, by the API server.
        date: ServerTime,
    },
    /// The object is not the one, or not in the version, that was meant.
    Conflict,
    /// There is no such object, or its namespace is gone.
    Gone,
    /// The API server understood and refuses: trying again is of no use until
    /// something changes.
    Refused {
        /// Its reason.
        message: String,
    },
    /// It may not have been made: trying again may help.
    Failed {
        /// What happened.
        message: String,
    },
}

/// The workload that was planned for, in the version that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its name.
    pub id: &'a WorkloadId,
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.resourceVersion`.
    pub resource_version: &'a str,
}

/// The workload that a Projection is about.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its kind.
    pub kind: WorkloadKind,
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.uid`.
    pub uid: &'a str,
}

/// Rolls a workload: writes `projsync.dev/revision` on its Pod template, and
/// nothing else. A workload that was deleted, recreated or changed since it was
/// seen is not touched, and gives a [`Patched::Conflict`].
pub async fn roll(
    client: Client,
    target: Target<'_>,
    revision: &str,
    timeout: Duration,
) -> Patched {
    if target.uid.is_empty() || target.resource_version.is_empty() {
        // Without its preconditions the write would be a blind one.
        return Patched::Failed {
            message: format!("{} was seen without uid or resourceVersion", target.id),
        };
    }
    let namespace = Some(&*target.id.namespace);
    let url = target.id.kind.api.path(namespace);
    let body = revision_body(target, revision);
    let request = Request::new(url).patch(&target.id.name, &forced(), &Patch::Apply(&body));
    send(&client, metadata_only(request, "patch"), timeout).await
}

/// Just the annotation, and which version of which object it is for.
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

/// A Projection, owned by its workload without blocking the deletion of that.
///
/// With a `version` it takes the place of that one and of no other: a leader that
/// was replaced meanwhile can't write over what the next has written.
#[must_use]
pub fn projection(
    namespace: &str,
    name: &str,
    version: Option<Rv>,
    owner: Owner<'_>,
    spec: &ProjectionSpec,
    status: &ProjectionStatus,
) -> Projection {
    let owner = OwnerReference {
        api_version: owner.kind.api.api_version().into_owned(),
        kind: owner.kind.as_str().to_owned(),
        name: owner.name.to_owned(),
        uid: owner.uid.to_owned(),
        ..OwnerReference::default()
    };
    Projection {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            resource_version: version.map(|version| version.to_string()),
            labels: Some([(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned())].into()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: spec.clone(),
        status: Some(status.clone()),
    }
}

/// Creates or replaces a Projection, status included.
pub async fn apply_projection(
    client: Client,
    namespace: &str,
    name: &str,
    projection: &Projection,
    timeout: Duration,
) -> Patched {
    let url = Projection::url_path(&(), Some(namespace));
    let request = Request::new(url).patch(name, &forced(), &Patch::Apply(projection));
    send(&client, metadata_only(request, "patch"), timeout).await
}

/// Deletes a Projection; with a `version`, only if it is still that one.
pub async fn delete_projection(
    client: Client,
    namespace: &str,
    name: &str,
    version: Option<Rv>,
    timeout: Duration,
) -> Patched {
    let url = Projection::url_path(&(), Some(namespace));
    let only = DeleteParams {
        preconditions: version.map(|version| Preconditions {
            resource_version: Some(version.to_string()),
            uid: None,
        }),
        ..DeleteParams::default()
    };
    let request = Request::new(url).delete(name, &only);
    send(&client, metadata_only(request, "delete"), timeout).await
}

/// Writes the status of a policy.
pub async fn policy_status(
    client: Client,
    id: &PolicyId,
    status: &PolicyStatus,
    timeout: Duration,
) -> Patched {
    let namespace = id.namespace().map(|namespace| &**namespace);
    let (url, api_version) = match id {
        PolicyId::Namespaced { .. } => (
            SyncPolicy::url_path(&(), namespace),
            SyncPolicy::api_version(&()),
        ),
        PolicyId::Cluster { .. } => (
            ClusterSyncPolicy::url_path(&(), None),
            ClusterSyncPolicy::api_version(&()),
        ),
    };
    let mut body = json!({
        "apiVersion": api_version,
        "kind": id.kind(),
        "metadata": {"name": &**id.name()},
        "status": status,
    });
    if let Some(namespace) = namespace {
        body["metadata"]["namespace"] = namespace.into();
    }
    let request =
        Request::new(url).patch_subresource("status", id.name(), &forced(), &Patch::Apply(&body));
    send(&client, metadata_only(request, "patch"), timeout).await
}

/// Ours is the only writer of these fields, so whoever else wrote them gives way.
fn forced() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

async fn send(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    timeout: Duration,
) -> Patched {
    let answer = exchange(client, request, timeout, LIMIT).await;
    answer.map_or_else(Patched::from, |answer| Patched::from(&answer))
}

// === impl Patched ===

impl From<NoAnswer> for Patched {
    fn from(error: NoAnswer) -> Self {
        Self::Failed {
            message: error.to_string(),
        }
    }
}

impl From<&Answer> for Patched {
    fn from(answer: &Answer) -> Self {
        match answer.status {
            status if status.is_success() => Self::Done {
                rv: resource_version(&answer.body),
                // Every API server sends a Date; without one the write is made all the same.
                date: answer.date.unwrap_or(ServerTime::UNIX_EPOCH),
            },
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::NOT_FOUND => Self::Gone,
            StatusCode::UNAUTHORIZED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Self::Failed {
                message: answer.refusal(),
            },
            status if status.is_client_error() => Self::Refused {
                message: answer.refusal(),
            },
            _ => Self::Failed {
                message: answer.refusal(),
            },
        }
    }
}

/// The version of an object, if the body is one.
fn resource_version(body: &[u8]) -> Option<Rv> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        resource_version: String,
    }
    #[derive(Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    let object: Object = serde_json::from_slice(body).ok()?;
    Rv::parse(&object.metadata.resource_version)
}

#[cfg(test)]
mod tests;
