//! What is in the cluster.

use serde_json::{Value, json};

/// Where everything is.
pub(crate) const NAMESPACE: &str = "bench";
/// The ConfigMap that all Deployments of the fan-out project.
pub(crate) const SHARED: &str = "shared";
/// That of the burst, and its Deployment.
pub(crate) const BURST: &str = "burst";
/// A Deployment that nobody manages, for bare patches.
pub(crate) const BARE: &str = "bare";
/// The key that is projected.
pub(crate) const USED: &str = "used";
/// A key that isn't.
pub(crate) const UNUSED: &str = "unused";

/// The label that policies select by: `load`, `burst` or none.
const LABEL: &str = "bench";

/// The name of a Deployment, ConfigMap or Secret by its number.
pub(crate) fn name(number: usize) -> String {
    format!("app-{number:05}")
}

/// The name of a Deployment that projects [`SHARED`].
pub(crate) fn shared_user(number: usize) -> String {
    format!("shared-{number:05}")
}

/// The ConfigMap that so many of them project besides.
pub(crate) fn shared_by(width: usize) -> String {
    format!("{SHARED}-by-{width:05}")
}

/// The name of a Secret that nobody projects.
pub(crate) fn unused(number: usize) -> String {
    format!("unused-{number:05}")
}

/// The name of a Secret of nearly 1 MiB.
pub(crate) fn large(number: usize) -> String {
    format!("large-{number:05}")
}

/// A ConfigMap of about 2 KiB.
pub(crate) fn config_map(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {USED: "0", UNUSED: "0", "file": text(2 << 10)},
    })
}

/// A Secret of about so many bytes.
pub(crate) fn secret(name: &str, bytes: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "stringData": {USED: "0", "file": text(bytes)},
    })
}

/// A text of so many bytes.
fn text(bytes: usize) -> String {
    const LINE: &str = "The quick brown fox jumps over the lazy dog. 0123456789 abcdefgh\n";
    LINE.chars().cycle().take(bytes).collect()
}

/// A Deployment that projects one key of a ConfigMap, as a file and as a variable, one of a
/// Secret, and one of each of `more` ConfigMaps.
pub(crate) fn deployment(
    name: &str,
    replicas: usize,
    config_map: &str,
    secret: &str,
    more: &[String],
) -> Value {
    let label = match name {
        BURST => "burst",
        BARE => "none",
        _ => "load",
    };
    let variable = |name: &str, kind: &str, source: &str| json!({"name": name, "valueFrom": {kind: {"name": source, "key": USED}}});
    let mut variables = vec![
        variable("USED", "configMapKeyRef", config_map),
        variable("PASSWORD", "secretKeyRef", secret),
    ];
    for (number, config_map) in more.iter().enumerate() {
        let name = format!("USED_{number}");
        variables.push(variable(&name, "configMapKeyRef", config_map));
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name, LABEL: label}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "app", "image": "app:1",
                        "env": variables,
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
                    }],
                    "volumes": [{"name": "config", "projected": {"sources": [
                        {"configMap": {"name": config_map, "items": [{"key": USED, "path": USED}]}},
                    ]}}],
                },
            },
        },
    })
}

/// The policies: without waits for the load, the defaults for the burst.
pub(crate) fn policies() -> [Value; 2] {
    let policy = |name: &str, label: &str| {
        json!({
            "apiVersion": "projsync.dev/v1alpha1", "kind": "SyncPolicy",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"workloads": {"selector": {"matchLabels": {LABEL: label}}}},
        })
    };
    let mut load = policy("load", "load");
    load["spec"]["settle"] = json!("0s");
    load["spec"]["minInterval"] = json!("0s");
    [load, policy("burst", "burst")]
}

/// A patch of one key of a ConfigMap.
pub(crate) fn edit(key: &str, value: &str) -> Value {
    json!({"data": {key: value}})
}

/// A patch of one key of a Secret.
pub(crate) fn edit_secret(key: &str, value: &str) -> Value {
    json!({"stringData": {key: value}})
}

/// What Projsync applies to a Deployment, here under another annotation's name.
pub(crate) fn roll(name: &str, uid: &str, resource_version: &str, value: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "namespace": NAMESPACE, "name": name, "uid": uid, "resourceVersion": resource_version,
        },
        "spec": {"template": {"metadata": {"annotations": {"bench.projsync.dev/revision": value}}}},
    })
}
