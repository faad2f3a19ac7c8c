#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::{Kind, Source};

fn spec(spec: &Value) -> PodSpec {
    PodSpec::from_json(spec).unwrap()
}

/// A ConfigMap `c`.
fn sources(data: &[(&str, &str)]) -> Sources {
    Sources::from([(
        (Kind::ConfigMap, "c".into()),
        Source::of(data.iter().copied()),
    )])
}

fn run(pod: &Value, sources: &Sources) -> Result<Pod, Refused> {
    Pod::run(spec(pod), Given::default(), sources)
}

/// One container `app` with a mount of the ConfigMap at /c.
fn mounting(mount: Value) -> Value {
    let mut mount = mount;
    mount["name"] = json!("v");
    mount["mountPath"] = json!("/c");
    json!({
        "containers": [{"name": "app", "volumeMounts": [mount]}],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    })
}

fn files(pod: &Pod) -> Vec<String> {
    let seen = pod.seen("app").unwrap();
    let lines = seen
        .files
        .iter()
        .map(|(path, content)| format!("{path}={content}"));
    lines.collect()
}

/// `TestExpandVolumeMountsWithSubpath` of helpers_test.go.
#[test]
fn the_expressions_of_kubernetes_expand_as_there() {
    let cases = [
        ("foo", &[][..], Some("foo")),
        ("foo/$(POD_NAME)", &[("POD_NAME", "bar")], Some("foo/bar")),
        ("", &[("POD_NAME", "bar")], Some("")),
        ("/foo/$(POD_NAME)", &[], None),
        ("$(POD_NAME)/bar", &[("POD_NAME", "foo")], Some("foo/bar")),
        ("foo/$(POD_NAME)/$(ANNOTATION)", &[("ANNOTATION", "")], None),
        ("foo/$(ODD_NAME)/$(POD_NAME)", &[("ODD_NAME", "bar")], None),
        ("$()", &[], None),
        (
            "$(POD_NAME$(ANNOTATION))",
            &[("POD_NAME", "foo"), ("ANNOTATION", "bar")],
            None,
        ),
    ];
    for (expression, variables, expected) in cases {
        let mount = Mount {
            sub_path_expr: expression.to_owned(),
            ..Mount::default()
        };
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(own).collect();
        assert_eq!(
            sub_path(&mount, &variables).ok().as_deref(),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn a_directory_is_refreshed_and_a_file_is_not() {
    for (mount, after) in [(json!({}), "/c/k=2"), (json!({"subPath": "k"}), "/c=1")] {
        let mut pod = run(&mounting(mount), &sources(&[("k", "1")])).unwrap();
        let (before, new) = (files(&pod), sources(&[("k", "2")]));
        pod.refresh_all(&new);
        assert_ne!(files(&pod) == before, after.ends_with('2'));
        assert_eq!(files(&pod), [after]);
    }
}

#[test]
fn a_restart_before_the_refresh_binds_the_old_file() {
    let mut pod = run(&mounting(json!({"subPath": "k"})), &sources(&[("k", "1")])).unwrap();
    let new = sources(&[("k", "2")]);
    pod.start("app", &new).unwrap();
    assert_eq!(files(&pod), ["/c=1"]);
    pod.refresh_all(&new);
    assert_eq!(files(&pod), ["/c=1"]);
    pod.start("app", &new).unwrap();
    assert_eq!(files(&pod), ["/c=2"]);
}

#[test]
fn a_restart_takes_new_variables_at_once() {
    let pod =
        json!({"containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "c"}}]}]});
    let mut pod = run(&pod, &sources(&[("A", "1")])).unwrap();
    pod.refresh_all(&sources(&[("A", "2")]));
    assert_eq!(pod.seen("app").unwrap().variables["A"], "1");
    pod.start("app", &sources(&[("A", "2")])).unwrap();
    assert_eq!(pod.seen("app").unwrap().variables["A"], "2");
}

#[test]
fn a_key_that_comes_later_is_not_bound_in_the_same_pod() {
    let absent = sources(&[("a", "1")]);
    let mut pod = run(&mounting(json!({"subPath": "k"})), &absent).unwrap();
    assert_eq!(files(&pod), Vec::<String>::new());
    let there = sources(&[("k", "1")]);
    pod.refresh_all(&there);
    pod.start("app", &there).unwrap();
    assert_eq!(files(&pod), Vec::<String>::new());
    assert_eq!(
        files(&run(&mounting(json!({"subPath": "k"})), &there).unwrap()),
        ["/c=1"]
    );
}

#[test]
fn a_volume_whose_source_went_stays_as_it_is() {
    let mut pod = run(&mounting(json!({})), &sources(&[("k", "1")])).unwrap();
    pod.refresh_all(&Sources::new());
    assert_eq!(files(&pod), ["/c/k=1"]);
    let refused = run(&mounting(json!({})), &Sources::new());
    assert_eq!(
        refused.unwrap_err(),
        Refused::NoSource((Kind::ConfigMap, "c".into()))
    );
}

#[test]
fn a_volume_that_nobody_mounts_is_not_set_up() {
    let pod = json!({
        "containers": [{"name": "app"}],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    });
    assert_eq!(
        files(&run(&pod, &Sources::new()).unwrap()),
        Vec::<String>::new()
    );
}

#[test]
fn an_init_container_can_keep_the_pod_from_starting() {
    let env = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]);
    let pod =
        json!({"initContainers": [{"name": "init", "env": env}], "containers": [{"name": "app"}]});
    assert!(spec(&pod).ends_first("init") && !spec(&pod).ends_first("app"));
    assert!(run(&pod, &sources(&[])).is_err());
    let pod = run(&pod, &sources(&[("k", "1")])).unwrap();
    assert_eq!(pod.seen("init").unwrap().variables["A"], "1");
}

#[test]
fn an_expression_sees_the_variables_of_its_container() {
    let mut pod = mounting(json!({"subPathExpr": "$(WHICH)"}));
    pod["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "c"}}]);
    let given = [("WHICH", "a"), ("a", "1"), ("b", "2")];
    assert_eq!(files(&run(&pod, &sources(&given)).unwrap()), ["/c=1"]);
    let refused = run(&pod, &sources(&given[1..]));
    assert_eq!(refused.unwrap_err(), Refused::NoValue("WHICH".into()));
}

#[test]
fn of_what_was_bound_only_a_folder_changes() {
    let pod = json!({
        "containers": [{"name": "app", "volumeMounts": [
            {"name": "v", "mountPath": "/folder", "subPath": "d"},
            {"name": "v", "mountPath": "/file", "subPath": "d/a"},
            {"name": "v", "mountPath": "/root"},
        ]}],
        "volumes": [{"name": "v", "configMap": {"name": "c", "items": [
            {"key": "a", "path": "d/a"},
            {"key": "b", "path": "b"},
        ]}}],
    });
    let mut pod = run(&pod, &sources(&[("a", "1"), ("b", "1")])).unwrap();
    let paths = |pod: &Pod| pod.bound("app").into_keys().collect::<Vec<_>>();
    assert_eq!(paths(&pod), ["/file", "/folder/a"]);
    pod.refresh_all(&sources(&[("a", "1"), ("b", "2")]));
    assert_eq!(paths(&pod), ["/file"]);
    assert_eq!(files(&pod), ["/file=1", "/root/b=2", "/root/d/a=1"]);
}
