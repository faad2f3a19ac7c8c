//! Objects for the tests of reports.

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::objects::{Pod, Workload};
use crate::api::Projection;
use crate::kinds::WorkloadKind;

/// The time at which the tests look.
pub(super) fn now() -> Timestamp {
    "2026-01-02T12:00:00Z".parse().unwrap()
}

pub(super) fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

/// A Projection in namespace `shop`; `status` is laid over an ordinary one.
pub(super) fn projection(kind: &str, name: &str, status: Value) -> Projection {
    let mut all = json!({
        "summary": {"workload": format!("{kind}/{name}"), "sources": 1, "state": "InSync"},
        "pods": {"total": 2, "fresh": 2, "stale": 0, "refreshing": 0, "unknown": 0},
        "policy": {
            "kind": "SyncPolicy", "name": "default", "why": "It selects the workload.",
            "strategy": "Rollout", "settle": "2s", "minInterval": "30s", "suspend": false,
        },
        "decision": {
            "outcome": "Nothing", "reason": "InSync", "message": "No Pod is outdated.",
            "since": "2026-01-02T11:00:00Z",
        },
    });
    overlay(&mut all, status);
    serde_json::from_value(json!({
        "apiVersion": "projsync.dev/v1alpha1",
        "kind": "Projection",
        "metadata": {"name": format!("{}-{name}", kind.to_lowercase()), "namespace": "shop"},
        "spec": {"workload": {"kind": kind, "name": name, "uid": format!("uid-{name}")}},
        "status": all,
    }))
    .unwrap()
}

fn overlay(to: &mut Value, from: Value) {
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (name, value) in from {
                overlay(to.entry(name).or_insert(Value::Null), value);
            }
        }
        (to, from) => *to = from,
    }
}

/// A reference as a Projection holds it.
pub(super) fn reference(kind: &str, name: &str, class: &str) -> Value {
    json!({
        "kind": kind, "name": name, "class": class, "uses": ["env"], "keys": ["a"],
        "keysTotal": 1, "fingerprint": "f",
        "timeline": [{"since": {"time": "2026-01-02T11:55:00Z"}, "changed": ["a"]}],
    })
}

/// A workload whose template has this PodSpec.
pub(super) fn workload(
    kind: WorkloadKind,
    name: &str,
    spec: Value,
    projection: Option<Projection>,
) -> Workload {
    let object = object(json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}")},
        "spec": {"template": {"spec": spec}},
    }));
    Workload::new(kind, &object, projection)
}

/// A Pod of a Deployment.
pub(super) fn pod_of(deployment: &str, name: &str) -> Pod {
    Pod::new(&object(json!({
        "metadata": {
            "name": name,
            "labels": {"pod-template-hash": "5d4f"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{deployment}-5d4f"),
                "uid": "u", "controller": true,
            }],
        },
        "spec": {},
        "status": {"phase": "Running"},
    })))
}

/// A Pod that no workload owns, or that an owner of this kind and name does.
pub(super) fn other_pod(name: &str, owner: Option<(&str, &str)>, phase: &str, spec: Value) -> Pod {
    let owners = match owner {
        Some((kind, owner)) => json!([{
            "apiVersion": "batch/v1", "kind": kind, "name": owner, "uid": "u", "controller": true,
        }]),
        None => json!([]),
    };
    Pod::new(&object(json!({
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": spec,
        "status": {"phase": phase},
    })))
}

/// The same, of one container that started then.
pub(super) fn started_pod(name: &str, spec: Value, started: &str) -> Pod {
    let container = spec["containers"][0]["name"].clone();
    Pod::new(&object(json!({
        "metadata": {"name": name},
        "spec": spec,
        "status": {"phase": "Running", "containerStatuses": [
            {"name": container, "state": {"running": {"startedAt": started}}},
        ]},
    })))
}

/// A PodSpec that sees ConfigMap `app` in many ways, and Secret `db`.
pub(super) fn rich_spec() -> Value {
    json!({
        "initContainers": [{"name": "init", "volumeMounts": [{"name": "conf", "mountPath": "/c"}]}],
        "containers": [{
            "name": "web",
            "env": [
                {"name": "LOG_LEVEL", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "log.level"}}},
            ],
            "envFrom": [{"prefix": "DB_", "secretRef": {"name": "db", "optional": true}}],
            "volumeMounts": [
                {"name": "conf", "mountPath": "/etc/conf"},
                {"name": "token", "mountPath": "/token"},
            ],
        }],
        "volumes": [
            {"name": "conf", "configMap": {"name": "app", "items": [
                {"key": "color", "path": "color"}, {"key": "log.level", "path": "level"},
            ]}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        ],
    })
}
