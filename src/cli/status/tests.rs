//! `status`: order, exit codes, tables.

use serde_json::{Value, json};

use super::render::page;
use super::*;
use crate::cli::output::Format;
use crate::cli::samples::{now, projection};

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

fn report(rows: Vec<Row>) -> Report {
    Report::new(rows, Vec::new(), now())
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
fn exit_codes_tell_scripts_the_worst() {
    let cases: [(&[&str], u8); 8] = [
        (&[], 0),
        (&["InSync"], 0),
        (&["InSync", "Unknown"], 4),
        (&["InSync", "Unknown", "Held"], 3),
        (&["Rolling"], 3),
        (&["Waiting", "InSync"], 3),
        (&["Held"], 3),
        (&["Unknown"], 4),
    ];
    for (states, code) in cases {
        let rows = states.iter().map(|state| in_state("a", state, 0));
        assert_eq!(report(rows.collect()).exit().code(), code, "{states:?}");
    }
}

#[test]
fn a_workload_of_which_nothing_is_decided_is_not_in_sync() {
    let mut projection = projection("Deployment", "web", json!({}));
    projection.status = None;
    assert_eq!(report(vec![Row::from(&projection)]).exit(), Exit::OutOfSync);
}

#[test]
fn a_table_for_people() {
    let waiting = json!({
        "summary": {"state": "Waiting", "sources": 2, "lastRoll": "2026-01-02T11:57:00Z"},
        "pods": {"total": 3, "fresh": 1, "stale": 2},
        "decision": {
            "outcome": "Wait", "reason": "MinimumInterval",
            "message": "2 Pods outdated: the least time between two rolls is 30s.",
            "until": "2026-01-02T12:00:20Z",
        },
    });
    let report = report(vec![
        row("shop", "fine", json!({})),
        row("shop", "web", waiting),
    ]);
    assert_eq!(
        page(&report, Format::Table, false, now()).text(false),
        "\
WORKLOAD          STATE     SOURCES   PODS   FRESH   STALE   REFRESHING   UNKNOWN   DECISION   REASON            LAST ROLL
deployment/web    Waiting   2         3      1       2       0            0         Wait       MinimumInterval   3m ago
deployment/fine   InSync    1         2      2       0       0            0         Nothing    InSync            -
"
    );
    let wide = page(&report, Format::Wide, true, now()).text(false);
    let lines: Vec<&str> = wide.lines().collect();
    assert!(lines[0].starts_with("NAMESPACE   WORKLOAD"), "{wide}");
    assert!(
        lines[1].ends_with(
            "3m ago      default   in 20s   2 Pods outdated: the least time between two rolls is 30s."
        ),
        "{wide}"
    );
    assert_eq!(
        page(&report, Format::Name, false, now()).text(false),
        "deployment.apps/web\ndeployment.apps/fine\n"
    );
}

#[test]
fn what_somebody_wrote_into_a_projection_can_not_act_on_the_terminal() {
    let nasty = json!({"decision": {"reason": "a\u{1b}[2J", "message": "b\nc\u{9b}H"}});
    let report = report(vec![row("shop", "web", nasty)]);
    for colours in [false, true] {
        let text = page(&report, Format::Wide, true, now()).text(colours);
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
    let text = structured(&report, Format::Json).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value,
        json!({
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
    let text = page(&report(Vec::new()), Format::Table, false, now()).text(false);
    assert_eq!(text, "");
}

#[test]
fn a_decision_long_overdue_is_noted() {
    let until = |time: &str| json!({"decision": {"until": time}});
    let late = report(vec![row("shop", "web", until("2026-01-02T11:58:00Z"))]);
    assert_eq!(late.notes.len(), 1);
    assert!(late.notes[0].contains("is the operator running?"));
    let fine = report(vec![row("shop", "web", until("2026-01-02T11:59:30Z"))]);
    assert_eq!(fine.notes, [""; 0]);
}

#[test]
fn names_and_labels_filter() {
    let workloads = ["deployment/web".parse().unwrap(), "sts/db".parse().unwrap()];
    let web = projection("Deployment", "web", json!({}));
    let api = projection("Deployment", "api", json!({}));
    let shown = |filter: &Filter<'_>| -> Vec<String> {
        let report = filter.report([&web, &api], Vec::new(), now());
        report
            .items
            .iter()
            .map(|row| row.workload.name.clone())
            .collect()
    };
    let mut filter = Filter {
        workloads: &workloads,
        labelled: None,
    };
    assert_eq!(shown(&filter), ["web"]);
    filter.workloads = &[];
    assert_eq!(shown(&filter), ["api", "web"]);
    filter.labelled = Some(["uid-api".to_owned()].into());
    assert_eq!(shown(&filter), ["api"]);
    filter.workloads = &workloads;
    assert_eq!(shown(&filter), [""; 0]);
}
