use super::*;
use crate::core::object::pod::Owner;
use crate::core::time::ServerTime;

pub(super) fn pod() -> Value {
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "web-5d4f8c7b9-abcde",
            "generateName": "web-5d4f8c7b9-",
            "namespace": "shop",
            "uid": "7c1c7f86-5a29-4b40-9f0e-0b5a5a5c8f11",
            "resourceVersion": "8200",
            "creationTimestamp": "2025-11-24T10:00:03Z",
            "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"},
            "annotations": {"projsync.dev/revision": "v1.0a0b0c0d.ff"},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "aaaa"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9",
                 "uid": "5a5b0a7e-0000-4000-8000-000000000001", "controller": true, "blockOwnerDeletion": true},
            ],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "apiVersion": "v1",
                "time": "2025-11-24T10:00:07Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:status": {"f:phase": {}}}, "subresource": "status"}],
        },
        "spec": {
            "nodeName": "n1",
            "initContainers": [{"name": "wait", "image": "busybox"}],
            "containers": [{
                "name": "app", "image": "web:1",
                "envFrom": [{"configMapRef": {"name": "web"}}],
            }],
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True"},
            ],
            "initContainerStatuses": [{"name": "wait", "restartCount": 0, "lastState": {}, "state": {
                "terminated": {"exitCode": 0, "reason": "Completed",
                    "startedAt": "2025-11-24T10:00:04Z", "finishedAt": "2025-11-24T10:00:05Z"}}}],
            "containerStatuses": [{"name": "app", "restartCount": 0, "lastState": {}, "ready": true,
                "state": {"running": {"startedAt": "2025-11-24T10:00:06Z"}}}],
        },
    })
}

fn time(text: &str) -> ServerTime {
    text.parse().unwrap()
}

/// Name and start of each container.
fn starts(object: Value) -> Vec<(String, Option<ServerTime>)> {
    kept::<Pod>(object)
        .containers
        .iter()
        .map(|container| {
            (
                container.name.to_string(),
                container.started.map(|start| start.at),
            )
        })
        .collect()
}

fn start(state: Value, last: Value) -> Option<ServerTime> {
    let pod = with(pod(), "/status/containerStatuses/0/state", state);
    let pod = with(pod, "/status/containerStatuses/0/lastState", last);
    let starts = starts(pod);
    assert_eq!(starts[1].0, "app");
    starts[1].1
}

#[test]
fn a_pod_of_a_replica_set() {
    let pod = kept::<Pod>(pod());
    assert_eq!(
        pod.owner,
        Some(Owner {
            group: "apps".into(),
            kind: "ReplicaSet".into(),
            name: "web-5d4f8c7b9".into(),
            uid: "5a5b0a7e-0000-4000-8000-000000000001".into(),
        })
    );
    assert_eq!(pod.start.time, time("2025-11-24T10:00:03Z"));
    assert_eq!(pod.start.rv, None);
    assert_eq!(pod.revision.as_deref(), Some("v1.0a0b0c0d.ff"));
    assert_eq!(pod.revision_hash, None);
    assert_eq!(pod.broken, None);
    assert!(pod.active && pod.ready);
    assert_eq!(
        starts(super::pods::pod()),
        [
            ("wait".to_owned(), Some(time("2025-11-24T10:00:04Z"))),
            ("app".to_owned(), Some(time("2025-11-24T10:00:06Z"))),
        ]
    );
}

#[test]
fn the_last_start_of_a_container_counts() {
    let at = "2025-11-24T10:05:00Z";
    let before = json!({"terminated": {"exitCode": 1, "startedAt": "2025-11-24T10:01:00Z"}});
    let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let table = [
        (
            json!({"running": {"startedAt": at}}),
            before.clone(),
            Some(at),
        ),
        (
            json!({"terminated": {"exitCode": 0, "startedAt": at}}),
            before.clone(),
            Some(at),
        ),
        (
            waiting.clone(),
            before.clone(),
            Some("2025-11-24T10:01:00Z"),
        ),
        (waiting, json!({}), None),
        (json!({}), json!({}), None),
        // One that ended without having run.
        (
            json!({"terminated": {"reason": "ContainerCannotRun", "startedAt": "1970-01-01T00:00:00Z"}}),
            json!({}),
            None,
        ),
        (
            json!({"terminated": {"reason": "StartError", "startedAt": null}}),
            before,
            Some("2025-11-24T10:01:00Z"),
        ),
    ];
    for (state, last, expected) in table {
        assert_eq!(start(state.clone(), last), expected.map(time), "{state}");
    }
}

