//! `explain`: sections, and what to undo to.

use serde_json::{Value, json};

use super::*;
use crate::kinds::WorkloadKind;
use crate::report::tests::{Shop, now, projection, reference, rich_spec};

fn web(status: Value) -> Shop {
    let projection = projection("Deployment", "web", status);
    Shop::new().workload(
        WorkloadKind::DEPLOYMENT,
        "web",
        rich_spec(),
        Some(projection),
    )
}

fn explained(shop: &Shop) -> Explanation {
    Explanation::new(shop.first(), &shop.0, &Leader::Leads("a".to_owned()))
}

fn text(shop: &Shop) -> String {
    explained(shop).page(false, now()).text(false)
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
            "state": "Failed", "unready": 0,
            "trouble": {"pod": "web-2", "reason": "CrashLoopBackOff", "since": "2026-01-02T10:01:00Z"},
        }],
        "references": [
            reference("ConfigMap", "app", "Live"),
            reference("ConfigMap", "app", "Frozen"),
        ],
    })
}

#[test]
fn everything_about_a_workload() {
    let shop = web(suspended())
        .replica_set("web", "web-old", "1", json!({"spec": {}}))
        .pod_of("web", "web-1")
        .pod_of("web", "web-2")
        .replica_set("web", "web-new", "4", json!({"spec": rich_spec()}));
    assert_eq!(
        text(&shop),
        "\
deployment/web in namespace shop

State
  Held: Suspended  since 4m ago (2026-01-02T11:56:00Z)
  1 Pod outdated: the policy is suspended.
  Next: in 20s (2026-01-02T12:00:20Z)
  Set spec.suspend of the policy to false when rolls are wanted again; everything outdated is then rolled.

Policy
  SyncPolicy/default  strategy Rollout, settle 2s, minInterval 30s  suspended
  It selects the workload.

Projects
  configmap/app         Live     volume color, log.level as color, level                               a changed 5m ago
  configmap/app         Frozen   env log.level as LOG_LEVEL; volume color, log.level as color, level   a changed 5m ago
  secret/db             Frozen   envFrom all keys as DB_* (optional)                                   excluded by the policy
  serviceAccountToken   Live     volume token                                                          refreshed by the kubelet itself

Pods
  1 Fresh, 1 Stale
  pod/web-1   Stale   It started before ConfigMap/app changed.
  pod/web-2   Fresh

Rolls
  120m ago   ConfigMap/app: a, b   Failed: CrashLoopBackOff of Pod web-2

Undo
  To undo the last change of the template that somebody else made:
    kubectl rollout undo deployment/web -n shop --to-revision=1
"
    );
    let report = explained(&shop);
    let wide = report.page(true, now()).text(false);
    assert!(
        wide.contains("  120m ago   2026-01-02T10:00:00Z   ConfigMap/app: a, b   Failed: CrashLoopBackOff of Pod web-2   v1.ab.cd\n"),
        "{wide}"
    );
    assert_eq!(report.names(), ["deployment.apps/web"]);
}

#[test]
fn a_workload_that_is_not_managed_is_told_how_to_be() {
    let text = |annotations: Value| {
        let template = json!({"spec": {}});
        text(&Shop::new().annotated(WorkloadKind::DEPLOYMENT, "web", annotations, template, None))
    };
    assert_eq!(
        text(json!({})),
        "\
deployment/web in namespace shop
Not managed: no policy selects it; make a SyncPolicy that does, or annotate it with projsync.dev/sync=true.

Projects
  no ConfigMap and no Secret
"
    );
    let text = |sync: &str| text(json!({"projsync.dev/sync": sync}));
    assert!(text("false").contains("is \"false\"; remove it"));
    assert!(text("true").contains("does the operator watch this namespace"));
    assert!(text("no").contains("names the policy \"no\", and there is no valid one"));
    assert!(text("a\u{1b}b").contains("the policy \"a\\u{1b}b\""));
    let shop = Shop::new().annotated(
        WorkloadKind::DEPLOYMENT,
        "web",
        json!({}),
        json!({"spec": {}}),
        None,
    );
    let explanation = Explanation::new(shop.first(), &shop.0, &Leader::Nobody);
    let why = explanation.not_managed.unwrap_or_default();
    assert!(why.contains("no operator leads"), "{why}");
}

#[test]
fn pods_that_can_not_be_told_of_come_with_advice() {
    let status = json!({"summary": {"state": "Unknown"}, "pods": {"fresh": 0, "unknown": 2}});
    let advice = explained(&web(status)).advice;
    assert!(advice.is_some_and(|advice| advice.contains("first content known")));
    assert_eq!(explained(&web(json!({}))).advice, None);
}

