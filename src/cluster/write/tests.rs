use std::time::Duration;

use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::*;
use crate::api::policy::PolicyStatus;
use crate::api::projection::{ProjectionSpec, ProjectionStatus};
use crate::cluster::lease::Leadership;
use crate::cluster::test_server::{TestServer, status};
use crate::core::policy::PolicyId;
use crate::kinds::{Rv, WorkloadId, WorkloadKind};
use crate::telemetry::metrics;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Leads for so long.
fn leads(time: Duration) -> Leadership {
    let until = Instant::now() + time;
    Leadership::Leader { until }
}

fn told(leadership: Leadership, server: &TestServer) -> (Writer, watch::Sender<Leadership>) {
    let metrics = metrics::register(&mut Registry::default());
    let (told, leadership) = watch::channel(leadership);
    (
        Writer::new(server.client(), leadership, TIMEOUT, metrics),
        told,
    )
}

/// A writer that leads.
fn writer(server: &TestServer) -> Writer {
    told(leads(2 * TIMEOUT), server).0
}

fn id(kind: WorkloadKind) -> WorkloadId {
    WorkloadId::new(kind, "shop", "web")
}

async fn roll_on(server: &TestServer) -> Written {
    let id = id(WorkloadKind::DEPLOYMENT);
    let target = Target {
        id: &id,
        uid: "u-1",
        resource_version: "42",
    };
    writer(server).roll(target, "v1.0a0b0c0d.ff").await
}

fn patched(version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"namespace": "shop", "name": "web", "uid": "u-1", "resourceVersion": version},
    })
}

