//! `explain`: sections, and what to undo to.

use serde_json::{Value, json};

use super::render::page;
use super::undo::{Revision, Undo, revisions, template_hash};
use super::*;
use crate::cli::objects::Workload;
use crate::cli::samples::{now, object, pod_of, projection, reference, rich_spec, workload};

fn web(status: Value) -> Workload {
    let projection = projection("Deployment", "web", status);
    workload(
        WorkloadKind::Deployment,
        "web",
        rich_spec(),
        Some(projection),
    )
}

fn suspended() -> Value {
    json!({
        "summary": {"state": "Held"},
        "policy": {"suspend": true},
        "pods": {"total": 2, "fresh": 1, "stale": 1, "notFresh": [
            {"name": "web-1", "state": "Stale", "reason": "It started before ConfigMap/app changed."},
        ]},
        "decision": {
            "outcome": "Hold", "reason": "Suspended", "message": "1 Pod outdated: the policy is suspended.",
            "since": "2026-01-02T11:56:00Z", "until": "2026-01-02T12:00:20Z",
        },
        "rolls": [{
            "revision": "v1.ab.cd", "time": "2026-01-02T10:00:00Z", "causes": ["ConfigMap/app: a, b"],
        }],
        "references": [
            reference("ConfigMap", "app", "Live"),
            reference("ConfigMap", "app", "Frozen"),
        ],
    })
}

#[test]
fn everything_about_a_workload() {
    let pods = [pod_of("web", "web-1"), pod_of("web", "web-2")];
    let undo = Undo {
        to_revision: Some(3),
        command: Some("kubectl rollout undo deployment/web -n shop --to-revision=3".to_owned()),
        plain_undo_is_ours: true,
    };
    let report = Report::new(
        web(suspended()),
        "shop".to_owned(),
        Some(&pods),
        Some(undo),
        vec![],
    );
    assert_eq!(
        page(&report, Format::Table, now()).text(false),
        "\
deployment/web in namespace shop

Decision
  Held  Hold  Suspended  since 4m ago (2026-01-02T11:56:00Z)
  1 Pod outdated: the policy is suspended.
  until 2026-01-02T12:00:20Z (in 20s)
  Set spec.suspend of the policy to false when rolls are wanted again; everything outdated is then rolled.

Policy
  SyncPolicy/default  strategy Rollout, settle 2s, minInterval 30s  suspended
  It selects the workload.

Projects
  configmap/app         Live     volume color, log.level as color, level                               content of 5m ago: changed a
  configmap/app         Frozen   volume color, log.level as color, level; env log.level as LOG_LEVEL   content of 5m ago: changed a
  secret/db             Frozen   envFrom all keys as DB_* (optional)                                   left out by its policy
  serviceAccountToken   Live     volume token                                                          refreshed by the kubelet itself

Pods
  2: 1 Fresh, 1 Stale
  pod/web-1   Stale   It started before ConfigMap/app changed.
  pod/web-2   Fresh

Rolls
  120m ago   ConfigMap/app: a, b

Undo
  The last change of the template that was not Projsync's is undone by
    kubectl rollout undo deployment/web -n shop --to-revision=3
  Plain `kubectl rollout undo` would only undo a roll of Projsync: the template stays as it is, and new Pods start with the content of now.
"
    );
    let wide = page(&report, Format::Wide, now()).text(false);
    assert!(
        wide.contains("  120m ago   2026-01-02T10:00:00Z   ConfigMap/app: a, b   v1.ab.cd\n"),
        "{wide}"
    );
    let name = page(&report, Format::Name, now()).text(false);
    assert_eq!(name, "deployment.apps/web\n");
}

#[test]
fn a_workload_that_is_not_managed_is_told_how_to_be() {
    let text = |sync: Option<&str>| {
        let mut workload = workload(WorkloadKind::Deployment, "web", json!({}), None);
        workload.sync = sync.map(str::to_owned);
        let report = Report::new(workload, "shop".to_owned(), Some(&[]), None, vec![]);
        page(&report, Format::Table, now()).text(false)
    };
    assert_eq!(
        text(None),
        "\
deployment/web in namespace shop
Not managed: no policy selects it; make a SyncPolicy that does, or annotate it with projsync.dev/sync=true.

Projects
  no ConfigMap and no Secret
"
    );
    assert!(text(Some("false")).contains("is \"false\"; remove it"));
    assert!(text(Some("true")).contains("is the operator running"));
    assert!(text(Some("a\u{1b}b")).contains("is \"a\\u{1b}b\""));
}

#[test]
fn pods_that_can_not_be_told_of_come_with_advice() {
    let status = json!({"summary": {"state": "Unknown"}, "pods": {"fresh": 0, "unknown": 2}});
    let report = Report::new(web(status), "shop".to_owned(), None, None, vec![]);
    assert!(
        report
            .advice
            .is_some_and(|advice| advice.contains("first content known"))
    );
    let report = Report::new(web(json!({})), "shop".to_owned(), None, None, vec![]);
    assert_eq!(report.advice, None);
}