#[test]
fn a_pod_that_no_kubelet_took_up_has_not_started() {
    for status in [json!({"phase": "Pending"}), json!({}), json!(null)] {
        let pod = with(pod(), "/status", status);
        assert_eq!(
            starts(pod),
            [("wait".to_owned(), None), ("app".to_owned(), None)]
        );
    }
}

#[test]
fn a_running_container_without_status_is_not_reported() {
    let pod = with(pod(), "/status/containerStatuses", json!([]));
    let names: Vec<_> = starts(pod).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["wait"]);
}

#[test]
fn terminating_and_finished_pods_are_not_active() {
    assert!(
        !kept::<Pod>(with(
            pod(),
            "/metadata/deletionTimestamp",
            json!("2025-11-24T11:00:00Z")
        ))
        .active
    );
    for (phase, active) in [
        ("Succeeded", false),
        ("Failed", false),
        ("Pending", true),
        ("Unknown", true),
    ] {
        assert_eq!(
            kept::<Pod>(with(pod(), "/status/phase", json!(phase))).active,
            active,
            "{phase}"
        );
    }
}

#[test]
fn a_pod_is_broken_where_a_container_waits_in_vain() {
    for (reason, broken) in [
        ("CrashLoopBackOff", true),
        ("ImagePullBackOff", true),
        ("CreateContainerConfigError", true),
        ("ContainerCreating", false),
        ("PodInitializing", false),
    ] {
        let state = json!({"waiting": {"reason": reason, "message": "back-off"}});
        for list in ["containerStatuses", "initContainerStatuses"] {
            let pod = with(pod(), &format!("/status/{list}/0/state"), state.clone());
            let expected = broken.then_some(reason);
            assert_eq!(
                kept::<Pod>(pod).broken.as_deref(),
                expected,
                "{list} {reason}"
            );
        }
    }
}

/// Whether a container is ready, its restarts, and how long its last run took that ended
/// though it should not have.
fn run(list: &str, status: Value) -> (bool, u32, Option<u64>) {
    let mut pod = pod();
    for (field, value) in status.as_object().unwrap() {
        pod["status"][list][0][field] = value.clone();
    }
    let pod = kept::<Pod>(pod);
    let at = usize::from(list == "containerStatuses");
    let container = &pod.containers[at];
    assert_eq!(container.was_ready, container.ready);
    let end = container.end.as_ref().map(|end| end.after.as_secs());
    (container.ready, container.restarts, end)
}

#[test]
fn how_a_container_runs_is_told_by_its_status() {
    let ended = |code: i32| {
        json!({"terminated": {"exitCode": code, "reason": "Error",
            "startedAt": "2025-11-24T10:00:06Z", "finishedAt": "2025-11-24T10:00:09Z"}})
    };
    let (app, init) = ("containerStatuses", "initContainerStatuses");
    assert_eq!(run(app, json!({})), (true, 0, None));
    let waits = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let crashed = |state: &Value, last: &Value| json!({"ready": false, "restartCount": 2, "state": state, "lastState": last});
    let ran = (false, 2, Some(3));
    assert_eq!(run(app, crashed(&ended(1), &json!({}))), ran);
    assert_eq!(run(app, crashed(&waits, &ended(1))), ran);
    // One that is stopped for its liveness probe may well end with success.
    assert_eq!(run(app, crashed(&waits, &ended(0))), ran);
    assert_eq!(run(init, crashed(&waits, &ended(1))), ran);
    // An init container ends when it has done its work.
    assert_eq!(run(init, json!({"ready": true})), (true, 0, None));
    let again = crashed(&json!({}), &ended(0));
    assert_eq!(run(init, again), (false, 2, None));
    // One that could not run has no start.
    let none = json!({"terminated": {"exitCode": 128, "reason": "StartError",
        "startedAt": "1970-01-01T00:00:00Z", "finishedAt": "2025-11-24T10:00:09Z"}});
    let (_, _, end) = run(app, crashed(&waits, &none));
    assert!(end.is_some());
    let odd = json!({"terminated": {"exitCode": 1, "startedAt": null, "finishedAt": "x"}});
    assert_eq!(run(app, crashed(&waits, &odd)), (false, 2, None));
    assert_eq!(
        run(app, json!({"restartCount": -1, "ready": "yes"})),
        (false, 0, None)
    );
}

