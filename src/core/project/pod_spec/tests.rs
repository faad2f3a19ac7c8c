#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn full() -> Value {
    json!({
        "nodeName": "n",
        "initContainers": [
            {"name": "wait", "image": "i"},
            {"name": "proxy", "restartPolicy": "Always"},
        ],
        "containers": [{
            "name": "app",
            "env": [
                {"name": "LITERAL", "value": "x"},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}},
                {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "F", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k", "optional": true}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "s", "optional": true}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a", "subPathExpr": "$(B)"}],
        }],
        "volumes": [
            {"name": "c", "configMap": {"name": "c", "items": [{"key": "k", "path": "p", "mode": 420}], "defaultMode": 420}},
            {"name": "s", "secret": {"secretName": "s", "optional": true}},
            {"name": "d", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"name": "p", "projected": {"sources": [
                {"configMap": {"name": "c"}},
                {"secret": {"name": "s"}},
                {"downwardAPI": {"items": []}},
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                {"clusterTrustBundle": {"name": "b", "path": "ca.crt"}},
                {"podCertificate": {"credentialBundlePath": "bundle.pem", "keyType": "ED25519"}},
            ]}},
        ],
    })
}

#[test]
fn every_field_is_read() {
    let spec: PodSpec = serde_json::from_value(full()).unwrap();
    assert!(!spec.init_containers[0].is_sidecar());
    assert!(spec.init_containers[1].is_sidecar());
    let app = &spec.containers[0];
    let set: Vec<_> = app.env.iter().map(EnvVar::is_always_set).collect();
    assert_eq!(set, [true, false, true, false, true]);
    let c = app.env[1].value_from.as_ref().unwrap();
    let c = c.config_map_key_ref.as_ref().unwrap();
    assert_eq!((&*c.name, &*c.key, c.optional), ("c", "k", true));
    let s = app.env[2].value_from.as_ref().unwrap();
    assert_eq!(&*s.secret_key_ref.as_ref().unwrap().name, "s");
    assert_eq!(&*app.env_from[0].prefix, "P_");
    assert_eq!(&*app.env_from[0].config_map_ref.as_ref().unwrap().name, "c");
    assert!(app.env_from[1].secret_ref.as_ref().unwrap().optional);
    let mount = &app.volume_mounts[0];
    assert_eq!((&*mount.name, &*mount.mount_path), ("v", "/v"));
    assert_eq!((&*mount.sub_path, &*mount.sub_path_expr), ("a", "$(B)"));
    let items = &spec.volumes[0].config_map.as_ref().unwrap().items;
    assert_eq!((&*items[0].key, &*items[0].path), ("k", "p"));
    let secret = spec.volumes[1].secret.as_ref().unwrap();
    assert_eq!((&*secret.secret_name, secret.optional), ("s", true));
    let labels = &spec.volumes[2].downward_api.as_ref().unwrap().items[0];
    assert_eq!(&*labels.path, "labels");
    let sources = &spec.volumes[3].projected.as_ref().unwrap().sources;
    assert!(sources[0].config_map.is_some() && sources[1].secret.is_some());
    assert!(sources[2].downward_api.is_some());
    assert_eq!(
        &*sources[3].service_account_token.as_ref().unwrap().path,
        "token"
    );
    assert_eq!(
        &*sources[4].cluster_trust_bundle.as_ref().unwrap().path,
        "ca.crt"
    );
    let certificate = sources[5].pod_certificate.as_ref().unwrap();
    assert_eq!(&*certificate.credential_bundle_path, "bundle.pem");
}

/// Puts `bad` in the place of every value of the document in turn.
fn each_spoiled(value: &Value, bad: &Value, visit: &mut dyn FnMut(Value)) {
    visit(bad.clone());
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                each_spoiled(inner, bad, &mut |spoiled| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), spoiled);
                    visit(Value::Object(fields));
                });
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                each_spoiled(inner, bad, &mut |spoiled| {
                    let mut items = items.clone();
                    items[at] = spoiled;
                    visit(Value::Array(items));
                });
            }
        }
        _ => {}
    }
}

#[test]
fn no_value_of_a_wrong_shape_fails_the_pod() {
    for bad in [
        json!(null),
        json!(1),
        json!(-1.5),
        json!(true),
        json!("text"),
        json!([1, {"a": []}]),
        json!({"a": [{}], "name": {}}),
    ] {
        let mut seen = 0;
        each_spoiled(&json!({ "spec": full() }), &bad, &mut |spoiled| {
            let text = spoiled.to_string();
            let decoded = serde_json::from_str::<Tolerated>(&text);
            assert!(decoded.is_ok(), "{text}: {decoded:?}");
            seen += 1;
        });
        assert!(seen > 80, "{seen}");
    }
}

#[derive(Debug, Deserialize)]
struct Tolerated(
    #[serde(deserialize_with = "lenient")]
    #[allow(dead_code)]
    PodTemplate,
);

#[test]
fn a_malformed_part_hides_only_itself() {
    let mut spec = full();
    spec["containers"][0]["env"][1]["valueFrom"] = json!("nonsense");
    spec["containers"][0]["envFrom"][0] = json!(7);
    spec["volumes"][0]["configMap"]["items"] = json!({"not": "a list"});
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    let app = &spec.containers[0];
    assert_eq!(app.env.len(), 5);
    assert!(app.env[1].value_from.is_none());
    assert_eq!(app.env_from[0], EnvFromSource::default());
    assert!(app.env_from[1].secret_ref.is_some());
    assert!(
        spec.volumes[0]
            .config_map
            .as_ref()
            .unwrap()
            .items
            .is_empty()
    );
    assert_eq!(spec.volumes.len(), 4);
}

#[test]
fn a_malformed_document_is_an_error() {
    assert!(serde_json::from_str::<PodSpec>(r#"{"containers": [{"name": "a"}"#).is_err());
}
