#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn spec(spec: Value) -> PodSpec {
    serde_json::from_value(spec).unwrap()
}

/// One line a use, as tests compare them:
/// `ConfigMap c Live volume all [app]` and so on.
fn lines(given: Value) -> Vec<String> {
    let mut lines = Vec::new();
    for reference in references(&spec(given)).unwrap() {
        let (kind, name) = &reference.source;
        let class = reference.class.as_str();
        let containers = reference.containers.join(",");
        for use_ in &reference.uses {
            let selection = match &use_.selection {
                Selection::Files => "all".to_owned(),
                Selection::Variables { prefix, hidden } => {
                    format!("{prefix}* less {{{}}}", hidden.join(","))
                }
                Selection::Keys(selected) => {
                    let pairs = selected.iter().map(|(path, key)| format!("{path}={key}"));
                    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
                }
            };
            let need = if use_.optional { "optional" } else { "needs" };
            let keys = use_.required.join(",");
            lines.push(format!(
                "{kind} {name} {class} {} {selection} {need} [{keys}] by {containers}",
                use_.place.as_str(),
            ));
        }
    }
    lines
}

/// A Pod with one container `app` that has this mount of this volume.
fn mounted(volume: Value, mount: Value) -> Value {
    let mut volume = volume;
    let mut mount = mount;
    volume["name"] = json!("v");
    mount["name"] = json!("v");
    json!({
        "containers": [{"name": "app", "volumeMounts": [mount]}],
        "volumes": [volume],
    })
}