#[test]
fn the_policy_may_be_the_defaults() {
    let status = json!({"policy": {"kind": null, "name": null, "why": "No policy selects it."}});
    let report = Report::new(web(status), "shop".to_owned(), None, None, vec![]);
    let text = page(&report, Format::Table, now()).text(false);
    let expected = "\nPolicy\n  the defaults  strategy Rollout, settle 2s, minInterval 30s\n";
    assert!(text.contains(expected), "{text}");
}

// === Undo ===

fn template(image: &str, ours: Option<&str>) -> Value {
    let mut template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    });
    if let Some(ours) = ours {
        template["metadata"]["annotations"] = json!({"projsync.dev/revision": ours});
    }
    template
}

fn owned(mut value: Value) -> DynamicObject {
    value["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "X", "name": "web", "uid": "uid-web", "controller": true,
    }]);
    object(value)
}

fn replica_set(number: &str, mut template: Value) -> DynamicObject {
    template["metadata"]["labels"]["pod-template-hash"] = json!(format!("hash{number}"));
    owned(json!({
        "metadata": {"name": format!("web-{number}"), "annotations": {"deployment.kubernetes.io/revision": number}},
        "spec": {"template": template},
    }))
}

fn undo_of(current: &Value, replica_sets: &[DynamicObject]) -> Option<Undo> {
    let found = revisions(WorkloadKind::Deployment, "uid-web", replica_sets);
    let workload = "deployment/web".parse().unwrap();
    Undo::new(&workload, "shop", template_hash(current), found)
}

#[test]
fn after_our_rolls_undo_goes_behind_them() {
    let current = template("web:2", Some("v1.b"));
    let undo = undo_of(
        &current,
        &[
            replica_set("1", template("web:0", None)),
            replica_set("2", template("web:1", Some("v1.a"))),
            replica_set("10", template("web:2", Some("v1.b"))),
            replica_set("9", template("web:2", Some("v1.a"))),
        ],
    )
    .unwrap();
    assert_eq!(undo.to_revision, Some(2));
    assert_eq!(
        undo.command.as_deref(),
        Some("kubectl rollout undo deployment/web -n shop --to-revision=2")
    );
    assert!(undo.plain_undo_is_ours);
}

#[test]
fn where_the_last_change_was_not_ours_plain_undo_does_it() {
    let undo = undo_of(
        &template("web:2", Some("v1.a")),
        &[
            replica_set("3", template("web:1", Some("v1.a"))),
            replica_set("4", template("web:2", Some("v1.a"))),
        ],
    )
    .unwrap();
    assert_eq!(
        (undo.to_revision, undo.plain_undo_is_ours),
        (Some(3), false)
    );
}

#[test]
fn where_only_our_rolls_are_kept_there_is_no_revision() {
    let undo = undo_of(
        &template("web:2", Some("v1.b")),
        &[
            replica_set("3", template("web:2", None)),
            replica_set("4", template("web:2", Some("v1.b"))),
        ],
    )
    .unwrap();
    assert_eq!(
        (undo.to_revision, undo.command, undo.plain_undo_is_ours),
        (None, None, true)
    );
}

#[test]
fn a_template_that_has_no_replica_set_yet_undoes_to_the_newest() {
    let sets = [replica_set("3", template("web:1", None))];
    let undo = undo_of(&template("web:2", None), &sets).unwrap();
    assert_eq!(undo.to_revision, Some(3));
}

#[test]
fn others_replica_sets_and_malformed_ones_do_not_count() {
    let mut other = replica_set("7", template("other:1", None));
    other.metadata.owner_references = None;
    let malformed = replica_set("x", template("web:0", None));
    assert_eq!(
        revisions(WorkloadKind::Deployment, "uid-web", &[other, malformed]),
        []
    );
    assert_eq!(undo_of(&json!("no template"), &[]), None);
}

#[test]
fn controller_revisions_are_numbered_themselves() {
    let revision = |number: i64, mut template: Value| {
        template["$patch"] = json!("replace");
        owned(json!({
            "metadata": {"name": format!("db-{number}")},
            "revision": number,
            "data": {"spec": {"template": template}},
        }))
    };
    let found = revisions(
        WorkloadKind::StatefulSet,
        "uid-web",
        &[
            revision(1, template("db:1", None)),
            revision(2, template("db:2", None)),
            revision(3, template("db:2", Some("v1.a"))),
        ],
    );
    assert_eq!(found.len(), 3);
    let workload = "sts/db".parse().unwrap();
    let undo = Undo::new(&workload, "shop", None, found).unwrap();
    assert_eq!(undo.to_revision, Some(1));
    assert!(undo.plain_undo_is_ours);
    let none: Vec<Revision> = Vec::new();
    assert_eq!(Undo::new(&workload, "shop", None, none), None);
}
