use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};

use super::template::TemplateJson;
use super::*;
use crate::core::object::workload::{Counts, Update, Workload};
use crate::kinds::{Rv, SourceKind};

fn workload(kind: WorkloadKind, object: Value) -> Workload {
    kept::<AnyWorkload>(object).of(kind)
}

/// Views are decoded before their kind is known, and so read templates in one place.
#[test]
fn every_kind_has_its_template_where_views_read_it() {
    for kind in WorkloadKind::all() {
        let mut object = json!({"metadata": {"name": "web", "uid": "u"}});
        let field = kind
            .template
            .iter()
            .fold(&mut object, |at, name| &mut at[*name]);
        *field = template();
        assert_eq!(workload(kind, object).references.len(), 2, "{kind}");
    }
}

pub(super) fn deployment() -> Value {
    json!({
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "11111111-2222-4333-8444-555555555555",
            "resourceVersion": "8123",
            "generation": 4,
            "creationTimestamp": "2025-11-24T10:00:00Z",
            "labels": {"app": "web"},
            "annotations": {"deployment.kubernetes.io/revision": "3", "projsync.dev/sync": "true"},
            "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": template(),
        },
        "status": {
            "observedGeneration": 4,
            "replicas": 3,
            "conditions": [
                {"type": "Available", "status": "True", "message": "Deployment has minimum availability."},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "done"},
            ],
        },
    })
}

fn template() -> Value {
    json!({
        "metadata": {
            "creationTimestamp": null,
            "labels": {"app": "web"},
            "annotations": {"projsync.dev/revision": "v1.0a0b0c0d.ff"},
        },
        "spec": {
            "containers": [{
                "name": "app", "image": "web:1",
                "volumeMounts": [{"name": "conf", "mountPath": "/etc/web"}],
                "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "web", "key": "token"}}}],
            }],
            "volumes": [{"name": "conf", "configMap": {"name": "web", "defaultMode": 420}}],
            "restartPolicy": "Always",
        },
    })
}

fn replica_set() -> Value {
    let object = json!({
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "web-5d4f8c7b9",
            "namespace": "shop",
            "uid": "5a5b0a7e-0000-4000-8000-000000000001",
            "resourceVersion": "8124",
            "creationTimestamp": "2025-11-24T10:00:01Z",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
                "uid": "11111111-2222-4333-8444-555555555555", "controller": true}],
        },
        "spec": {"replicas": 3, "template": template()},
    });
    with(
        object,
        "/spec/template/metadata/labels/pod-template-hash",
        json!("5d4f8c7b9"),
    )
}

#[test]
fn an_annotation_of_the_pod_template_asks_to_be_managed_unless_the_workload_has_its_own() {
    let templated = "/spec/template/metadata/annotations";
    let annotation = |value: Value| json!({"projsync.dev/sync": value});
    let sync = |object: Value| workload(WorkloadKind::DEPLOYMENT, object).sync;
    let object = with(deployment(), templated, annotation(json!("false")));
    assert_eq!(sync(object.clone()).as_deref(), Some("true"));
    let object = with(object, "/metadata/annotations", json!({}));
    assert_eq!(sync(object.clone()).as_deref(), Some("false"));
    for odd in [json!(null), json!(7), json!({"a": "b"})] {
        assert_eq!(sync(with(object.clone(), templated, annotation(odd))), None);
    }
}

#[test]
fn a_deployment() {
    let web = workload(WorkloadKind::DEPLOYMENT, deployment());
    assert_eq!(&*web.uid, "11111111-2222-4333-8444-555555555555");
    assert_eq!(web.rv, Some(Rv(8123)));
    assert_eq!((web.generation, web.observed_generation), (4, 4));
    assert_eq!(web.labels.get("app").map(String::as_str), Some("web"));
    assert_eq!(web.sync.as_deref(), Some("true"));
    assert_eq!(web.template.revision.as_deref(), Some("v1.0a0b0c0d.ff"));
    assert_eq!(web.replicas, 3);
    assert_eq!(web.update, Update::Automatic);
    assert_eq!(web.update_revision, None);
    assert_eq!(web.stuck, None);
    assert!(!web.paused && !web.terminating);
    let sources: Vec<_> = web
        .references
        .iter()
        .map(|reference| reference.source.clone())
        .collect();
    assert_eq!(
        sources,
        [
            (SourceKind::CONFIG_MAP, "web".into()),
            (SourceKind::SECRET, "web".into())
        ]
    );
}

#[test]
fn a_deployment_in_other_states() {
    let paused = workload(
        WorkloadKind::DEPLOYMENT,
        with(deployment(), "/spec/paused", json!(true)),
    );
    assert!(paused.paused);
    let unset = workload(
        WorkloadKind::DEPLOYMENT,
        with(deployment(), "/spec/replicas", json!(null)),
    );
    assert_eq!(unset.replicas, 1);
    let zero = workload(
        WorkloadKind::DEPLOYMENT,
        with(deployment(), "/spec/replicas", json!(0)),
    );
    assert_eq!(zero.replicas, 0);
    let going = with(
        deployment(),
        "/metadata/deletionTimestamp",
        json!("2025-11-24T12:00:00Z"),
    );
    assert!(workload(WorkloadKind::DEPLOYMENT, going).terminating);
    let stuck = with(deployment(), "/status/conditions/1/status", json!("False"));
    let stuck = with(
        stuck,
        "/status/conditions/1/message",
        json!("timed out progressing"),
    );
    assert_eq!(
        workload(WorkloadKind::DEPLOYMENT, stuck).stuck.as_deref(),
        Some("timed out progressing")
    );
    let fresh = workload(
        WorkloadKind::DEPLOYMENT,
        with(deployment(), "/status", json!({})),
    );
    assert_eq!(fresh.observed_generation, 0);
}

