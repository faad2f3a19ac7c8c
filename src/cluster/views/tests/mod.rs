//! Views of objects as API servers write them.

mod pods;
mod sources;
mod workloads;

use kube::core::ObjectList;
use kube::core::watch::WatchEvent;
use serde_json::{Value, json};

use super::*;
use crate::kinds::WorkloadKind;
use k8s_openapi::api::core::v1::{Namespace, Pod};

fn view<K: Slim>(object: Value) -> View<K> {
    serde_json::from_str(&object.to_string()).unwrap()
}

fn kept<K: Slim>(object: Value) -> K::Object {
    view::<K>(object).object.unwrap()
}

/// Sets a field, by JSON pointer, of an object.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[field] = value;
    object
}

#[test]
fn only_sources_and_namespaces_are_watched_by_metadata_alone() {
    assert!(View::<AnySource>::metadata_api());
    assert!(View::<Namespace>::metadata_api());
    assert!(!View::<Pod>::metadata_api());
    assert_eq!(
        View::<AnyWorkload>::url_path(&WorkloadKind::DEPLOYMENT, None),
        "/apis/apps/v1/deployments"
    );
}

#[test]
fn a_namespace_keeps_its_labels() {
    let labels = kept::<Namespace>(json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {
            "name": "shop",
            "uid": "0d8f8f1e-5a7b-4a53-8a07-0d3a2c4f5b6c",
            "resourceVersion": "412",
            "creationTimestamp": "2025-11-24T10:00:00Z",
            "labels": {"kubernetes.io/metadata.name": "shop", "team": ""},
        },
    }));
    let labels: Vec<_> = labels
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        labels,
        [("kubernetes.io/metadata.name", "shop"), ("team", "")]
    );
}

/// Objects that no API server would serve, between two good ones.
#[test]
fn a_bad_object_never_stops_a_list() {
    let bad = [
        json!(null),
        json!("pod"),
        json!({}),
        json!({"metadata": 7}),
        json!({"metadata": {"name": "nameless", "uid": null}}),
        with(
            pods::pod(),
            "/metadata/creationTimestamp",
            json!("yesterday"),
        ),
        with(
            pods::pod(),
            "/metadata/creationTimestamp",
            json!({"seconds": 1}),
        ),
    ];
    let mut items = bad.to_vec();
    items.insert(0, pods::pod());
    items.push(pods::pod());
    let list = json!({
        "kind": "PodList", "apiVersion": "v1",
        "metadata": {"resourceVersion": "9000"},
        "items": items,
    });
    let list: ObjectList<View<Pod>> = serde_json::from_str(&list.to_string()).unwrap();
    assert_eq!(list.items.len(), bad.len() + 2);
    let good = list.items.iter().filter(|view| view.object.is_ok()).count();
    assert_eq!(good, 2);
}

/// A field of a wrong type is as absent, and hides nothing else.
#[test]
fn a_bad_field_hides_nothing_else() {
    for pointer in [
        "/spec",
        "/status",
        "/metadata/labels",
        "/metadata/ownerReferences",
        "/status/containerStatuses",
    ] {
        for value in [
            json!(null),
            json!(7),
            json!("x"),
            json!([1]),
            json!({"x": 1}),
        ] {
            let object = with(pods::pod(), pointer, value);
            assert_eq!(
                &*kept::<Pod>(object).name,
                "web-5d4f8c7b9-abcde",
                "{pointer}"
            );
        }
    }
}

#[test]
fn a_bad_object_keeps_its_name_so_that_its_deletion_is_seen() {
    let object = with(workloads::deployment(), "/spec/template", json!("gone"));
    let event = json!({"type": "DELETED", "object": object});
    let event: WatchEvent<View<AnyWorkload>> = serde_json::from_str(&event.to_string()).unwrap();
    let WatchEvent::Deleted(view) = event else {
        panic!("{event:?}");
    };
    assert_eq!(Key::of(&view).to_string(), "shop/web");
    assert_eq!(view.meta().resource_version.as_deref(), Some("8123"));
    assert_eq!(
        view.object.unwrap_err().to_string(),
        "spec.template is missing or malformed"
    );
}
