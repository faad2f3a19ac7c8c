//! The CustomResourceDefinitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use crate::api::policy::{ClusterSyncPolicy, SyncPolicy};
use crate::api::projection::Projection;

/// All CustomResourceDefinitions, sorted by name.
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

/// Removes what schemars adds to schemas and Kubernetes has no use for.
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

/// Removes the line breaks of doc comments, and `nullable`: without it the API server drops a
/// null from an optional field and then applies the field's default.
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
