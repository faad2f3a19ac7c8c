//! Pods and edits at random, of few names so that they collide.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

const SOURCES: [(Kind, &str); 3] = [
    (Kind::ConfigMap, "c"),
    (Kind::ConfigMap, "d"),
    (Kind::Secret, "s"),
];
const KEYS: [&str; 3] = ["a", "b", "P_a"];
const NAMES: [&str; 5] = ["a", "b", "P_a", "P_b", "x"];
const PATHS: [&str; 6] = ["a", "b", "d/a", "d/b", "d/e/a", "P_a"];

/// What comes from elsewhere than from sources.
pub(super) fn given() -> Given {
    let variable = ("tmp".to_owned(), "env".to_owned(), "there".to_owned());
    Given {
        variables: [(variable, "file".to_owned())].into(),
        ..Given::default()
    }
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    (spec(), sources(), vec(edit(), 1..3)).prop_map(|(spec, before, edits)| {
        let mut after = before.clone();
        for edit in edits {
            edit.apply(&mut after);
        }
        Case {
            spec,
            before,
            after,
        }
    })
}

// === Sources ===

/// Values are told apart by source and key, as their digests are.
fn value(id: &Id, key: &str, version: u8) -> String {
    format!("{}.{key}.{version}", id.1)
}

fn sources() -> impl Strategy<Value = Sources> {
    let source = option::weighted(0.9, btree_map(select(&KEYS[..]), any::<bool>(), 0..=3));
    [source.clone(), source.clone(), source].prop_map(|drawn| {
        let mut sources = Sources::new();
        for ((kind, name), keys) in SOURCES.into_iter().zip(drawn) {
            let id = (kind, name.to_owned());
            let Some(keys) = keys else { continue };
            let mut source = Source::default();
            for (key, binary) in keys {
                let text = value(&id, key, 0);
                match binary && kind == Kind::ConfigMap && key != "a" {
                    true => source.binary_data.insert(key.to_owned(), text),
                    false => source.data.insert(key.to_owned(), text),
                };
            }
            sources.insert(id, source);
        }
        sources
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Set(Id, &'static str, u8),
    Remove(Id, &'static str),
    Delete(Id),
}

fn edit() -> impl Strategy<Value = Edit> {
    let id = || select(&SOURCES[..]).prop_map(|(kind, name)| (kind, name.to_owned()));
    prop_oneof![
        4 => (id(), select(&KEYS[..]), 1..3_u8).prop_map(|(id, key, version)| Edit::Set(id, key, version)),
        2 => (id(), select(&KEYS[..])).prop_map(|(id, key)| Edit::Remove(id, key)),
        1 => id().prop_map(Edit::Delete),
    ]
}

impl Edit {
    fn apply(self, sources: &mut Sources) {
        match self {
            Self::Set(id, key, version) => {
                let text = value(&id, key, version);
                let source = sources.entry(id).or_default();
                let field = match source.binary_data.contains_key(key) {
                    true => &mut source.binary_data,
                    false => &mut source.data,
                };
                field.insert(key.to_owned(), text);
            }
            Self::Remove(id, key) => {
                if let Some(source) = sources.get_mut(&id) {
                    source.data.remove(key);
                    source.binary_data.remove(key);
                }
            }
            Self::Delete(id) => {
                sources.remove(&id);
            }
        }
    }
}

// === Pods ===

fn spec() -> impl Strategy<Value = Value> {
    let kinds = select(
        &[
            "main", "main", "main", "init", "retried", "sidecar", "debug",
        ][..],
    );
    (
        vec(
            (
                kinds,
                vec(variable(), 0..4),
                vec(from(), 0..3),
                vec(mount(), 0..3),
            ),
            1..3,
        ),
        vec(volume(), 2),
    )
        .prop_map(|(containers, volumes)| {
            let (mut init, mut main, mut debug) = (Vec::new(), Vec::new(), Vec::new());
            for (at, (kind, env, env_from, mounts)) in containers.into_iter().enumerate() {
                let mounts = mounts.into_iter().enumerate().map(|(at, mut mount)| {
                    mount["mountPath"] = json!(format!("/m{at}"));
                    mount
                });
                let mut container = json!({
                    "name": format!("c{at}"),
                    "env": env,
                    "envFrom": env_from,
                    "volumeMounts": mounts.collect::<Vec<_>>(),
                });
                match kind {
                    "sidecar" => container["restartPolicy"] = json!("Always"),
                    // No sidecar: it ends, whatever its rules make of a failure.
                    "retried" => {
                        container["restartPolicy"] = json!("Never");
                        container["restartPolicyRules"] = rules();
                    }
                    // Containers may have a policy too, and are not started earlier by it.
                    "main" if at == 1 => {
                        container["restartPolicy"] = json!("Always");
                        container["restartPolicyRules"] = rules();
                        container["securityContext"] = host_process();
                    }
                    _ => {}
                }
                match kind {
                    "main" => main.push(container),
                    "debug" => debug.push(container),
                    _ => init.push(container),
                }
            }
            let volumes = volumes.into_iter().enumerate().map(|(at, mut volume)| {
                volume["name"] = json!(format!("v{at}"));
                volume
            });
            json!({
                "initContainers": init,
                "containers": main,
                "ephemeralContainers": debug,
                "volumes": volumes.collect::<Vec<_>>(),
            })
        })
}

/// What is to be done when a container ends in a certain way.
fn rules() -> Value {
    json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}])
}

/// Of Windows: the container sees its files below a folder of the node.
fn host_process() -> Value {
    json!({"windowsOptions": {"hostProcess": true}})
}

fn source_field(
    config_map: &'static str,
    secret: &'static str,
) -> impl Strategy<Value = (&'static str, &'static str)> {
    select(&SOURCES[..]).prop_map(move |(kind, name)| match kind {
        Kind::ConfigMap => (config_map, name),
        Kind::Secret => (secret, name),
    })
}

fn variable() -> impl Strategy<Value = Value> {
    let literals = [
        "",
        "x",
        "$(a)-x",
        "$$(a)",
        "$(b)$(P_a)",
        "$$$(a)",
        "$(a",
        "$(x)",
    ];
    let literal = select(literals.to_vec()).prop_map(|text| json!({"value": text}));
    let key = (source_field("configMapKeyRef", "secretKeyRef"), select(&KEYS[..]), any::<bool>())
        .prop_map(|((field, name), key, optional)| {
            json!({"valueFrom": {field: {"name": name, "key": key, "optional": optional}}})
        });
    let other = select(vec![
        json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        json!({"valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}),
        json!({"valueFrom": {"fileKeyRef":
            {"volumeName": "tmp", "path": "env", "key": "there"}}}),
        json!({"valueFrom": {"fileKeyRef":
            {"volumeName": "tmp", "path": "env", "key": "there", "optional": true}}}),
        json!({"valueFrom": {"fileKeyRef":
            {"volumeName": "tmp", "path": "env", "key": "absent", "optional": true}}}),
    ]);
    let value = prop_oneof![4 => literal, 4 => key, 1 => other];
    (select(&NAMES[..]), value).prop_map(|(name, mut variable)| {
        variable["name"] = json!(name);
        variable
    })
}

fn from() -> impl Strategy<Value = Value> {
    let source = source_field("configMapRef", "secretRef");
    (source, select(&["", "", "P_"][..]), any::<bool>()).prop_map(|((field, name), prefix, optional)| {
        json!({"prefix": prefix, field: {"name": name, "optional": optional}})
    })
}

fn mount() -> impl Strategy<Value = Value> {
    let sub_paths = [
        "", "", ".", "a", "P_a", "d", "d/a", "d/e", "./d//e", "..data", "..data/a", "..data/d",
        "a/x", "z",
    ];
    let way = prop_oneof![
        12 => select(sub_paths.to_vec()).prop_map(|path| json!({"subPath": path})),
        1 => select(vec!["$(a)", "d/$(x)"]).prop_map(|path| json!({"subPathExpr": path})),
    ];
    (way, select(&["v0", "v1"][..])).prop_map(|(mut mount, volume)| {
        mount["name"] = json!(volume);
        mount
    })
}

fn items() -> impl Strategy<Value = Value> {
    let item = (select(&KEYS[..]), select(&PATHS[..]));
    let items = prop_oneof![Just(vec![]), vec(item, 1..4)];
    items.prop_map(|items| {
        let each = items
            .iter()
            .map(|(key, path)| json!({"key": key, "path": path}));
        Value::Array(each.collect())
    })
}

fn volume() -> impl Strategy<Value = Value> {
    let plain = (select(&SOURCES[..]), items(), any::<bool>()).prop_map(
        |((kind, name), items, optional)| match kind {
            Kind::ConfigMap => {
                json!({"configMap": {"name": name, "items": items, "optional": optional}})
            }
            Kind::Secret => {
                json!({"secret": {"secretName": name, "items": items, "optional": optional}})
            }
        },
    );
    let part = (source_field("configMap", "secret"), items(), any::<bool>()).prop_map(
        |((field, name), items, optional)| json!({field: {"name": name, "items": items, "optional": optional}}),
    );
    let part = prop_oneof![6 => part, 2 => given_part()];
    let projected = vec(part, 0..4).prop_map(|parts| json!({"projected": {"sources": parts}}));
    let other = vec![
        json!({"emptyDir": {}}),
        json!({"image": {"reference": "it:1", "pullPolicy": "Always"}}),
        json!({"downwardAPI": {"items": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}]}}),
    ];
    prop_oneof![2 => plain, 2 => projected, 1 => select(other)]
}

/// A part of a projected volume that is neither ConfigMap nor Secret.
fn given_part() -> impl Strategy<Value = Value> {
    let file = || select(&PATHS[..]);
    let field = file().prop_map(|path| json!({"items": [{"path": path}]}));
    let resource = file().prop_map(
        |path| json!({"items": [{"path": path, "resourceFieldRef": {"resource": "limits.cpu"}}]}),
    );
    let certificate = (
        option::of(file()),
        option::of(file()),
        option::of(file()),
        any::<bool>(),
    )
        .prop_map(|(bundle, key, chain, as_empty)| {
            let mut certificate = json!({"signerName": "example.com/it", "keyType": "ED25519"});
            for (field, path) in [
                ("credentialBundlePath", bundle),
                ("keyPath", key),
                ("certificateChainPath", chain),
            ] {
                if path.is_some() || as_empty {
                    certificate[field] = json!(path.unwrap_or_default());
                }
            }
            json!({"podCertificate": certificate})
        });
    prop_oneof![
        prop_oneof![field, resource].prop_map(|fields| json!({"downwardAPI": fields})),
        file().prop_map(|path| json!({"serviceAccountToken": {"path": path}})),
        (file(), any::<bool>()).prop_map(|(path, optional)| {
            json!({"clusterTrustBundle": {"name": "it", "path": path, "optional": optional}})
        }),
        certificate,
    ]
}