fn done(rv: Option<u64>) -> Written {
    Written::Done {
        rv: rv.map(Rv),
        date: "2025-11-24T10:00:00Z".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_roll_applies_one_annotation_to_the_version_that_was_seen() {
    for (kind, plural) in [
        (WorkloadKind::DEPLOYMENT, "deployments"),
        (WorkloadKind::STATEFUL_SET, "statefulsets"),
        (WorkloadKind::DAEMON_SET, "daemonsets"),
    ] {
        let server = TestServer::default();
        server.answer(200, patched("43"));
        let id = id(kind);
        let target = Target {
            id: &id,
            uid: "u-1",
            resource_version: "42",
        };
        let outcome = writer(&server).roll(target, "v1.0a0b0c0d.ff").await;
        assert_eq!(outcome, done(Some(43)));
        let asked = server.asked().remove(0);
        assert_eq!(asked.method, "PATCH");
        assert_eq!(
            asked.path,
            format!("/apis/apps/v1/namespaces/shop/{plural}/web")
        );
        assert_eq!(asked.query, "&force=true&fieldManager=projsync");
        assert_eq!(asked.content_type, "application/apply-patch+yaml");
        assert!(!asked.accept.contains("Partial"), "{}", asked.accept);
        assert_eq!(
            asked.body,
            json!({
                "apiVersion": "apps/v1",
                "kind": kind.as_str(),
                "metadata": {
                    "namespace": "shop", "name": "web", "uid": "u-1", "resourceVersion": "42",
                },
                "spec": {"template": {"metadata": {"annotations": {
                    "projsync.dev/revision": "v1.0a0b0c0d.ff",
                }}}},
            })
        );
    }
}

/// A mutating webhook can take the annotation away in the same request.
#[tokio::test]
async fn a_roll_that_changes_no_template_is_none() {
    let server = TestServer::default();
    let workload = |template: Value| {
        let mut workload = patched("43");
        workload["kind"] = "Deployment".into();
        workload["spec"]["template"] = template;
        workload
    };
    let annotated = |revision: &str| {
        let annotations = json!({"projsync.dev/revision": revision, "kept": "x"});
        json!({"metadata": {"annotations": annotations}})
    };
    let table = [
        (annotated("v1.0a0b0c0d.ff"), done(Some(43))),
        (annotated("v1.0a0b0c0d.ee"), Written::WithoutEffect),
        (
            json!({"metadata": {"annotations": {"kept": "x"}}}),
            Written::WithoutEffect,
        ),
        (json!({"metadata": {}, "spec": {}}), Written::WithoutEffect),
        (json!({}), Written::WithoutEffect),
    ];
    for (template, expected) in table {
        server.answer(200, workload(template.clone()));
        assert_eq!(roll_on(&server).await, expected, "{template}");
    }
}

#[tokio::test]
async fn a_roll_is_never_blind() {
    let server = TestServer::default();
    let id = id(WorkloadKind::DEPLOYMENT);
    for (uid, resource_version) in [("", "42"), ("u-1", "")] {
        let target = Target {
            id: &id,
            uid,
            resource_version,
        };
        let outcome = writer(&server).roll(target, "v1.0a0b0c0d.ff").await;
        assert!(matches!(outcome, Written::Failed { .. }));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn what_becomes_of_a_write() {
    let refused = |code: u16, reason: &str| Written::Refused {
        message: format!("{code} {reason}: why"),
    };
    let failed = |code: u16, reason: &str| Written::Failed {
        message: format!("{code} {reason}: why"),
    };
    let table = [
        (409, "Conflict", Written::Conflict),
        (404, "NotFound", Written::Gone),
        (400, "BadRequest", refused(400, "BadRequest")),
        (403, "Forbidden", refused(403, "Forbidden")),
        (422, "Invalid", refused(422, "Invalid")),
        (401, "Unauthorized", failed(401, "Unauthorized")),
        (429, "TooManyRequests", failed(429, "TooManyRequests")),
        (500, "InternalError", failed(500, "InternalError")),
        (503, "ServiceUnavailable", failed(503, "ServiceUnavailable")),
        (504, "Timeout", failed(504, "Timeout")),
    ];
    let server = TestServer::default();
    for (code, reason, expected) in table {
        server.answer(code, status(code, reason, "why"));
        assert_eq!(roll_on(&server).await, expected, "{code}");
    }
}

#[tokio::test]
async fn what_a_proxy_says_is_not_repeated() {
    let server = TestServer::default();
    for code in [403, 502] {
        server.answer(code, "<html>hunter2</html>");
        let text = format!("{:?}", roll_on(&server).await);
        assert!(
            text.contains(&code.to_string()) && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_long_refusal_is_cut() {
    let server = TestServer::default();
    server.answer(403, status(403, "Forbidden", &"no\n".repeat(10_000)));
    let Written::Refused { message } = roll_on(&server).await else {
        panic!("refused");
    };
    assert!(message.len() < 600 && !message.contains('\n'));
}

#[tokio::test]
async fn a_write_whose_answer_is_malformed_was_made_all_the_same() {
    let server = TestServer::default();
    for body in [json!({}), json!("x"), patched("new")] {
        server.answer(200, body);
        assert_eq!(roll_on(&server).await, done(None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_ends_in_time() {
    let outcome = roll_on(&TestServer::default()).await;
    let message = "no answer within 5s".to_owned();
    assert_eq!(outcome, Written::Failed { message });
}

#[tokio::test]
async fn a_projection_is_one_write() {
    let server = TestServer::default();
    server.answer(201, patched("50"));
    let spec: ProjectionSpec = serde_json::from_value(json!({
        "workload": {"kind": "Deployment", "name": "web", "uid": "u-1"},
    }))
    .unwrap();
    let status = ProjectionStatus::default();
    let id = id(WorkloadKind::DEPLOYMENT);
    let version = Some(Rv(49));
    let outcome = writer(&server)
        .projection(&id, &spec, &status, version)
        .await;
    assert_eq!(outcome, done(Some(50)));
    let asked = server.asked().remove(0);
    assert_eq!(
        asked.path,
        "/apis/projsync.dev/v1alpha1/namespaces/shop/projections/deployment-web"
    );
    assert_eq!(asked.query, "&force=true&fieldManager=projsync");
    assert_eq!(asked.content_type, "application/apply-patch+yaml");
    assert_eq!(asked.body["apiVersion"], "projsync.dev/v1alpha1");
    assert_eq!(asked.body["kind"], "Projection");
    assert!(asked.body["status"].is_object());
    assert_eq!(
        asked.body["metadata"],
        json!({
            "namespace": "shop",
            "name": "deployment-web",
            "resourceVersion": "49",
            "labels": {"app.kubernetes.io/managed-by": "projsync"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-1"},
            ],
        })
    );
}

#[tokio::test]
async fn a_projection_is_deleted() {
    let server = TestServer::default();
    server.answer(200, json!({"kind": "Status", "status": "Success"}));
    server.answer(404, status(404, "NotFound", "why"));
    let (writer, id) = (writer(&server), id(WorkloadKind::DEPLOYMENT));
    let deleted = writer.delete_projection(&id, Some(Rv(49))).await;
    assert_eq!(deleted, done(None));
    let deleted = writer.delete_projection(&id, None).await;
    assert_eq!(deleted, Written::Gone);
    let asked = server.asked().remove(0);
    assert_eq!(asked.method, "DELETE");
    assert_eq!(
        asked.body["preconditions"],
        json!({"resourceVersion": "49"})
    );
    assert_eq!(
        asked.path,
        "/apis/projsync.dev/v1alpha1/namespaces/shop/projections/deployment-web"
    );
}

#[tokio::test]
async fn the_status_of_a_policy_is_written_alone() {
    let namespaced = PolicyId::namespaced("shop", "fast");
    let cluster = PolicyId::cluster("fast");
    for (id, path, kind) in [
        (
            &namespaced,
            "namespaces/shop/syncpolicies/fast/status",
            "SyncPolicy",
        ),
        (
            &cluster,
            "clustersyncpolicies/fast/status",
            "ClusterSyncPolicy",
        ),
    ] {
        let server = TestServer::default();
        server.answer(200, patched("60"));
        let outcome = writer(&server)
            .policy_status(id, &PolicyStatus::default())
            .await;
        assert_eq!(outcome, done(Some(60)));
        let asked = server.asked().remove(0);
        assert_eq!(asked.path, format!("/apis/projsync.dev/v1alpha1/{path}"));
        assert_eq!(asked.body["kind"], kind);
        assert_eq!(asked.body["metadata"]["name"], "fast");
        let namespace = id.namespace().map(|namespace| namespace.to_string());
        assert_eq!(
            asked.body["metadata"].get("namespace"),
            namespace.map(Value::from).as_ref()
        );
        assert_eq!(asked.body.get("spec"), None);
        assert!(asked.body["status"].is_object());
    }
}

#[tokio::test]
async fn who_does_not_lead_sends_nothing() {
    let server = TestServer::default();
    let standby = Leadership::Standby { holder: None };
    for leadership in [Leadership::Unknown, standby, leads(Duration::ZERO)] {
        let (writer, _told) = told(leadership, &server);
        let id = PolicyId::cluster("fast");
        let outcome = writer.policy_status(&id, &PolicyStatus::default()).await;
        assert_eq!(outcome, Written::NotLeading);
        assert_eq!(outcome.outcome(), None);
    }
    assert!(server.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_write_ends_with_the_leadership() {
    let server = TestServer::default();
    let (writer, told) = told(leads(Duration::from_secs(2)), &server);
    let renewal = async {
        sleep(Duration::from_secs(1)).await;
        told.send_replace(leads(Duration::from_secs(2)));
    };
    let begun = Instant::now();
    let (id, status) = (PolicyId::cluster("fast"), PolicyStatus::default());
    let (outcome, ()) = tokio::join!(writer.policy_status(&id, &status), renewal);
    let message = "the leadership ended before an answer came".to_owned();
    assert_eq!(outcome, Written::Failed { message });
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}
