//! Pod specs as large as an API server takes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::limits::MAX_USES;
use crate::core::project::pod_spec::PodSpec;
use crate::core::project::reference::{Reference, Selection, TooMany, references};

fn many<T>(count: usize, each: impl Fn(usize) -> T) -> Vec<T> {
    (0..count).map(each).collect()
}

/// The bytes that references take, each shared part once.
fn bytes(references: &[Reference]) -> usize {
    let mut shared = HashSet::new();
    let mut text = |text: &Arc<str>| match shared.insert(Arc::as_ptr(text).cast::<u8>()) {
        true => 16 + text.len(),
        false => 0,
    };
    let mut lists = HashSet::new();
    let mut sum = 0;
    for reference in references {
        sum += size_of::<Reference>() + text(&reference.source.1);
        sum += size_of_val(&*reference.containers) + size_of_val(&*reference.uses);
        sum += reference.containers.iter().map(&mut text).sum::<usize>();
        for one in &reference.uses {
            sum += size_of_val(&*one.required) + one.required.iter().map(&mut text).sum::<usize>();
            match &one.selection {
                Selection::Files => {}
                Selection::Variables { hidden, .. } => {
                    if lists.insert(hidden.as_ptr().cast::<u8>()) {
                        sum += size_of_val(&**hidden);
                    }
                }
                Selection::Keys(keys) => {
                    if lists.insert(keys.as_ptr().cast::<u8>()) {
                        let each = |(path, key): &(_, _)| text(path) + text(key);
                        sum += size_of_val(&**keys) + keys.iter().map(each).sum::<usize>();
                    }
                }
            }
        }
    }
    sum
}

/// How many bytes the references of a spec take for each byte of it, and how long they take to find.
fn cost(spec: &Value) -> (Result<usize, TooMany>, Duration) {
    let length = spec.to_string().len();
    let decoded: PodSpec = serde_json::from_value(spec.clone()).unwrap();
    let begin = Instant::now();
    let found = references(&decoded);
    let took = begin.elapsed();
    (found.map(|found| bytes(&found) / length), took)
}

/// One container mounts files of a projected volume, each by a `subPath`.
fn files_of_sources(mounts: usize, sources: usize) -> Value {
    json!({
        "containers": [{"name": "app", "volumeMounts": many(mounts, |at| json!({
            "name": "v", "mountPath": format!("/{at}"), "subPath": format!("k{at}"),
        }))}],
        "volumes": [{"name": "v", "projected": {"sources": many(sources, |at| json!({
            "configMap": {"name": format!("c{at}")},
        }))}}],
    })
}

fn files_of_items(mounts: usize, items: usize) -> Value {
    json!({
        "containers": [{"name": "app", "volumeMounts": many(mounts, |at| json!({
            "name": "v", "mountPath": format!("/{at}"), "subPath": format!("p{at}"),
        }))}],
        "volumes": [{"name": "v", "configMap": {"name": "c", "items": many(items, |at| json!({
            "key": format!("k{at}"), "path": format!("p{at}"),
        }))}}],
    })
}

fn containers_of_sources(containers: usize, sources: usize) -> Value {
    json!({
        "containers": many(containers, |at| json!({
            "name": format!("c{at}"), "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        })),
        "volumes": [{"name": "v", "projected": {"sources": many(sources, |at| json!({
            "secret": {"name": format!("s{at}")},
        }))}}],
    })
}

fn variables(from: usize, literal: usize) -> Value {
    json!({"containers": [{
        "name": "app",
        "envFrom": many(from, |at| json!({"configMapRef": {"name": format!("c{at}")}})),
        "env": many(literal, |at| json!({"name": format!("V{at}"), "value": "x"})),
    }]})
}

fn single_variables(count: usize) -> Value {
    json!({"containers": [{"name": "app", "env": many(count, |at| json!({
        "name": format!("V{at}"),
        "valueFrom": {"configMapKeyRef": {"name": format!("c{at}"), "key": "k"}},
    }))}]})
}

/// As many ways as are followed.
#[test]
fn references_take_no_more_than_their_spec_many_times_over() {
    let specs = [
        files_of_sources(42, 42),
        files_of_items(990, 990),
        containers_of_sources(44, 44),
        variables(130, 140),
        single_variables(1_990),
    ];
    for spec in specs {
        let (times, took) = cost(&spec);
        assert!(times.is_ok_and(|times| times < 30), "{times:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

/// As much as the API server takes: 817 MB were seen for the first, at 150 KB.
#[test]
fn a_spec_that_sees_too_much_is_refused_at_once() {
    let long = json!({"containers": [{"name": "app", "env": [{
        "name": "V".repeat(256 * MAX_USES + 1),
        "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}},
    }]}]});
    let specs = [
        files_of_sources(1_500, 1_500),
        files_of_sources(15_000, 15_000),
        files_of_items(15_000, 30_000),
        containers_of_sources(15_000, 20_000),
        variables(25_000, 30_000),
        single_variables(15_000),
        long,
    ];
    for spec in specs {
        let (found, took) = cost(&spec);
        assert_eq!(found, Err(TooMany));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
