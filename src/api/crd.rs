//! The CustomResourceDefinitions, as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use crate::api::policy::{ClusterSyncPolicy, SyncPolicy};
use crate::api::projection::Projection;

/// All of them, sorted by name.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut projection = plain(Projection::crd());
    for version in &mut projection.spec.versions {
        // Written by the operator alone: without the subresource a Projection is one write.
        version.subresources = None;
        // Whole and by one writer, so managedFields need not list what is inside.
        if let Some(properties) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
            .and_then(|schema| schema.properties.as_mut())
        {
            for property in properties.values_mut() {
                property.x_kubernetes_map_type = Some("atomic".to_owned());
            }
        }
    }
    vec![
        plain(ClusterSyncPolicy::crd()),
        projection,
        plain(SyncPolicy::crd()),
    ]
}

/// Removes what schemars says and Kubernetes needn't hear.
fn plain(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        {
            schema.title = None;
            tidy(schema);
        }
    }
    crd
}

/// Takes out line breaks that only served the source, and `nullable`: an optional field
/// need not be, for the API server drops a null from one that isn't, and then applies the
/// field's default.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = description.replace('\n', " ");
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|all| all.values_mut())
    {
        tidy(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}
