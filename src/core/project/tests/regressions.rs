//! What was found wrong once and is more than a row of the table in tests/kubelet/src/cases.rs.

use serde_json::json;

use super::*;
use crate::api::reasons::Reason;
use crate::core::testing::World;

const NOTHING: Change = Change {
    frozen: false,
    live: false,
    obstructed: false,
    vague: false,
};
const FROZEN: Change = Change {
    frozen: true,
    ..NOTHING
};
const LIVE: Change = Change {
    live: true,
    ..NOTHING
};

/// ConfigMaps by their names. Values are told apart by ConfigMap and key, as their digests are.
fn config_maps(maps: &[(&str, &[(&str, &str)])]) -> Sources {
    let each = maps.iter().map(|(name, data)| {
        let mut source = Source::of(data.iter().copied());
        for (key, value) in &mut source.data {
            *value = format!("{name}.{key}.{value}");
        }
        ((Kind::ConfigMap, (*name).to_owned()), source)
    });
    each.collect()
}

/// The model and the operator say the same of an edit.
#[track_caller]
fn agreed(what: &str, spec: &Value, before: &Sources, after: &Sources, expected: Change) {
    let case = Case {
        spec: spec.clone(),
        before: before.clone(),
        after: after.clone(),
    };
    let found = (case.seen(), case.told());
    assert_eq!(found, (Some(expected), expected), "{what}");
}

