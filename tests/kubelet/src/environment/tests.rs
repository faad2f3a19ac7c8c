#![allow(clippy::unwrap_used)]

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::*;
use crate::Source;

fn run(container: &Value, sources: &Sources, given: &Given) -> Result<Vec<String>, Refused> {
    let container = Container::deserialize(container).unwrap();
    let variables = environment(&container, sources, given)?;
    let lines = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    Ok(lines.collect())
}

fn config_map(data: &[(&str, &str)]) -> Sources {
    Sources::from([(
        (Kind::ConfigMap, "c".into()),
        Source::of(data.iter().copied()),
    )])
}

fn secret(data: &[(&str, &str)]) -> Sources {
    Sources::from([((Kind::Secret, "c".into()), Source::of(data.iter().copied()))])
}

/// The cases of `TestMakeEnvironmentVariables` that are about sources, fields and expansion.
#[test]
fn the_cases_of_kubernetes_give_the_same_variables() {
    let key = |kind: &str, key: &str, optional: bool| json!([{"name": "POD_NAME", "valueFrom": {kind: {"name": "c", "key": key, "optional": optional}}}]);
    let whole = |kind: &str, env: Value| {
        json!({
            "envFrom": [{kind: {"name": "c"}}, {"prefix": "p_", kind: {"name": "c"}}],
            "env": env,
        })
    };
    let more = json!([
        {"name": "TEST_LITERAL", "value": "test-test-test"},
        {"name": "EXPANSION_TEST", "value": "$(REPLACE_ME)"},
        {"name": "DUPE_TEST", "value": "ENV_VAR"},
    ]);
    let data = [("REPLACE_ME", "FROM"), ("DUPE_TEST", "SOURCE")];
    let expected = [
        "DUPE_TEST=ENV_VAR",
        "EXPANSION_TEST=FROM",
        "REPLACE_ME=FROM",
        "TEST_LITERAL=test-test-test",
        "p_DUPE_TEST=SOURCE",
        "p_REPLACE_ME=FROM",
    ];
    let none: Sources = Sources::new();
    let cases: Vec<(&str, Value, Sources, Option<&[&str]>)> = vec![
        (
            "configmapkeyref_missing_optional",
            json!({"env": key("configMapKeyRef", "k", true)}),
            none.clone(),
            Some(&[]),
        ),
        (
            "configmapkeyref_missing_key_optional",
            json!({"env": key("configMapKeyRef", "k", true)}),
            config_map(&[("a", "b")]),
            Some(&[]),
        ),
        (
            "secretkeyref_missing_optional",
            json!({"env": key("secretKeyRef", "k", true)}),
            none.clone(),
            Some(&[]),
        ),
        (
            "secretkeyref_missing_key_optional",
            json!({"env": key("secretKeyRef", "k", true)}),
            secret(&[("a", "b")]),
            Some(&[]),
        ),
        (
            "a required key that is missing",
            json!({"env": key("secretKeyRef", "k", false)}),
            secret(&[("a", "b")]),
            None,
        ),
        (
            "configmap",
            whole("configMapRef", more.clone()),
            config_map(&data),
            Some(&expected),
        ),
        (
            "secret",
            whole("secretRef", more),
            secret(&data),
            Some(&expected),
        ),
        (
            "configmap allow prefix to start with a digital",
            json!({"envFrom": [{"prefix": "1_", "configMapRef": {"name": "c"}}]}),
            config_map(&[("A", "b")]),
            Some(&["1_A=b"]),
        ),
        (
            "configmap_missing",
            whole("configMapRef", json!([])),
            none.clone(),
            None,
        ),
        (
            "secret_missing",
            whole("secretRef", json!([])),
            none.clone(),
            None,
        ),
        (
            "configmap_missing_optional",
            json!({"envFrom": [{"configMapRef": {"name": "c", "optional": true}}]}),
            none.clone(),
            Some(&[]),
        ),
        (
            "configmap_invalid_keys_valid",
            json!({"envFrom": [{"prefix": "p_", "configMapRef": {"name": "c"}}]}),
            config_map(&[("1234", "abc")]),
            Some(&["p_1234=abc"]),
        ),
        (
            "secret_invalid_keys_valid",
            json!({"envFrom": [{"prefix": "p_", "secretRef": {"name": "c"}}]}),
            secret(&[("1234.name", "abc")]),
            Some(&["p_1234.name=abc"]),
        ),
        (
            "env expansion",
            json!({"env": [
                {"name": "TEST_LITERAL", "value": "test-test-test"},
                {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "OUT_OF_ORDER_TEST", "value": "$(OUT_OF_ORDER_TARGET)"},
                {"name": "OUT_OF_ORDER_TARGET", "value": "FOO"},
                {"name": "EMPTY_VAR"},
                {"name": "EMPTY_TEST", "value": "foo-$(EMPTY_VAR)"},
                {"name": "POD_NAME_TEST2", "value": "test2-$(POD_NAME)"},
                {"name": "POD_NAME_TEST3", "value": "$(POD_NAME_TEST2)-3"},
                {"name": "LITERAL_TEST", "value": "literal-$(TEST_LITERAL)"},
                {"name": "TEST_UNDEFINED", "value": "$(UNDEFINED_VAR)"},
            ]}),
            none.clone(),
            Some(&[
                "EMPTY_TEST=foo-",
                "EMPTY_VAR=",
                "LITERAL_TEST=literal-test-test-test",
                "OUT_OF_ORDER_TARGET=FOO",
                "OUT_OF_ORDER_TEST=$(OUT_OF_ORDER_TARGET)",
                "POD_NAME=dapi-test-pod-name",
                "POD_NAME_TEST2=test2-dapi-test-pod-name",
                "POD_NAME_TEST3=test2-dapi-test-pod-name-3",
                "TEST_LITERAL=test-test-test",
                "TEST_UNDEFINED=$(UNDEFINED_VAR)",
            ]),
        ),
    ];
    let name = ("metadata.name".to_owned(), "dapi-test-pod-name".to_owned());
    let given = Given {
        fields: BTreeMap::from([name]),
        ..Given::default()
    };
    for (case, container, sources, expected) in cases {
        let found = run(&container, &sources, &given);
        match expected {
            Some(expected) => assert_eq!(found.unwrap(), expected, "{case}"),
            None => assert!(found.is_err(), "{case}"),
        }
    }
}

