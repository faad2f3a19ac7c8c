//! `status`: what is shown, and what it means for scripts.

use jiff::Timestamp;
use serde_json::json;

use super::args::Filter;
use super::*;
use crate::api::Projection;
use crate::api::projection::State;
use crate::kinds::SourceKind;
use crate::report::name::SourceName;
use crate::report::status::Row;

fn projection(name: &str, state: &str) -> Projection {
    serde_json::from_value(json!({
        "apiVersion": "projsync.dev/v1alpha1",
        "kind": "Projection",
        "metadata": {"name": format!("deployment-{name}"), "namespace": "shop"},
        "spec": {"workload": {"kind": "Deployment", "name": name, "uid": format!("uid-{name}")}},
        "status": {"summary": {"state": state}},
    }))
    .unwrap()
}

#[test]
fn exit_codes_tell_scripts_the_worst() {
    let cases: [(&[&str], u8); 10] = [
        // Nothing is in sync where nothing was selected.
        (&[], 6),
        (&["NotManaged"], 6),
        (&["NotManaged", "InSync"], 0),
        (&["InSync"], 0),
        (&["InSync", "Unknown"], 4),
        (&["InSync", "Unknown", "Held"], 3),
        (&["Rolling"], 3),
        (&["Waiting", "InSync"], 3),
        (&["Held"], 3),
        (&["Unknown"], 4),
    ];
    for (states, code) in cases {
        let rows = states
            .iter()
            .map(|state| Row::from(&projection("a", state)));
        let mut report = Status::new(rows.collect(), Vec::new(), Timestamp::now());
        assert_eq!(exit(&report).code(), code, "{states:?}");
        report.leader = Leader::Nobody;
        assert_eq!(exit(&report).code(), 5, "{states:?} was said by nobody");
    }
}

#[test]
fn in_sync_with_an_older_version_of_a_source_is_no_success() {
    let mut row = Row::from(&projection("a", "InSync"));
    row.unseen = Some(SourceName::new(SourceKind::CONFIG_MAP, "app"));
    let report = Status::new(vec![row.clone()], Vec::new(), Timestamp::now());
    assert_eq!(exit(&report).code(), 5);
    assert!(
        report.notes[0].contains("configmap/app"),
        "{:?}",
        report.notes
    );
    row.state = Some(State::Held);
    let report = Status::new(vec![row], Vec::new(), Timestamp::now());
    assert_eq!(exit(&report).code(), 3);
}

#[test]
fn names_and_labels_filter() {
    let workloads = ["deployment/web".parse().unwrap(), "sts/db".parse().unwrap()];
    let web = projection("web", "InSync");
    let api = projection("api", "InSync");
    let shown = |filter: &Filter<'_>| -> Vec<String> {
        let report = filter.report([&web, &api], Vec::new());
        report
            .items
            .iter()
            .map(|row| row.workload.name.clone())
            .collect()
    };
    let mut filter = Filter {
        workloads: &workloads,
        labelled: None,
        namespaces: false,
        leader: Leader::default(),
        versions: None,
    };
    assert_eq!(shown(&filter), ["web"]);
    filter.workloads = &[];
    assert_eq!(shown(&filter), ["api", "web"]);
    filter.labelled = Some(["uid-api".to_owned()].into());
    assert_eq!(shown(&filter), ["api"]);
    filter.workloads = &workloads;
    assert_eq!(shown(&filter), [""; 0]);
}