fn env_from(env: Value) -> Value {
    json!({"containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "c"}}], "env": env}]})
}

fn mounted(volume: Value, mount: Value) -> Value {
    let (mut volume, mut mount) = (volume, mount);
    volume["name"] = json!("v");
    mount["name"] = json!("v");
    mount["mountPath"] = json!("/v");
    json!({"containers": [{"name": "app", "volumeMounts": [mount]}], "volumes": [volume]})
}

#[test]
fn an_entry_of_env_that_a_later_one_hides_is_not_seen_but_needed() {
    let key = json!({"configMapKeyRef": {"name": "c", "key": "k"}});
    let spec = json!({"containers": [{"name": "app", "env": [
        {"name": "A", "valueFrom": key},
        {"name": "A", "value": "x"},
    ]}]});
    let sources = |value| config_maps(&[("c", &[("k", value)])]);
    agreed("hidden", &spec, &sources("1"), &sources("2"), NOTHING);
    let without = config_maps(&[("c", &[])]);
    let case = Case {
        spec,
        before: sources("1"),
        after: without.clone(),
    };
    assert!(case.run(&without).is_err() && case.missing(&without));
}

/// Whatever it is that gives the path.
#[test]
fn a_file_that_is_no_source_hides_a_key() {
    let certificate = |field: &str| json!({"podCertificate": {field: "k"}});
    let given = [
        json!({"downwardAPI": {"items": [{"path": "k", "resourceFieldRef": {"resource": "limits.cpu"}}]}}),
        json!({"serviceAccountToken": {"path": "k"}}),
        json!({"clusterTrustBundle": {"name": "it", "path": "k", "optional": true}}),
        certificate("credentialBundlePath"),
        certificate("keyPath"),
        certificate("certificateChainPath"),
    ];
    let before = config_maps(&[("c", &[("k", "1"), ("l", "1")])]);
    let hidden = config_maps(&[("c", &[("k", "2"), ("l", "1")])]);
    let other = config_maps(&[("c", &[("k", "1"), ("l", "2")])]);
    for one in given {
        let spec = json!({
            "containers": [{"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
            "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}, one]}}],
        });
        agreed("a hidden key", &spec, &before, &hidden, NOTHING);
        agreed("another key", &spec, &before, &other, LIVE);
    }
}

/// <https://github.com/kubernetes/kubernetes/issues/140635>
#[test]
fn what_a_later_source_gives_hides_that_of_an_earlier_one() {
    let variables = json!({"containers": [{"name": "app", "envFrom": [
        {"configMapRef": {"name": "c"}},
        {"configMapRef": {"name": "d"}},
    ]}]});
    let parts = json!([{"configMap": {"name": "c"}}, {"configMap": {"name": "d"}}]);
    let projected = json!({"projected": {"sources": parts}});
    let key = json!({"configMapKeyRef": {"name": "d", "key": "k", "optional": true}});
    let optional = env_from(json!([{"name": "k", "valueFrom": key}]));
    let first = config_maps(&[("c", &[("k", "1"), ("l", "1")]), ("d", &[("k", "1")])]);
    let edits = [
        (
            "a hidden key",
            config_maps(&[("c", &[("k", "2"), ("l", "1")]), ("d", &[("k", "1")])]),
            false,
        ),
        (
            "another key",
            config_maps(&[("c", &[("k", "1"), ("l", "2")]), ("d", &[("k", "1")])]),
            true,
        ),
        (
            "both",
            config_maps(&[("c", &[("k", "2"), ("l", "2")]), ("d", &[("k", "1")])]),
            true,
        ),
        (
            "the key that hides it",
            config_maps(&[("c", &[("k", "1"), ("l", "1")]), ("d", &[])]),
            true,
        ),
        (
            "a hidden key, and that which hides it",
            config_maps(&[("c", &[("k", "2"), ("l", "1")]), ("d", &[])]),
            true,
        ),
    ];
    for (edit, after, seen) in edits {
        let live = if seen { LIVE } else { NOTHING };
        let frozen = if seen { FROZEN } else { NOTHING };
        agreed(
            edit,
            &mounted(projected.clone(), json!({})),
            &first,
            &after,
            live,
        );
        agreed(edit, &variables, &first, &after, frozen);
        agreed(edit, &optional, &first, &after, frozen);
    }
    // The entry between the two refers to the key.
    let mut between = optional;
    let env = between["containers"][0]["env"].as_array_mut().unwrap();
    env.insert(0, json!({"name": "A", "value": "$(k)"}));
    let after = config_maps(&[("c", &[("k", "2"), ("l", "1")]), ("d", &[("k", "1")])]);
    agreed("read between", &between, &first, &after, FROZEN);
}

#[test]
fn what_is_read_by_a_value_that_is_replaced_is_not_seen() {
    let key = json!({"configMapKeyRef": {"name": "d", "key": "k", "optional": true}});
    let given = |name: &str| json!({"name": name, "valueFrom": key});
    let reads = |name: &str, value: &str| json!({"name": name, "value": value});
    let cases = [
        (
            "by itself",
            json!([reads("k", "$(k)-x"), given("k")]),
            NOTHING,
        ),
        (
            "by another",
            json!([reads("A", "$(k)"), given("A"), given("k")]),
            NOTHING,
        ),
        (
            "by one that another reads",
            json!([
                reads("A", "$(k)"),
                reads("B", "$(A)"),
                given("A"),
                given("k")
            ]),
            FROZEN,
        ),
        (
            "by one that only itself reads",
            json!([
                reads("A", "$(k)"),
                reads("A", "$(A)"),
                given("A"),
                given("k")
            ]),
            NOTHING,
        ),
        (
            "by itself and another",
            json!([reads("A", "$(k)"), reads("k", "$(k)-x"), given("k")]),
            FROZEN,
        ),
    ];
    let sources = |value, given: &[(&'static str, &'static str)]| {
        config_maps(&[("c", &[("k", value)]), ("d", given)])
    };
    let (there, absent) = (&[("k", "1")][..], &[][..]);
    for (what, env, seen) in cases {
        let spec = env_from(env);
        agreed(
            what,
            &spec,
            &sources("1", there),
            &sources("2", there),
            seen,
        );
        agreed(
            what,
            &spec,
            &sources("1", absent),
            &sources("2", absent),
            FROZEN,
        );
    }
}

#[test]
fn binary_data_hides_no_variable() {
    let spec = json!({
        "containers": [{
            "name": "app",
            "envFrom": [{"configMapRef": {"name": "c"}}, {"configMapRef": {"name": "d"}}],
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "..data"}],
        }],
        "volumes": [{"name": "v", "configMap": {"name": "d"}}],
    });
    let sources = |value| {
        let mut sources = config_maps(&[("c", &[("k", value)]), ("d", &[])]);
        let binary = sources.get_mut(&(Kind::ConfigMap, "d".to_owned())).unwrap();
        binary.binary_data.insert("k".into(), "1".into());
        sources
    };
    agreed("seen", &spec, &sources("1"), &sources("2"), FROZEN);
}

/// <https://github.com/kubernetes/kubernetes/issues/126186>
#[test]
fn a_sub_path_of_an_absent_key_is_an_empty_folder() {
    let spec = mounted(json!({"configMap": {"name": "c"}}), json!({"subPath": "k"}));
    let absent = config_maps(&[("c", &[("l", "1")])]);
    let other = config_maps(&[("c", &[("l", "2")])]);
    let there = config_maps(&[("c", &[("l", "1"), ("k", "1")])]);
    agreed("another key", &spec, &absent, &other, NOTHING);
    let case = Case {
        spec,
        before: absent,
        after: there,
    };
    let comes = Change {
        obstructed: true,
        ..FROZEN
    };
    assert_eq!((case.seen(), case.told()), (Some(comes), FROZEN));
    assert!(!case.missing(&case.before));
}

#[test]
fn of_two_optional_items_the_last_that_is_there_is_seen() {
    let items = json!([{"key": "a", "path": "x"}, {"key": "b", "path": "x"}]);
    let spec = mounted(
        json!({"configMap": {"name": "c", "items": items, "optional": true}}),
        json!({}),
    );
    let one = |value| config_maps(&[("c", &[("a", value)])]);
    let both = |value| config_maps(&[("c", &[("a", value), ("b", "1")])]);
    agreed("the only one", &spec, &one("1"), &one("2"), LIVE);
    agreed("the hidden one", &spec, &both("1"), &both("2"), NOTHING);
    agreed("the other comes", &spec, &one("1"), &both("1"), LIVE);
    let twice = json!([{"key": "a", "path": "x"}, {"key": "a", "path": "x"}]);
    let volume = json!({"configMap": {"name": "c", "items": twice, "optional": true}});
    agreed(
        "one key twice",
        &mounted(volume, json!({})),
        &one("1"),
        &one("2"),
        LIVE,
    );
}

#[test]
fn a_hidden_edit_rolls_nothing_and_one_roll_brings_what_appears() {
    let spec: PodSpec = serde_json::from_value(json!({"containers": [{"name": "app", "envFrom": [
        {"configMapRef": {"name": "c"}},
        {"configMapRef": {"name": "d"}},
    ]}]}))
    .unwrap();
    let mut world = World::new(references(&spec).unwrap());
    world.policy(json!({"settle": "0s", "minInterval": "0s"}));
    let keys = |a, b| [("a", a), ("b", b)];
    world.write("c", &keys("1", "1"));
    world.write("d", &[("a", "1")]);
    world.wait_secs(10);
    world.pod("web-1");
    world.wait_secs(10);
    let rolls = |world: &mut World| {
        world.wait_secs(10);
        let reason = world.step().reason;
        world.wait_secs(10);
        (reason, world.rolls.len())
    };
    assert_eq!(rolls(&mut world), (Reason::InSync, 0));
    world.write("c", &keys("2", "1"));
    assert_eq!(rolls(&mut world), (Reason::InSync, 0));
    // A restart remembers which keys they were.
    world.stop();
    world.start();
    assert_eq!(rolls(&mut world), (Reason::InSync, 0));
    world.write("d", &[]);
    assert_eq!(rolls(&mut world), (Reason::ContentChanged, 1));
    world.replace_pods();
    assert_eq!(rolls(&mut world), (Reason::InSync, 1));
    // Now it is seen.
    world.write("c", &keys("3", "1"));
    assert_eq!(rolls(&mut world), (Reason::ContentChanged, 2));
}
