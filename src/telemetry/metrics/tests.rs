use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The exposition with one sample at least of each metric.
fn exposition() -> String {
    let mut registry = Registry::default();
    let metrics = register(&mut registry);
    metrics.decisions.count(["Deployment", "Settling"]);
    metrics
        .rolls
        .count(["StatefulSet", Outcome::Conflict.as_str()]);
    metrics.change_to_patch.observe(2.1);
    metrics
        .source_reads
        .count(["Secret", Outcome::Absent.as_str()]);
    metrics.status_writes.count([Outcome::Failure.as_str()]);
    metrics.events.count([Outcome::Dropped.as_str()]);
    metrics.server_restores.count(["Pod"]);
    metrics.api.answered("get", "2xx", Duration::from_millis(3));
    let read: Read = Arc::new(|metric| match metric {
        Sampled::Workloads => vec![(vec!["Deployment", "Fresh"], 3.0)],
        Sampled::Stopped => vec![(vec![], 3.0)],
        Sampled::Pods => vec![(vec!["Stale"], 2.0), (vec!["Fresh"], 5.0)],
        Sampled::WatchAges => vec![(vec!["Pod"], 1.5)],
        Sampled::WatchesLeftOut => vec![(vec!["Secret"], 1.0)],
        Sampled::WatchRestarts => vec![(vec!["Pod", "Silent"], 2.0)],
        Sampled::QueueDepths => vec![(vec!["workloads"], 4.0)],
        Sampled::QueueAges => vec![(vec!["workloads"], 0.25)],
        Sampled::Leader => vec![(vec![], 1.0)],
    });
    register_samples(&mut registry, &read);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    text
}

#[test]
fn what_is_counted_is_exposed() {
    let text = exposition();
    for line in [
        r#"projsync_decisions_total{kind="Deployment",reason="Settling"} 1"#,
        r#"projsync_rolls_total{kind="StatefulSet",outcome="conflict"} 1"#,
        "projsync_change_to_patch_seconds_count 1",
        r#"projsync_change_to_patch_seconds_bucket{le="2.5"} 1"#,
        r#"projsync_change_to_patch_seconds_bucket{le="2.0"} 0"#,
        r#"projsync_source_reads_total{kind="Secret",outcome="absent"} 1"#,
        r#"projsync_workloads{kind="Deployment",state="Fresh"} 3.0"#,
        "projsync_stopped_workloads 3.0",
        r#"projsync_pods{state="Stale"} 2.0"#,
        r#"projsync_watch_last_event_age_seconds{kind="Pod"} 1.5"#,
        r#"projsync_server_restores_total{kind="Pod"} 1"#,
        r#"projsync_watches_left_out{kind="Secret"} 1.0"#,
        r#"projsync_watch_restarts_total{kind="Pod",reason="Silent"} 2.0"#,
        r#"projsync_queue_depth{queue="workloads"} 4.0"#,
        "projsync_leader 1.0",
        r#"projsync_api_requests_total{verb="get",code="2xx"} 1"#,
        "# HELP projsync_pods Pods of managed workloads, by state.",
    ] {
        assert!(
            text.lines().any(|got| got == line),
            "missing {line} in:\n{text}"
        );
    }
    assert!(text.contains(r#"projsync_build_info{version=""#));
}

/// The list that documents the metrics is what is exposed: names, types and labels.
#[test]
fn descriptions_equal_the_exposition() {
    let text = exposition();
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let descriptions = descriptions();
    let described: BTreeMap<&str, &str> = descriptions
        .iter()
        .map(|d| {
            (
                d.name.trim_end_matches("_total").trim_end_matches("_info"),
                d.kind,
            )
        })
        .collect();
    assert_eq!(described, types);
    for description in &descriptions {
        assert!(!description.help.ends_with('.') && !description.help.is_empty());
        let declared: BTreeSet<&str> = description.labels.iter().copied().collect();
        let samples: Vec<&str> = text
            .lines()
            .filter(|line| {
                let name = line.split(['{', ' ']).next().unwrap_or_default();
                let name = if description.kind == "histogram" {
                    name.trim_end_matches("_count")
                } else {
                    name
                };
                name == description.name
            })
            .collect();
        assert!(!samples.is_empty(), "no sample of {}", description.name);
        for line in samples {
            let labels = line
                .split_once('{')
                .map_or("", |(_, rest)| rest.split('}').next().unwrap_or_default());
            let used: BTreeSet<&str> = labels
                .split(',')
                .filter_map(|pair| Some(pair.split_once('=')?.0))
                .collect();
            assert_eq!(used, declared, "{line}");
        }
    }
}
