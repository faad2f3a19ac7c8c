//! Writes of Projections.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::{DeleteParams, Patch, Preconditions};
use kube::core::{ObjectMeta, Request};

use super::writer::{Subject, Writer, forced};
use super::written::Written;
use crate::api::names::{MANAGED_BY, MANAGED_BY_LABEL, projection_name};
use crate::api::projection::{Projection, ProjectionSpec, ProjectionStatus};
use crate::kinds::{Rv, WorkloadId};

impl Writer {
    /// Creates or replaces the Projection of a workload, including its status.
    ///
    /// With a `version` it replaces only that one, so a former leader can't overwrite what its
    /// successor has written.
    pub async fn projection(
        &self,
        id: &WorkloadId,
        spec: &ProjectionSpec,
        status: &ProjectionStatus,
        version: Option<Rv>,
    ) -> Written {
        let projection = projection(id, spec, status, version);
        let request = Request::new(Projection::url_path(&(), Some(&id.namespace)));
        let name = projection_name(id.kind, &id.name);
        let request = request.patch(&name, &forced(), &Patch::Apply(&projection));
        self.write(Subject::Projection, id, "patch", request).await
    }

    /// Deletes the Projection of a workload; with a `version`, only that version.
    pub async fn delete_projection(&self, id: &WorkloadId, version: Option<Rv>) -> Written {
        let only = DeleteParams {
            preconditions: version.map(|version| Preconditions {
                resource_version: Some(version.to_string()),
                uid: None,
            }),
            ..DeleteParams::default()
        };
        let request = Request::new(Projection::url_path(&(), Some(&id.namespace)));
        let request = request.delete(&projection_name(id.kind, &id.name), &only);
        self.write(Subject::Projection, id, "delete", request).await
    }
}

/// A Projection, owned by its workload without blocking the workload's deletion.
fn projection(
    id: &WorkloadId,
    spec: &ProjectionSpec,
    status: &ProjectionStatus,
    version: Option<Rv>,
) -> Projection {
    let owner = OwnerReference {
        api_version: id.kind.api.api_version().into_owned(),
        kind: id.kind.as_str().to_owned(),
        name: id.name.to_string(),
        uid: spec.workload.uid.clone(),
        ..OwnerReference::default()
    };
    Projection {
        metadata: ObjectMeta {
            namespace: Some(id.namespace.to_string()),
            name: Some(projection_name(id.kind, &id.name)),
            resource_version: version.map(|version| version.to_string()),
            labels: Some([(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned())].into()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: spec.clone(),
        status: Some(status.clone()),
    }
}