/// "env expansion, service env vars".
#[test]
fn variables_of_services_are_expanded_and_give_way() {
    let given = Given {
        services: [("HOST", "1.2.3.4"), ("PORT", "80")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Given::default()
    };
    let container = json!({"env": [
        {"name": "URL", "value": "$(HOST):$(PORT)"},
        {"name": "PORT", "value": "81"},
        {"name": "AGAIN", "value": "$(PORT)"},
    ]});
    assert_eq!(
        run(&container, &Sources::new(), &given).unwrap(),
        ["AGAIN=81", "HOST=1.2.3.4", "PORT=81", "URL=1.2.3.4:80"]
    );
}

#[test]
fn an_entry_sees_what_was_there_before_it() {
    let sources = config_map(&[("FOO", "old"), ("BAR", "b")]);
    let cases: [(Value, &[&str]); 5] = [
        (
            json!([{"name": "FOO", "value": "$(FOO)-x"}]),
            &["BAR=b", "FOO=old-x"],
        ),
        (
            json!([{"name": "A", "value": "$(FOO)"}, {"name": "FOO", "value": "x"}]),
            &["A=old", "BAR=b", "FOO=x"],
        ),
        (
            json!([{"name": "FOO", "value": "$$(FOO)"}]),
            &["BAR=b", "FOO=$(FOO)"],
        ),
        (
            json!([{"name": "FOO", "value": "1"}, {"name": "FOO", "value": "$(FOO)2"}]),
            &["BAR=b", "FOO=12"],
        ),
        (
            json!([{"name": "FOO", "valueFrom": {"secretKeyRef": {"name": "z", "key": "k", "optional": true}}}]),
            &["BAR=b", "FOO=old"],
        ),
    ];
    for (env, expected) in cases {
        let container = json!({"envFrom": [{"configMapRef": {"name": "c"}}], "env": env});
        let found = run(&container, &sources, &Given::default()).unwrap();
        assert_eq!(found, expected, "{env}");
    }
}

#[test]
fn a_later_source_replaces_the_variables_of_an_earlier_one() {
    let mut sources = config_map(&[("FOO", "c"), ("BAR", "c")]);
    sources.extend(secret(&[("FOO", "s")]));
    let container =
        json!({"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "c"}}]});
    let found = run(&container, &sources, &Given::default()).unwrap();
    assert_eq!(found, ["BAR=c", "FOO=s"]);
}

#[test]
fn variables_show_no_binary_data() {
    let mut sources = config_map(&[("A", "a")]);
    let source = sources.get_mut(&(Kind::ConfigMap, "c".into())).unwrap();
    source.binary_data.insert("B".into(), "b".into());
    let whole = json!({"envFrom": [{"configMapRef": {"name": "c"}}]});
    assert_eq!(run(&whole, &sources, &Given::default()).unwrap(), ["A=a"]);
    let key = json!({"env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "B"}}}]});
    let refused = run(&key, &sources, &Given::default());
    assert_eq!(
        refused,
        Err(Refused::NoKey((Kind::ConfigMap, "c".into()), "B".into()))
    );
}

#[test]
fn a_variable_of_a_file_must_have_a_value() {
    let container = |optional: bool| {
        let file = json!({"volumeName": "v", "path": "p", "key": "K", "optional": optional});
        json!({"env": [{"name": "A", "valueFrom": {"fileKeyRef": file}}]})
    };
    let mut given = Given::default();
    let none = Sources::new();
    assert_eq!(run(&container(true), &none, &given), Ok(vec![]));
    assert_eq!(
        run(&container(false), &none, &given),
        Err(Refused::NoVariable("K".into()))
    );
    given
        .variables
        .insert(("v".into(), "p".into(), "K".into()), "x".into());
    assert_eq!(run(&container(false), &none, &given).unwrap(), ["A=x"]);
}
