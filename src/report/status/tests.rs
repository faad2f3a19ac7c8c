//! `status`: order, tables, JSON.

use serde_json::{Value, json};

use super::*;
use crate::report::output;
use crate::report::tests::{now, projection};

fn row(namespace: &str, name: &str, status: Value) -> Row {
    let mut projection = projection("Deployment", name, status);
    projection.metadata.namespace = Some(namespace.to_owned());
    Row::from(&projection)
}

fn in_state(name: &str, state: &str, stale: u32) -> Row {
    let status = json!({
        "summary": {"state": state},
        "pods": {"total": 5, "fresh": 5 - stale, "stale": stale},
    });
    row("shop", name, status)
}

fn report(rows: Vec<Row>) -> Status {
    Status::new(rows, Vec::new(), now())
}

#[test]
fn the_worst_comes_first() {
    let pending = Row::from(&{
        let mut projection = projection("Deployment", "pending", json!({}));
        projection.status = None;
        projection
    });
    let report = report(vec![
        in_state("fine", "InSync", 0),
        in_state("unsure", "Unknown", 0),
        pending,
        in_state("rolling", "Rolling", 4),
        in_state("waiting", "Waiting", 1),
        in_state("held-little", "Held", 1),
        in_state("held-much", "Held", 3),
        in_state("a-fine", "InSync", 0),
    ]);
    let names: Vec<&str> = report
        .items
        .iter()
        .map(|r| r.workload.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "held-much",
            "held-little",
            "waiting",
            "rolling",
            "pending",
            "unsure",
            "a-fine",
            "fine"
        ]
    );
}

#[test]
fn a_workload_of_which_nothing_is_decided_is_not_in_sync() {
    let mut projection = projection("Deployment", "web", json!({}));
    projection.status = None;
    assert_eq!(report(vec![Row::from(&projection)]).out_of_sync(), 1);
}

/// All have the new content, and crash with it.
#[test]
fn pods_that_are_not_ready_since_a_roll_are_told_and_no_success() {
    let row = row(
        "shop",
        "web",
        json!({
            "pods": {"total": 2, "fresh": 2, "notReady": 2},
            "rolls": [{
                "time": "2026-01-02T11:59:10Z", "revision": "v1.a.b",
                "causes": ["ConfigMap/common: WORKERS"],
            }],
        }),
    );
    let report = report(vec![row, in_state("fine", "InSync", 0)]);
    assert_eq!(report.items[0].workload.name, "web");
    assert_eq!(report.out_of_sync(), 1);
    assert_eq!(
        report.notes,
        [
            "deployment/web: In sync, but 2 of 2 Pods are not ready since the roll 50s ago (ConfigMap/common: WORKERS)"
        ]
    );
}

#[test]
fn a_table_for_people() {
    let waiting = json!({
        "summary": {"state": "Waiting", "sources": 2, "lastRoll": "2026-01-02T11:57:00Z"},
        "pods": {"total": 3, "fresh": 1, "stale": 2},
        "decision": {
            "outcome": "Wait", "reason": "MinimumInterval",
            "message": "2 Pods outdated: two rolls are at least 30s apart.",
            "until": "2026-01-02T12:00:20Z",
        },
    });
    let mut report = report(vec![
        row("shop", "fine", json!({})),
        row("shop", "web", waiting),
    ]);
    assert_eq!(
        report.page(false, now()).text(false),
        "\
WORKLOAD          STATE     REASON            PODS               SOURCES   LAST ROLL
deployment/web    Waiting   MinimumInterval   1 Fresh, 2 Stale   2         3m ago
deployment/fine   InSync    -                 2 Fresh            1         -
"
    );
    report.namespaces = true;
    let wide = report.page(true, now()).text(false);
    let lines: Vec<&str> = wide.lines().collect();
    assert!(lines[0].starts_with("NAMESPACE   WORKLOAD"), "{wide}");
    assert!(
        lines[1].ends_with(
            "3m ago      default   in 20s   2 Pods outdated: two rolls are at least 30s apart."
        ),
        "{wide}"
    );
    assert_eq!(
        report.names(),
        ["deployment.apps/web", "deployment.apps/fine"]
    );
}

#[test]
fn a_roll_that_did_not_go_well_is_told() {
    let rolled = |state: &str| {
        let status = json!({
            "summary": {"lastRoll": "2026-01-02T11:57:00Z"},
            "rolls": [
                {"revision": "v1.a.b", "time": "2026-01-02T11:57:00Z", "state": state},
                {"revision": "v1.a.a", "time": "2026-01-02T11:00:00Z", "state": "Failed"},
            ],
        });
        let row = row("shop", "web", status);
        let page: Page = [row.rolled(now())].into_iter().collect();
        (row.roll.is_some(), page.text(false).trim_end().to_owned())
    };
    assert_eq!(rolled("Failed"), (true, "3m ago, Failed".to_owned()));
    assert_eq!(rolled("Stuck"), (true, "3m ago, Stuck".to_owned()));
    for state in ["Rolling", "Complete", "Good"] {
        assert_eq!(rolled(state), (false, "3m ago".to_owned()));
    }
}

#[test]
fn a_brake_is_told_of_before_the_rest() {
    let policy = json!({
        "why": "", "strategy": "Rollout", "settle": "2s", "minInterval": "30s", "suspend": false,
        "stoppedBy": "brake",
    });
    let stopped = json!({ "policy": policy });
    let report = report(vec![
        row("shop", "web", stopped.clone()),
        row("shop", "api", stopped),
        row("shop", "free", json!({})),
    ]);
    assert_eq!(
        report.notes(),
        ["ClusterSyncPolicy/brake stops all rolls of 2 workloads."]
    );
}

#[test]
fn what_somebody_wrote_into_a_projection_can_not_act_on_the_terminal() {
    let nasty = json!({"decision": {"reason": "a\u{1b}[2J", "message": "b\nc\u{9b}H"}});
    let report = report(vec![row("shop", "web", nasty)]);
    for colours in [false, true] {
        let text = report.page(true, now()).text(colours);
        assert!(
            text.contains("a\u{fffd}[2J") && text.contains("b\u{fffd}c\u{fffd}H"),
            "{text:?}"
        );
        assert_eq!(text.lines().count(), 2, "{text:?}");
    }
}

#[test]
fn json_has_the_facts_of_the_table() {
    let report = report(vec![row("shop", "web", json!({}))]);
    assert_eq!(
        output::json(&report).unwrap(),
        json!({
            "leader": "untold",
            "items": [{
                "namespace": "shop",
                "workload": {"kind": "Deployment", "name": "web"},
                "state": "InSync",
                "sources": 1,
                "pods": {"total": 2, "fresh": 2, "stale": 0, "refreshing": 0, "unknown": 0},
                "decision": "Nothing",
                "reason": "InSync",
                "message": "No Pod is outdated.",
                "policy": "default",
            }],
            "notes": [],
        })
    );
}

#[test]
fn nothing_is_an_empty_page() {
    let text = report(Vec::new()).page(false, now()).text(false);
    assert_eq!(text, "");
}

#[test]
fn a_decision_long_overdue_is_noted() {
    let until = |time: &str| json!({"decision": {"until": time}});
    let late = report(vec![row("shop", "web", until("2026-01-02T11:58:00Z"))]);
    let note = "The operator is more than a minute late with 1 workload: is it running?";
    assert_eq!(late.notes, [note]);
    let fine = report(vec![row("shop", "web", until("2026-01-02T11:59:30Z"))]);
    assert_eq!(fine.notes, [""; 0]);
}