#[test]
fn the_policy_may_be_the_defaults() {
    let status = json!({"policy": {"kind": null, "name": null, "why": "No policy selects it."}});
    let text = text(&web(status));
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

/// A Deployment with this template that Projsync has rolled, without what its controller keeps.
fn rolled(template: Value) -> Shop {
    let roll = json!({"revision": "v1.a", "time": "2026-01-02T10:00:00Z"});
    let projection = projection("Deployment", "web", json!({"rolls": [roll]}));
    Shop::new().annotated(
        WorkloadKind::DEPLOYMENT,
        "web",
        json!({}),
        template,
        Some(projection),
    )
}

fn undo(shop: &Shop) -> (Option<i64>, bool) {
    let undo = Undo::of(shop.first(), &shop.0).unwrap();
    assert_eq!(undo.command.is_some(), undo.to_revision.is_some());
    (undo.to_revision, undo.plain_undo_is_ours)
}

#[test]
fn after_our_rolls_undo_goes_behind_them() {
    let shop = rolled(template("web:2", Some("v1.b")))
        .replica_set("web", "web-1", "1", template("web:0", None))
        .replica_set("web", "web-2", "2", template("web:1", Some("v1.a")))
        .replica_set("web", "web-10", "10", template("web:2", Some("v1.b")))
        .replica_set("web", "web-9", "9", template("web:2", Some("v1.a")));
    assert_eq!(undo(&shop), (Some(2), true));
    let text = text(&shop);
    let expected = "\
Undo
  To undo the last change of the template that somebody else made:
    kubectl rollout undo deployment/web -n shop --to-revision=2
  `kubectl rollout undo` without a revision only undoes a roll by Projsync";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn where_the_last_change_was_not_ours_plain_undo_does_it() {
    let shop = rolled(template("web:2", Some("v1.a")))
        .replica_set("web", "web-3", "3", template("web:1", Some("v1.a")))
        .replica_set("web", "web-4", "4", template("web:2", Some("v1.a")));
    assert_eq!(undo(&shop), (Some(3), false));
}

#[test]
fn where_only_our_rolls_are_kept_there_is_no_revision() {
    let shop = rolled(template("web:2", Some("v1.b")))
        .replica_set("web", "web-3", "3", template("web:2", None))
        .replica_set("web", "web-4", "4", template("web:2", Some("v1.b")));
    assert_eq!(undo(&shop), (None, true));
    let text = text(&shop);
    assert!(text.contains("none of them undoes a change"), "{text}");
}

#[test]
fn a_template_that_has_no_replica_set_yet_undoes_to_the_newest() {
    let set = template("web:1", None);
    let shop = rolled(template("web:2", None)).replica_set("web", "web-3", "3", set);
    assert_eq!(undo(&shop), (Some(3), false));
}

#[test]
fn others_replica_sets_and_malformed_ones_do_not_count() {
    let shop = rolled(template("web:2", None))
        .replica_set("other", "other-7", "7", template("other:1", None))
        .replica_set("web", "web-x", "x", template("web:0", None));
    assert_eq!(Undo::of(shop.first(), &shop.0), None);
}

#[test]
fn what_projsync_never_rolled_has_nothing_to_undo() {
    let shop = web(json!({})).replica_set("web", "web-1", "1", template("web:1", None));
    assert_eq!(Undo::of(shop.first(), &shop.0), None);
}

#[test]
fn controller_revisions_are_numbered_themselves() {
    let roll = json!({"revision": "v1.a", "time": "2026-01-02T10:00:00Z"});
    let projection = projection("StatefulSet", "db", json!({"rolls": [roll]}));
    let shop = Shop::new()
        .workload(
            WorkloadKind::STATEFUL_SET,
            "db",
            json!({}),
            Some(projection),
        )
        .revision("db", 1, template("db:1", None))
        .revision("db", 2, template("db:2", None))
        .revision("db", 3, template("db:2", Some("v1.a")));
    assert_eq!(undo(&shop), (Some(1), true));
}

/// kubectl brings back the annotations that the Deployment had at the earlier revision.
#[test]
fn an_undo_that_changed_the_annotation_is_told() {
    let said = |now: Value, newest: Value| {
        let template =
            |image: &str| json!({"spec": {"containers": [{"name": "c", "image": image}]}});
        let shop = Shop::new()
            .annotated(
                WorkloadKind::DEPLOYMENT,
                "web",
                now,
                template("web:1"),
                None,
            )
            .replica_set_with("web", "web-1", newest, template("web:1"))
            .replica_set_with(
                "web",
                "web-2",
                json!({"deployment.kubernetes.io/revision": "2", "projsync.dev/sync": "false"}),
                template("web:2"),
            );
        text(&shop).contains("projsync.dev/sync was \"false\" and is absent now")
    };
    let came_back = json!({
        "deployment.kubernetes.io/revision": "3",
        "deployment.kubernetes.io/revision-history": "1",
    });
    assert!(said(json!({}), came_back.clone()));
    let again = json!({"projsync.dev/sync": "false"});
    assert!(!said(again, came_back), "it was set again");
    let rolled_out = json!({"deployment.kubernetes.io/revision": "3"});
    assert!(!said(json!({}), rolled_out), "its owner changed both");
}