/// What a container was before its present run says nothing of this one.
#[test]
fn that_a_container_was_ready_is_remembered_as_long_as_it_runs() {
    let ready = kept::<Pod>(pod());
    let not_ready = |started: &str| {
        let pod = with(pod(), "/status/containerStatuses/0/ready", json!(false));
        let state = json!({"running": {"startedAt": started}});
        let mut pod = kept::<Pod>(with(pod, "/status/containerStatuses/0/state", state));
        pod.inherit(&ready);
        pod.containers[1].was_ready
    };
    assert!(not_ready("2025-11-24T10:00:06Z"));
    assert!(!not_ready("2025-11-24T10:00:16Z"));
}

#[test]
fn the_pods_of_a_set_carry_its_revision() {
    let labels = json!({"controller-revision-hash": "db-6c5d9f"});
    let pod = kept::<Pod>(with(pod(), "/metadata/labels", labels));
    assert_eq!(pod.revision_hash.as_deref(), Some("db-6c5d9f"));
}

/// The kubelet writes `startTime` by its node's clock when it takes the Pod up.
#[test]
fn how_far_the_nodes_clock_may_be_ahead() {
    let ahead = |taken_up: Value| {
        let mut object = pod();
        object["metadata"]["creationTimestamp"] = json!("2025-11-24T10:00:00Z");
        object["status"]["startTime"] = taken_up;
        let starts = kept::<Pod>(object).containers.into_iter();
        let ahead: Vec<u8> = starts.filter_map(|one| Some(one.started?.ahead)).collect();
        assert!(!ahead.is_empty() && ahead.iter().all(|one| *one == ahead[0]));
        ahead[0]
    };
    assert_eq!(ahead(json!("2025-11-24T10:00:00Z")), 1);
    assert_eq!(ahead(json!("2025-11-24T10:00:05Z")), 6);
    // It waited long for a node, or nothing tells; a clock that is behind is not ahead.
    assert_eq!(ahead(json!("2025-11-24T11:00:00Z")), 10);
    assert_eq!(ahead(Value::Null), 10);
    assert_eq!(ahead(json!("2025-11-24T09:59:00Z")), 1);
}

/// The volume that the API server adds to each Pod.
fn default_token() -> Value {
    json!({"name": "kube-api-access-x7k2p", "projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]}})
}

#[test]
fn what_its_own_spec_projects_is_shared_with_its_template() {
    let mut deployment = workloads::deployment();
    let mut pod = pod();
    deployment["spec"]["template"]["spec"] = pod["spec"].clone();
    let template = kept::<AnyWorkload>(deployment)
        .of(WorkloadKind::DEPLOYMENT)
        .references;
    let mount = json!({"name": "kube-api-access-x7k2p", "readOnly": true,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    pod["spec"]["volumes"] = json!([default_token()]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([mount]);
    let own = kept::<Pod>(pod.clone()).own.unwrap();
    assert!(Arc::ptr_eq(&own, &template));

    // What a webhook adds is its own.
    pod["spec"]["containers"][0]["env"] = json!([{"name": "TOKEN", "valueFrom":
        {"secretKeyRef": {"name": "mesh", "key": "token"}}}]);
    let own = kept::<Pod>(pod).own.unwrap();
    let names: Vec<&str> = own.iter().map(|one| &*one.source.1).collect();
    assert_eq!(names, ["web", "mesh"]);
}

#[test]
fn without_a_spec_a_pod_has_what_its_template_has() {
    let pod = with(pod(), "/spec", json!(null));
    assert_eq!(kept::<Pod>(pod).own, None);
}
