//! Objects for the tests of reports.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{Objects, Workload};
use crate::api::Projection;
use crate::cluster::views::{Shown, Slim};
use crate::kinds::WorkloadKind;

/// Namespace `shop`, filled step by step.
pub(super) struct Shop(pub(super) Objects, BTreeMap<String, Value>);

/// The time at which the tests look.
pub(super) fn now() -> Timestamp {
    "2026-01-02T12:00:00Z".parse().unwrap()
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

/// An object as it is read, created at noon.
fn shown<K: Slim>(mut object: Value) -> Shown<K> {
    object["metadata"]["namespace"] = json!("shop");
    object["metadata"]["creationTimestamp"] = json!("2026-01-02T11:00:00Z");
    serde_json::from_value(object).unwrap()
}

/// A controlling owner.
fn owned_by(kind: &str, name: &str, uid: &str) -> Value {
    json!([{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
}

impl Shop {
    /// The namespace without anything, nor the right to see Pods.
    pub(super) fn new() -> Self {
        Self(Objects::new("shop"), BTreeMap::new())
    }

    /// A workload whose template has this PodSpec.
    pub(super) fn workload(
        self,
        kind: WorkloadKind,
        name: &str,
        spec: Value,
        projection: Option<Projection>,
    ) -> Self {
        let template = json!({"spec": spec});
        self.annotated(kind, name, json!({}), template, projection)
    }

    /// A workload with annotations and a whole template.
    pub(super) fn annotated(
        mut self,
        kind: WorkloadKind,
        name: &str,
        annotations: Value,
        template: Value,
        projection: Option<Projection>,
    ) -> Self {
        self.1.insert(name.to_owned(), template.clone());
        let object = json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "annotations": annotations},
            "spec": {"template": template},
        });
        let objects = &mut self.0;
        objects.add_workload(kind, shown(object), projection);
        self
    }

    /// A ReplicaSet of a Deployment.
    pub(super) fn replica_set(
        self,
        deployment: &str,
        name: &str,
        revision: &str,
        template: Value,
    ) -> Self {
        let annotations = json!({"deployment.kubernetes.io/revision": revision});
        self.replica_set_with(deployment, name, annotations, template)
    }

    /// The same, with these annotations beside its revision's.
    pub(super) fn replica_set_with(
        mut self,
        deployment: &str,
        name: &str,
        annotations: Value,
        template: Value,
    ) -> Self {
        let uid = format!("uid-{deployment}");
        self.0.add_replica_sets(vec![shown(json!({
            "metadata": {
                "name": name,
                "uid": format!("uid-{name}"),
                "annotations": annotations,
                "ownerReferences": owned_by("Deployment", deployment, &uid),
            },
            "spec": {"template": template},
        }))]);
        self
    }

    /// A ControllerRevision of a StatefulSet.
    pub(super) fn revision(mut self, set: &str, number: i64, mut template: Value) -> Self {
        template["$patch"] = json!("replace");
        let name = format!("{set}-{number}");
        self.0.add_controller_revisions(vec![shown(json!({
            "metadata": {
                "name": name,
                "uid": format!("uid-{name}"),
                "labels": {"controller-revision-hash": name},
                "ownerReferences": owned_by("StatefulSet", set, &format!("uid-{set}")),
            },
            "revision": number,
            "data": {"spec": {"template": template}},
        }))]);
        self
    }

    /// A CronJob whose Jobs' Pods have this PodSpec.
    pub(super) fn cron_job(mut self, name: &str, spec: Value) -> Self {
        let template = json!({"spec": {"template": {"spec": spec}}});
        self.0.add_cron_jobs(vec![shown(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}")},
            "spec": {"schedule": "@daily", "jobTemplate": template},
        }))]);
        self
    }

    /// A Pod of a Deployment's template, and the ReplicaSet between them.
    pub(super) fn pod_of(self, deployment: &str, name: &str) -> Self {
        let template = self.1.get(deployment).cloned();
        let template = template.unwrap_or_else(|| json!({"spec": {}}));
        let spec = template["spec"].clone();
        self.pod_with(deployment, "5d4f", name, template, spec)
    }

    /// A Pod with this spec, of a Deployment's ReplicaSet with this template.
    pub(super) fn pod_with(
        self,
        deployment: &str,
        hash: &str,
        name: &str,
        template: Value,
        spec: Value,
    ) -> Self {
        let set = format!("{deployment}-{hash}");
        let owners = owned_by("ReplicaSet", &set, &format!("uid-{set}"));
        self.replica_set(deployment, &set, "1", template).pod(
            name,
            owners,
            spec,
            json!({"phase": "Running"}),
        )
    }

    /// A Pod that no workload owns, or that an owner of this kind and name does.
    pub(super) fn other_pod(
        self,
        name: &str,
        owner: Option<(&str, &str)>,
        phase: &str,
        spec: Value,
    ) -> Self {
        let owners = owner.map_or(json!([]), |(kind, owner)| owned_by(kind, owner, "u"));
        self.pod(name, owners, spec, json!({"phase": phase}))
    }

    /// The same, of one container that started then.
    pub(super) fn started_pod(self, name: &str, spec: Value, started: &str) -> Self {
        let container = spec["containers"][0]["name"].clone();
        let status = json!({"phase": "Running", "containerStatuses": [
            {"name": container, "state": {"running": {"startedAt": started}}},
        ]});
        self.pod(name, json!([]), spec, status)
    }

    fn pod(mut self, name: &str, owners: Value, spec: Value, status: Value) -> Self {
        self.0.add_pods(vec![shown(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "ownerReferences": owners},
            "spec": spec,
            "status": status,
        }))]);
        self
    }

    /// The first workload.
    pub(super) fn first(&self) -> &Workload {
        &self.0.workloads[0]
    }
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
