use super::*;
use crate::core::object::source::SourceMeta;

fn secret() -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "uid": "2f4d1f3e-1111-4222-8333-444455556666",
            "resourceVersion": "7001",
            "creationTimestamp": "2025-11-24T09:00:00Z",
            "labels": {"app": "shop"},
            "annotations": {"note": "rotated by hand"},
            "managedFields": [
                {"manager": "kubectl-create", "operation": "Update", "apiVersion": "v1",
                 "time": "2025-11-24T09:00:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:data": {".": {}, "f:password": {}}, "f:type": {}}},
                {"manager": "vault", "operation": "Apply", "apiVersion": "v1",
                 "time": "2025-11-24T09:30:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:data": {"f:token": {}}}},
                {"manager": "labeler", "operation": "Update", "apiVersion": "v1",
                 "time": "2025-11-24T09:45:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}}},
            ],
        },
    })
}

fn meta(object: Value) -> SourceMeta {
    kept::<AnySource>(object)
}

/// The next version of the Secret, with one thing changed.
fn edited(pointer: &str, value: Value) -> SourceMeta {
    meta(with(
        with(secret(), "/metadata/resourceVersion", json!("7002")),
        pointer,
        value,
    ))
}

#[test]
fn data_is_as_old_as_its_newest_owner() {
    let meta = meta(secret());
    assert_eq!(
        meta.data_time,
        Some("2025-11-24T09:30:00Z".parse().unwrap())
    );
    assert_eq!(meta.created, "2025-11-24T09:00:00Z".parse().unwrap());
    assert_eq!(meta.rv.unwrap().0, 7001);
}

#[test]
fn data_that_nobody_wrote_is_as_old_as_the_object() {
    let labeler = secret()["metadata"]["managedFields"][2].clone();
    let meta = edited("/metadata/managedFields", json!([labeler]));
    assert_eq!(meta.data_time, Some(meta.created));
}

#[test]
fn without_managed_fields_every_version_may_differ() {
    let before = edited("/metadata/managedFields", json!(null));
    let after = edited("/metadata/managedFields", json!([]));
    assert_eq!(before.data_time, None);
    assert!(after.may_differ(&before));
}

#[test]
fn an_edit_of_other_metadata_is_no_edit_of_data() {
    let before = meta(secret());
    for (pointer, value) in [
        ("/metadata/labels/app", json!("store")),
        ("/metadata/labels", json!(null)),
        ("/metadata/annotations/note", json!("rotated twice")),
        ("/metadata/finalizers", json!(["example.com/keep"])),
        (
            "/metadata/ownerReferences",
            json!([{"kind": "Shop", "name": "s", "uid": "u"}]),
        ),
        ("/metadata/deletionTimestamp", json!("2025-11-24T12:00:00Z")),
        (
            "/metadata/managedFields/2/time",
            json!("2025-11-24T09:46:00Z"),
        ),
        (
            "/metadata/managedFields/2/fieldsV1/f:metadata/f:labels/f:tier",
            json!({}),
        ),
    ] {
        let after = edited(pointer, value);
        assert!(!after.may_differ(&before), "{pointer}");
        assert_ne!(after.other, before.other, "{pointer}");
    }
}

#[test]
fn an_edit_of_data_may_differ() {
    let before = meta(secret());
    for (pointer, value) in [
        (
            "/metadata/managedFields/1/time",
            json!("2025-11-24T09:31:00Z"),
        ),
        (
            "/metadata/managedFields/1/fieldsV1/f:data/f:user",
            json!({}),
        ),
        ("/metadata/managedFields/1/fieldsV1/f:data", json!({})),
        ("/metadata/managedFields/1/manager", json!("vault-2")),
        (
            "/metadata/managedFields/0/fieldsV1/f:binaryData",
            json!({"f:blob": {}}),
        ),
        (
            "/metadata/uid",
            json!("9a9a9a9a-1111-4222-8333-444455556666"),
        ),
        // A version that nothing explains.
        ("/metadata/generation", json!(2)),
    ] {
        assert!(edited(pointer, value).may_differ(&before), "{pointer}");
    }
}

#[test]
fn the_order_of_managers_does_not_count() {
    let mut entries = secret()["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .clone();
    entries.reverse();
    let reordered = edited("/metadata/managedFields", Value::from(entries));
    let before = meta(secret());
    assert_eq!(
        (reordered.data_time, reordered.data_fields, reordered.other),
        (before.data_time, before.data_fields, before.other)
    );
}

/// Though a metadata-only watch never carries data, a server may ignore what it is asked for.
#[test]
fn data_that_comes_along_is_not_kept() {
    let object = with(secret(), "/data", json!({"password": "aHVudGVyMg=="}));
    assert!(!format!("{:?}", view::<AnySource>(object)).contains("aHVudGVyMg"));
}