#[test]
fn uses_of_each_kind() {
    let app = |fields: Value| {
        let mut container = fields;
        container["name"] = json!("app");
        json!({ "containers": [container] })
    };
    let key_ref = |optional: Value| json!({"name": "s", "key": "k", "optional": optional});
    let cases = [
        (
            "a ConfigMap volume",
            mounted(json!({"configMap": {"name": "c"}}), json!({})),
            vec!["ConfigMap c Live volume all needs [] by app"],
        ),
        (
            "an optional Secret volume",
            mounted(
                json!({"secret": {"secretName": "s", "optional": true}}),
                json!({}),
            ),
            vec!["Secret s Live volume all optional [] by app"],
        ),
        (
            "projected sources",
            mounted(
                json!({"projected": {"sources": [
                    {"secret": {"name": "s", "optional": true, "items": [{"key": "k", "path": "p"}]}},
                    {"configMap": {"name": "c"}},
                    {"serviceAccountToken": {"path": "token"}},
                ]}}),
                json!({}),
            ),
            vec![
                "ConfigMap c Live projected all needs [] by app",
                "Secret s Live projected {p=k} optional [] by app",
            ],
        ),
        (
            "a variable of a Secret's key",
            app(
                json!({"env": [{"name": "V", "valueFrom": {"secretKeyRef": key_ref(json!(null))}}]}),
            ),
            vec!["Secret s Frozen env {V=k} needs [k] by app"],
        ),
        (
            "an optional variable of a ConfigMap's key",
            app(
                json!({"env": [{"name": "V", "valueFrom": {"configMapKeyRef": key_ref(json!(true))}}]}),
            ),
            vec!["ConfigMap s Frozen env {V=k} optional [] by app"],
        ),
        (
            "envFrom, one with a prefix",
            app(json!({"envFrom": [
                {"configMapRef": {"name": "c"}},
                {"prefix": "P_", "secretRef": {"name": "s", "optional": true}},
            ]})),
            vec![
                "ConfigMap c Frozen envFrom * less {} needs [] by app",
                "Secret s Frozen envFrom P_* less {} optional [] by app",
            ],
        ),
        (
            "a volume that no container mounts",
            json!({
                "containers": [{"name": "app", "volumeMounts": [{"name": "other"}]}],
                "volumes": [{"name": "v", "configMap": {"name": "c"}}],
            }),
            vec![],
        ),
        (
            "sources without a name",
            json!({
                "containers": [{
                    "name": "app",
                    "env": [{"name": "V", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
                    "envFrom": [{"configMapRef": {"name": ""}}, {"secretRef": null}],
                    "volumeMounts": [{"name": "v"}],
                }],
                "volumes": [{"name": "v", "configMap": {"items": null}}],
            }),
            vec![],
        ),
        (
            "imagePullSecrets and what the kubelet refreshes",
            json!({
                "imagePullSecrets": [{"name": "s"}],
                "containers": [{"name": "app", "volumeMounts": [{"name": "v"}]}],
                "volumes": [{"name": "v", "downwardAPI": {"items": [{"path": "labels"}]}}],
            }),
            vec![],
        ),
    ];
    for (case, given, expected) in cases {
        assert_eq!(lines(given), expected, "{case}");
    }
}

#[test]
fn items_select_keys() {
    let items = |items: Value| json!({"configMap": {"name": "c", "items": items}});
    let cases = [
        ("none", json!([]), "all needs []"),
        ("null", json!(null), "all needs []"),
        (
            "one",
            json!([{"key": "k", "path": "d/f"}]),
            "{d/f=k} needs [k]",
        ),
        (
            "one key under two paths",
            json!([{"key": "k", "path": "b"}, {"key": "k", "path": "a"}]),
            "{a=k,b=k} needs [k]",
        ),
        (
            "two keys under one path: the last",
            json!([{"key": "k", "path": "a"}, {"key": "l", "path": "./a"}]),
            "{a=l} needs [k,l]",
        ),
        (
            "an untidy path",
            json!([{"key": "k", "path": "./d//f/"}]),
            "{d/f=k} needs [k]",
        ),
    ];
    for (case, given, expected) in cases {
        let expected = format!("ConfigMap c Live volume {expected} by app");
        assert_eq!(
            lines(mounted(items(given), json!({}))),
            [expected],
            "{case}"
        );
    }
}

#[test]
fn a_sub_path_sees_what_lies_under_it() {
    let items = json!([
        {"key": "a", "path": "conf/a"},
        {"key": "b", "path": "conf/deep/b"},
        {"key": "c", "path": "confidential"},
    ]);
    let all = "{conf/a=a,conf/deep/b=b,confidential=c}";
    let cases = [
        ("conf/a", "Frozen", "{conf/a=a}"),
        ("conf/deep/../a", "Frozen", "{conf/a=a}"),
        ("/conf/a", "Frozen", "{conf/a=a}"),
        ("..data/conf/a", "Frozen", "{conf/a=a}"),
        ("con", "Frozen", "{}"),
        ("conf/a/x", "Frozen", "{}"),
        ("..", "Frozen", "{}"),
        ("a/../..", "Frozen", "{}"),
        // Any change of the volume empties a folder that a container has.
        ("conf", "Frozen", all),
        ("./conf//deep/.", "Frozen", all),
        ("..data/conf", "Frozen", all),
        ("..data", "Frozen", all),
        // The root itself is refreshed, however it is named.
        (".", "Live", all),
    ];
    for (sub_path, class, selection) in cases {
        let volume = json!({"configMap": {"name": "c", "items": items}});
        let expected = format!("ConfigMap c {class} volume {selection} needs [a,b,c] by app");
        let given = mounted(volume, json!({"subPath": sub_path}));
        assert_eq!(lines(given), [expected], "{sub_path}");
    }
    // Without items each key is a file of its own name at the root. What is absent is an
    // empty folder, so nothing is needed.
    let cases = [
        ("k.conf", "Frozen", "{k.conf=k.conf}"),
        ("./k.conf", "Frozen", "{k.conf=k.conf}"),
        ("k/x", "Frozen", "{}"),
        (".", "Live", "all"),
    ];
    for (sub_path, class, selection) in cases {
        let expected = format!("Secret s {class} volume {selection} needs [] by app");
        let given = mounted(
            json!({"secret": {"secretName": "s"}}),
            json!({"subPath": sub_path}),
        );
        assert_eq!(lines(given), [expected], "{sub_path}");
    }
}

#[test]
fn a_sub_path_of_an_optional_volume_needs_nothing() {
    let volume =
        |items: Value| json!({"configMap": {"name": "c", "optional": true, "items": items}});
    let items = json!([{"key": "k", "path": "p"}]);
    let cases = [
        (
            json!([]),
            "k",
            vec!["ConfigMap c Frozen volume {k=k} optional [] by app"],
        ),
        (
            items.clone(),
            "p",
            vec!["ConfigMap c Frozen volume {p=k} optional [] by app"],
        ),
        (items, "q", vec![]),
    ];
    for (items, sub_path, expected) in cases {
        let given = mounted(volume(items), json!({"subPath": sub_path}));
        assert_eq!(lines(given), expected, "{sub_path}");
    }
}

#[test]
fn a_sub_path_expr_may_see_every_key() {
    let expr = || json!({"subPathExpr": "$(POD_NAME)"});
    assert_eq!(
        lines(mounted(json!({"configMap": {"name": "c"}}), expr())),
        ["ConfigMap c Frozen volume all needs [] by app"]
    );
    let items = json!({"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}});
    assert_eq!(
        lines(mounted(items, expr())),
        ["ConfigMap c Frozen volume {p=k} needs [k] by app"]
    );
}

#[test]
fn classes_by_container() {
    let mount = json!([{"name": "v"}]);
    let given = json!({
        "initContainers": [
            {"name": "init", "volumeMounts": mount},
            {"name": "never", "restartPolicy": "Never", "volumeMounts": mount},
            {"name": "sidecar", "restartPolicy": "Always", "volumeMounts": mount},
        ],
        "containers": [{"name": "app", "volumeMounts": mount}],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    });
    assert_eq!(
        lines(given),
        [
            "ConfigMap c Live volume all needs [] by app,sidecar",
            "ConfigMap c Frozen volume all needs [] by init,never",
        ]
    );
}

#[test]
fn one_reference_for_each_source_and_class() {
    let given = json!({
        "containers": [
            {
                "name": "b",
                "env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
                "volumeMounts": [{"name": "v", "subPath": "k"}, {"name": "v"}],
            },
            {
                "name": "a",
                "env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
            },
        ],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    });
    let found = references(&spec(given)).unwrap();
    let shape: Vec<_> = found
        .iter()
        .map(|r| (r.class, r.uses.len(), r.containers.join(",")))
        .collect();
    assert_eq!(
        shape,
        [
            (Class::Live, 1, "b".to_owned()),
            (Class::Frozen, 2, "a,b".to_owned())
        ]
    );
}

#[test]
fn own_env_hides_names_of_env_from() {
    let given = |env: Value| {
        json!({"containers": [{
            "name": "app",
            "env": env,
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}],
        }]})
    };
    let from = |field: &str, optional: bool| json!([{"name": "P_A", "valueFrom": {field: {"name": "z", "key": "k", "optional": optional}}}]);
    let cases = [
        ("a literal", json!([{"name": "P_A", "value": "x"}]), "P_A"),
        ("an empty literal", json!([{"name": "P_A"}]), "P_A"),
        ("another name", json!([{"name": "A", "value": "x"}]), ""),
        (
            "two",
            json!([{"name": "P_B", "value": "x"}, {"name": "P_A", "value": "x"}]),
            "P_A,P_B",
        ),
        (
            "a field",
            json!([{"name": "P_A", "valueFrom": {"fieldRef": {}}}]),
            "P_A",
        ),
        ("a key", from("secretKeyRef", false), "P_A"),
        ("a key that may be missing", from("secretKeyRef", true), ""),
        ("a file that may be missing", from("fileKeyRef", true), ""),
    ];
    for (case, env, hidden) in cases {
        let expected = format!("ConfigMap c Frozen envFrom P_* less {{{hidden}}} needs [] by app");
        assert_eq!(lines(given(env))[0], expected, "{case}");
    }
}

#[test]
fn sorted_by_source_then_class() {
    let mount = |name: &str| json!({"name": name});
    let given = json!({
        "initContainers": [{"name": "init", "volumeMounts": [mount("s"), mount("b")]}],
        "containers": [{"name": "app", "volumeMounts": [mount("s"), mount("b"), mount("a")]}],
        "volumes": [
            {"name": "s", "secret": {"secretName": "a"}},
            {"name": "b", "configMap": {"name": "b"}},
            {"name": "a", "configMap": {"name": "a"}},
        ],
    });
    let order: Vec<_> = references(&spec(given))
        .unwrap()
        .into_iter()
        .map(|r| format!("{} {} {}", r.source.0, r.source.1, r.class.as_str()))
        .collect();
    assert_eq!(
        order,
        [
            "ConfigMap a Live",
            "ConfigMap b Live",
            "ConfigMap b Frozen",
            "Secret a Live",
            "Secret a Frozen",
        ]
    );
}

#[test]
fn what_the_kubelet_refreshes_itself() {
    let given = json!({
        "initContainers": [{"name": "init", "volumeMounts": [{"name": "p"}]}],
        "containers": [
            {"name": "app", "volumeMounts": [{"name": "p"}, {"name": "d"}]},
            {"name": "frozen", "volumeMounts": [{"name": "p", "subPath": "token"}]},
        ],
        "volumes": [
            {"name": "p", "projected": {"sources": [
                {"podCertificate": {"keyPath": "key.pem"}},
                {"serviceAccountToken": {"path": "token"}},
                {"clusterTrustBundle": {"path": "ca"}},
                {"configMap": {"name": "c"}},
            ]}},
            {"name": "d", "downwardAPI": {"items": [{"path": "labels"}]}},
            {"name": "unmounted", "downwardAPI": {"items": []}},
        ],
    });
    let found: Vec<_> = self_refreshing(&spec(given))
        .into_iter()
        .map(|r| (r.volume.to_string(), r.kind, r.containers.join(",")))
        .collect();
    let entry = |volume: &str, kind| (volume.to_owned(), kind, "app".to_owned());
    assert_eq!(
        found,
        [
            entry("d", SelfRefreshedKind::DownwardApi),
            entry("p", SelfRefreshedKind::ServiceAccountToken),
            entry("p", SelfRefreshedKind::ClusterTrustBundle),
            entry("p", SelfRefreshedKind::PodCertificate),
        ]
    );
}

fn one(given: Value) -> Reference {
    let mut found = references(&spec(given)).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn fingerprint_is_of_source_class_and_uses() {
    let volume = |items: Value, optional: bool| json!({"configMap": {"name": "c", "items": items, "optional": optional}});
    let base = || mounted(volume(json!([{"key": "k", "path": "p"}]), false), json!({}));
    let fingerprint = |given: Value| one(given).fingerprint();

    // Containers, mount paths, modes and the volume's name are no part of it.
    let mut renamed = base();
    renamed["containers"][0]["name"] = json!("renamed");
    renamed["containers"][0]["volumeMounts"] = json!([{"name": "w", "mountPath": "/x"}]);
    renamed["volumes"][0]["name"] = json!("w");
    renamed["volumes"][0]["configMap"]["defaultMode"] = json!(256);
    assert_eq!(fingerprint(base()), fingerprint(renamed));

    let others = [
        mounted(volume(json!([]), false), json!({})),
        mounted(volume(json!([{"key": "k", "path": "q"}]), false), json!({})),
        mounted(volume(json!([{"key": "l", "path": "p"}]), false), json!({})),
        mounted(volume(json!([{"key": "k", "path": "p"}]), true), json!({})),
        mounted(
            volume(json!([{"key": "k", "path": "p"}]), false),
            json!({"subPath": "p"}),
        ),
        mounted(
            json!({"configMap": {"name": "d", "items": [{"key": "k", "path": "p"}]}}),
            json!({}),
        ),
        mounted(
            json!({"secret": {"secretName": "c", "items": [{"key": "k", "path": "p"}]}}),
            json!({}),
        ),
        mounted(
            json!({"projected": {"sources": [{"configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}]}}),
            json!({}),
        ),
    ];
    let mut seen = BTreeSet::from([fingerprint(base())]);
    for other in others {
        assert!(seen.insert(fingerprint(other.clone())), "{other}");
    }
}

#[test]
fn what_is_over_a_use_is_no_part_of_its_fingerprint() {
    let from = |name: &str| json!({"configMapRef": {"name": name}});
    let container = |name: &str, from: Value| json!({"name": name, "envFrom": from});
    let alone = container("a", json!([from("c")]));
    let under = container("b", json!([from("c"), from("d")]));
    let of = |containers: Value| {
        let mut found = references(&spec(json!({ "containers": containers }))).unwrap();
        found.remove(0)
    };
    let (both, one) = (of(json!([alone, under])), of(json!([alone])));
    assert_eq!((both.uses.len(), one.uses.len()), (2, 1));
    assert_eq!(both.fingerprint(), one.fingerprint());
    assert_eq!(of(json!([under])).fingerprint(), one.fingerprint());
    // Where it is alone nothing covers it.
    let has_all: &Has<'_> = &|_, _, _| true;
    assert!(of(json!([under])).is_covered("k", has_all));
    assert!(!both.is_covered("k", has_all));
}

/// Stored fingerprints must be understood by later versions.
#[test]
fn fingerprint_does_not_change_between_versions() {
    let given = json!({
        "containers": [{
            "name": "app",
            "env": [
                {"name": "P_A", "value": "x"},
                {"name": "V", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
            ],
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c", "optional": true}}],
            "volumeMounts": [{"name": "v", "subPathExpr": "$(V)"}],
        }],
        "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    });
    assert_eq!(
        one(given).fingerprint().to_string(),
        "8596c9512ff7a8bf6908bc0562a0ab5b"
    );
}

#[test]
fn keys_in_words() {
    let with = |keys: &[&str]| {
        let items: Vec<_> = keys.iter().map(|k| json!({"key": k, "path": k})).collect();
        one(mounted(
            json!({"configMap": {"name": "c", "items": items}}),
            json!({}),
        ))
    };
    let cases: [(&[&str], &str); 6] = [
        (&[], "all keys"),
        (&["a"], "key a"),
        (&["b", "a"], "keys a and b"),
        (&["c", "b", "a"], "keys a, b and c"),
        (&["e", "d", "c", "b", "a"], "keys a, b, c, d and e"),
        (
            &["g", "f", "e", "d", "c", "b", "a"],
            "keys a, b, c, d, e and 2 more",
        ),
    ];
    for (keys, words) in cases {
        assert_eq!(with(keys).describe_keys(), words);
    }
    assert_eq!(with(&[]).keys(), None);
    assert_eq!(with(&["b", "a"]).keys(), Some(BTreeSet::from(["a", "b"])));
    let nothing = mounted(
        json!({"configMap": {"name": "c"}}),
        json!({"subPath": "a/b"}),
    );
    assert_eq!(one(nothing).describe_keys(), "no key");
}