#[test]
fn a_replica_set_has_the_template_of_its_deployment() {
    let deployment = workload(WorkloadKind::DEPLOYMENT, deployment());
    let set = kept::<ReplicaSet>(replica_set()).unwrap();
    assert_eq!(set.template, deployment.template);
    assert_eq!(set.owner.uid, deployment.uid);
    assert_eq!(&*set.owner.kind, "Deployment");

    let older = with(
        replica_set(),
        "/spec/template/spec/containers/0/image",
        json!("web:0"),
    );
    let older = kept::<ReplicaSet>(older).unwrap();
    assert_ne!(older.template.hash, deployment.template.hash);
}

#[test]
fn a_replica_set_of_nobody_is_not_kept() {
    let alone = with(replica_set(), "/metadata/ownerReferences", json!([]));
    assert_eq!(kept::<ReplicaSet>(alone), None);
}

#[test]
fn how_a_stateful_set_is_updated() {
    let spec = |strategy: Value, management: &str| {
        let set = with(deployment(), "/spec/updateStrategy", strategy);
        let set = with(set, "/spec/podManagementPolicy", json!(management));
        let set = with(set, "/status/updateRevision", json!("web-7d9f"));
        workload(WorkloadKind::STATEFUL_SET, set)
    };
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let set = spec(rolling, "OrderedReady");
    assert_eq!(
        set.update,
        Update::Ordinal {
            partition: 2,
            ordered: true
        }
    );
    assert_eq!(set.update_revision.as_deref(), Some("web-7d9f"));
    let plain = spec(json!({"type": "RollingUpdate"}), "Parallel");
    assert_eq!(
        plain.update,
        Update::Ordinal {
            partition: 0,
            ordered: false
        }
    );
    assert_eq!(
        spec(json!({"type": "OnDelete"}), "OrderedReady").update,
        Update::OnDelete
    );
}

#[test]
fn how_a_daemon_set_is_updated() {
    let set = with(deployment(), "/status/desiredNumberScheduled", json!(5));
    let set = with(
        set,
        "/spec/updateStrategy",
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}),
    );
    let view = workload(WorkloadKind::DAEMON_SET, set.clone());
    assert_eq!((view.update, view.replicas), (Update::Automatic, 5));
    let view = workload(
        WorkloadKind::DAEMON_SET,
        with(set, "/spec/updateStrategy", json!({"type": "OnDelete"})),
    );
    assert_eq!(view.update, Update::OnDelete);
}

/// As the controllers of the three kinds write them.
#[test]
fn how_many_pods_there_are_is_told_by_the_status() {
    let counts = |kind, status: Value| {
        let object = with(deployment(), "/status", status);
        workload(kind, object).counts
    };
    let replicas = json!({
        "replicas": 5, "readyReplicas": 4, "updatedReplicas": 3, "availableReplicas": 2,
        "unavailableReplicas": 3,
    });
    let expected = Counts {
        replicas: 5,
        updated: 3,
        available: 2,
    };
    for kind in [WorkloadKind::DEPLOYMENT, WorkloadKind::STATEFUL_SET] {
        assert_eq!(counts(kind, replicas.clone()), expected, "{kind}");
    }
    let nodes = json!({
        "currentNumberScheduled": 5, "desiredNumberScheduled": 5, "numberReady": 4,
        "numberMisscheduled": 1, "updatedNumberScheduled": 3, "numberAvailable": 2,
    });
    let nodes = counts(WorkloadKind::DAEMON_SET, nodes);
    assert_eq!(
        nodes,
        Counts {
            replicas: 0,
            ..expected
        }
    );
}

#[test]
fn a_controller_revision_tells_its_template() {
    let mut patch = template();
    patch["$patch"] = json!("replace");
    let revision = json!({
        "kind": "ControllerRevision",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "log-6c5d9f",
            "namespace": "shop",
            "uid": "cccccccc-2222-4333-8444-555555555555",
            "resourceVersion": "8300",
            "creationTimestamp": "2025-11-24T10:00:01Z",
            "labels": {"app": "log", "controller-revision-hash": "6c5d9f"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "log", "uid": "d", "controller": true}],
        },
        "data": {"spec": {"template": patch}},
        "revision": 7,
    });
    let kept_revision = kept::<ControllerRevision>(revision.clone()).unwrap();
    assert_eq!(
        (kept_revision.revision, &*kept_revision.hash),
        (7, "6c5d9f")
    );
    assert_eq!(&*kept_revision.owner.kind, "DaemonSet");
    let same = serde_json::from_value::<TemplateJson>(template())
        .unwrap()
        .identity()
        .unwrap();
    assert_eq!(kept_revision.template, Some(same));
    let other = with(revision.clone(), "/data", json!({"whatever": 1}));
    assert_eq!(kept::<ControllerRevision>(other).unwrap().template, None);
    assert_eq!(
        kept::<ControllerRevision>(with(revision, "/metadata/labels", json!({}))),
        None
    );
}

/// The API server takes as many as an object has room for.
#[test]
fn of_very_many_labels_the_first_are_kept() {
    let labels: serde_json::Map<_, _> = (0..20_000)
        .map(|number| (format!("l{number:05}"), json!("x")))
        .collect();
    let mut object = deployment();
    object["metadata"]["labels"] = labels.into();
    let kept = workload(WorkloadKind::DEPLOYMENT, object).labels;
    assert_eq!(kept.len(), 256);
    assert_eq!(kept.keys().next_back().map(String::as_str), Some("l00255"));
}
