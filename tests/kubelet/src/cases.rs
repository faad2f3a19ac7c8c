//! Pods and edits whose outcome is known. The model, the operator and a real kubelet are held
//! against them.

use serde_json::{Value, json};

use crate::spec::{Kind, Source};
use crate::{Given, PodSpec, Sources};

/// A Pod, an edit, and who sees it.
#[derive(Clone, Debug)]
pub struct Case {
    /// In words.
    pub name: &'static str,
    /// The Pod's spec. Its container is `main`; others are `init` and `sidecar`.
    pub spec: Value,
    /// What there is at first: see [`sources`].
    pub before: &'static str,
    /// What there is then.
    pub after: &'static str,
    /// Who sees the edit.
    pub seen: Seen,
}

/// Who sees an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No container.
    Never,
    /// Running containers, once the kubelet has refreshed their files.
    Live,
    /// Only containers that start then, as far as something of it is seen.
    AtStart,
}

use Seen::{AtStart, Live, Never};

/// ConfigMaps `c` and `d` and a Secret `s` in short: `c.a=1 s` is a ConfigMap with one key beside
/// an empty Secret. `c.a:=1` is `binaryData`. Each value tells its source and key too.
#[must_use]
pub fn sources(text: &str) -> Sources {
    let mut sources = Sources::new();
    for word in text.split_whitespace() {
        let (name, rest) = word.split_once('.').unwrap_or((word, ""));
        let kind = if name == "s" {
            Kind::Secret
        } else {
            Kind::ConfigMap
        };
        let source: &mut Source = sources.entry((kind, name.to_owned())).or_default();
        if let Some((key, value)) = rest.split_once('=') {
            let (key, data) = match key.strip_suffix(':') {
                Some(key) => (key, &mut source.binary_data),
                None => (key, &mut source.data),
            };
            data.insert(key.to_owned(), format!("{name}.{key}.{value}"));
        }
    }
    sources
}

impl Case {
    /// The spec, as the model reads it.
    ///
    /// # Panics
    /// Where the table is wrong.
    #[must_use]
    pub fn pod(&self) -> PodSpec {
        PodSpec::from_json(&self.spec).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// What else a Pod of this name has.
#[must_use]
pub fn given(pod: &str) -> Given {
    Given {
        fields: [("metadata.name".to_owned(), pod.to_owned())].into(),
        ..Given::default()
    }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Case> {
    let groups = [variables(), layers(), files(), sub_paths(), containers()];
    groups.into_iter().flatten().collect()
}

// === Parts of specs ===

fn main(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("main");
    json!({ "containers": [container] })
}

fn env(env: Value) -> Value {
    main(json!({ "env": env }))
}

/// `envFrom` the ConfigMap `c`, and this `env`.
fn over_c(env: Value) -> Value {
    main(json!({"envFrom": [{"configMapRef": {"name": "c"}}], "env": env}))
}

fn env_from(from: Value) -> Value {
    main(json!({ "envFrom": from }))
}

/// An entry of `env` from a key of `c` or `d`.
fn from_key(name: &str, source: &str, key: &str, optional: bool) -> Value {
    let from = json!({"name": source, "key": key, "optional": optional});
    json!({"name": name, "valueFrom": {"configMapKeyRef": from}})
}

/// A volume, mounted at /config/v, or a `subPath` of it.
fn volume(volume: Value, sub_path: &str) -> Value {
    let mut volume = volume;
    volume["name"] = json!("v");
    let mount = json!({"name": "v", "mountPath": "/config/v", "subPath": sub_path});
    let mut spec = main(json!({ "volumeMounts": [mount] }));
    spec["volumes"] = json!([volume]);
    spec
}

fn c() -> Value {
    json!({"configMap": {"name": "c"}})
}

/// `c` with these keys at these paths.
fn items(items: &[(&str, &str)], optional: bool) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(key, path)| json!({"key": key, "path": path}))
        .collect();
    json!({"configMap": {"name": "c", "items": items, "optional": optional}})
}

fn projected(sources: Value) -> Value {
    json!({"projected": {"sources": sources}})
}

/// Key `a` at d/a, and `b` beside that folder.
fn folder() -> Value {
    items(&[("a", "d/a"), ("b", "b")], false)
}

/// What `main` has, in a container of another name, before it or beside it.
fn elsewhere(name: &str, spec: Value) -> Value {
    let mut spec = spec;
    let mut container = spec["containers"][0].take();
    container["name"] = json!(name);
    if name == "sidecar" {
        container["restartPolicy"] = json!("Always");
    }
    spec["containers"] = json!([{"name": "main"}]);
    spec["initContainers"] = json!([container]);
    spec
}

// === The table ===

macro_rules! table {
    ($($name:literal, $spec:expr, $before:literal => $after:literal, $seen:expr;)+) => {
        vec![$(Case { name: $name, spec: $spec, before: $before, after: $after, seen: $seen }),+]
    };
}

/// Single variables, and whole sources as variables.
#[must_use]
pub fn variables() -> Vec<Case> {
    let a = |value: &str| json!({"name": "A", "value": value});
    let named = |value: &str| json!({"name": "FOO", "value": value});
    let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    let optional = json!([{"configMapRef": {"name": "c", "optional": true}}]);
    table! {
        "a variable of a ConfigMap", env(json!([from_key("A", "c", "k", false)])),
            "c.k=1" => "c.k=2", AtStart;
        "another key than that of the variable", env(json!([from_key("A", "c", "k", false)])),
            "c.k=1 c.l=1" => "c.k=1 c.l=2", Never;
        "a variable of a Secret", env(json!([{"name": "A", "valueFrom": secret}])),
            "s.k=1" => "s.k=2", AtStart;
        "an optional variable whose source comes", env(json!([from_key("A", "c", "k", true)])),
            "" => "c.k=1", AtStart;
        "an optional variable whose key goes", env(json!([from_key("A", "c", "k", true)])),
            "c.k=1" => "c", AtStart;
        "all variables, and one more", over_c(json!([])),
            "c.k=1" => "c.k=1 c.l=1", AtStart;
        "all variables with a prefix", env_from(json!([{"prefix": "P_", "secretRef": {"name": "s"}}])),
            "s.k=1" => "s.k=2", AtStart;
        "a key that is no name of a variable", over_c(json!([])),
            "c.1a.b-c=1" => "c.1a.b-c=2", AtStart;
        "binaryData as variables", over_c(json!([])),
            "c.k=1 c.b:=1" => "c.k=1 c.b:=2", Never;
        "an optional source of variables that goes", env_from(optional),
            "c.k=1" => "", AtStart;
        "a value that refers to its own name", over_c(json!([named("$(FOO)-x")])),
            "c.FOO=1" => "c.FOO=2", AtStart;
        "a value before that which hides the name", over_c(json!([a("$(FOO)"), named("x")])),
            "c.FOO=1" => "c.FOO=2", AtStart;
        "a value after that which hides the name", over_c(json!([named("x"), a("$(FOO)")])),
            "c.FOO=1" => "c.FOO=2", Never;
        "a value that is itself hidden", over_c(json!([a("$(FOO)"), named("x"), a("y")])),
            "c.FOO=1" => "c.FOO=2", Never;
        "an escaped reference", over_c(json!([named("$$(FOO)")])),
            "c.FOO=1" => "c.FOO=2", Never;
        "a reference after an escape", over_c(json!([named("$$$(FOO)")])),
            "c.FOO=1" => "c.FOO=2", AtStart;
        "a name that env hides", over_c(json!([named("x")])),
            "c.FOO=1" => "c.FOO=2", Never;
        "an entry of env that a later one hides",
            env(json!([from_key("FOO", "c", "k", false), named("x")])),
            "c.k=1" => "c.k=2", Never;
        "an entry of env that a later one refers to",
            env(json!([from_key("FOO", "c", "k", false), named("$(FOO)2")])),
            "c.k=1" => "c.k=2", AtStart;
    }
}

/// Sources that give the same variables.
#[must_use]
pub fn layers() -> Vec<Case> {
    let both =
        || env_from(json!([{"configMapRef": {"name": "c"}}, {"configMapRef": {"name": "d"}}]));
    let prefixed = env_from(json!([
        {"configMapRef": {"name": "c"}},
        {"prefix": "P_", "configMapRef": {"name": "d"}},
    ]));
    let optional = || over_c(json!([from_key("k", "d", "k", true)]));
    let read = json!([{"name": "A", "value": "$(k)"}, from_key("k", "d", "k", true)]);
    table! {
        "a variable that a later source gives", both(),
            "c.k=1 d.k=1" => "c.k=2 d.k=1", Never;
        "a variable that no later source gives", both(),
            "c.k=1 c.l=1 d.k=1" => "c.k=1 c.l=2 d.k=1", AtStart;
        "a variable that a later source loses", both(),
            "c.k=1 d.k=1" => "c.k=1 d", AtStart;
        "a variable that a later source gets", both(),
            "c.k=1 d" => "c.k=1 d.k=1", AtStart;
        "a variable that a later source gives with a prefix", prefixed,
            "c.P_k=1 d.k=1" => "c.P_k=2 d.k=1", Never;
        "a variable that an optional entry of env gives", optional(),
            "c.k=1 d.k=1" => "c.k=2 d.k=1", Never;
        "a variable that an optional entry of env loses", optional(),
            "c.k=1 d.k=1" => "c.k=1 d", AtStart;
        "a variable that is read before an optional entry of env gives it", over_c(read),
            "c.k=1 d.k=1" => "c.k=2 d.k=1", AtStart;
    }
}

/// Files of directories that the kubelet refreshes.
#[must_use]
pub fn files() -> Vec<Case> {
    let two = || projected(json!([{"configMap": {"name": "c"}}, {"configMap": {"name": "d"}}]));
    let token =
        projected(json!([{"configMap": {"name": "c"}}, {"serviceAccountToken": {"path": "k"}}]));
    let field = json!({"path": "k", "fieldRef": {"fieldPath": "metadata.name"}});
    let field =
        projected(json!([{"configMap": {"name": "c"}}, {"downwardAPI": {"items": [field]}}]));
    let mut unmounted = main(json!({}));
    unmounted["volumes"] = json!([{"name": "v", "configMap": {"name": "c"}}]);
    table! {
        "a file of a ConfigMap", volume(c(), ""), "c.k=1" => "c.k=2", Live;
        "a file that comes", volume(c(), ""), "c.k=1" => "c.k=1 c.l=1", Live;
        "a file that goes", volume(c(), ""), "c.k=1 c.l=1" => "c.k=1", Live;
        "a file of binaryData", volume(c(), ""), "c.k:=1" => "c.k:=2", Live;
        "a file of a Secret", volume(json!({"secret": {"secretName": "s"}}), ""),
            "s.k=1" => "s.k=2", Live;
        "files of an optional source that comes", volume(items(&[], true), ""), "" => "c.k=1", Live;
        "an item in a folder", volume(folder(), ""), "c.a=1 c.b=1" => "c.a=2 c.b=1", Live;
        "a key that is no item", volume(folder(), ""), "c.a=1 c.b=1" => "c.a=1 c.b=1 c.k=1", Never;
        "an item whose path a later one has", volume(items(&[("a", "x"), ("b", "x")], false), ""),
            "c.a=1 c.b=1" => "c.a=2 c.b=1", Never;
        "an optional item whose path a later one may have",
            volume(items(&[("a", "x"), ("b", "x")], true), ""), "c.a=1" => "c.a=2", Live;
        "a file that a later source gives", volume(two(), ""),
            "c.k=1 d.k=1" => "c.k=2 d.k=1", Never;
        "a file that no later source gives", volume(two(), ""),
            "c.k=1 c.l=1 d.k=1" => "c.k=1 c.l=2 d.k=1", Live;
        "a file that a later source loses", volume(two(), ""),
            "c.k=1 d.k=1" => "c.k=1 d", Live;
        "a file in place of which there is a token", volume(token, ""),
            "c.k=1" => "c.k=2", Never;
        "a file in place of which there is a field", volume(field, ""),
            "c.k=1" => "c.k=2", Never;
        "a volume that nobody mounts", unmounted, "c.k=1" => "c.k=2", Never;
    }
}

/// Files and folders by a `subPath`.
#[must_use]
pub fn sub_paths() -> Vec<Case> {
    let two = projected(json!([{"configMap": {"name": "c"}}, {"configMap": {"name": "d"}}]));
    let mut expression = volume(c(), "");
    expression["containers"][0]["env"] = json!([{"name": "WHICH", "value": "k"}]);
    expression["containers"][0]["volumeMounts"] =
        json!([{"name": "v", "mountPath": "/config/v", "subPathExpr": "$(WHICH)"}]);
    table! {
        "a file by its path", volume(c(), "k"), "c.k=1" => "c.k=2", AtStart;
        "another file than that by its path", volume(c(), "k"), "c.k=1 c.l=1" => "c.k=1 c.l=2", Never;
        "an absent file by its path, and another", volume(c(), "k"), "c.l=1" => "c.l=2", Never;
        "a file by its path that comes", volume(c(), "k"), "c.l=1" => "c.l=1 c.k=1", AtStart;
        "a file by its path that goes", volume(c(), "k"), "c.k=1" => "c", AtStart;
        "a file in a folder by an untidy path", volume(folder(), "./d//a"),
            "c.a=1 c.b=1" => "c.a=2 c.b=1", AtStart;
        "a file by its path in the current data", volume(c(), "..data/k"),
            "c.k=1" => "c.k=2", AtStart;
        "a folder by its path", volume(folder(), "d"), "c.a=1 c.b=1" => "c.a=2 c.b=1", AtStart;
        "a folder that a change beside it empties", volume(folder(), "d"),
            "c.a=1 c.b=1" => "c.a=1 c.b=2", AtStart;
        "the current data as a folder", volume(c(), "..data"), "c.k=1" => "c.k=2", AtStart;
        "the volume itself by its path", volume(c(), "."), "c.k=1" => "c.k=2", Live;
        "a file by its path that a later source gives", volume(two, "k"),
            "c.k=1 d.k=1" => "c.k=2 d.k=1", Never;
        "a file by an expression", expression, "c.k=1" => "c.k=2", AtStart;
    }
}

/// Containers that run before `main` or beside it.
#[must_use]
pub fn containers() -> Vec<Case> {
    let variable = || env(json!([from_key("A", "c", "k", false)]));
    table! {
        "a variable of an init container", elsewhere("init", variable()),
            "c.k=1" => "c.k=2", AtStart;
        "a file of an init container", elsewhere("init", volume(c(), "")),
            "c.k=1" => "c.k=2", AtStart;
        "a file beside the folder of an init container", elsewhere("init", volume(folder(), "d")),
            "c.a=1 c.b=1" => "c.a=1 c.b=2", Never;
        "a variable of a sidecar", elsewhere("sidecar", variable()), "c.k=1" => "c.k=2", AtStart;
        "a file of a sidecar", elsewhere("sidecar", volume(c(), "")), "c.k=1" => "c.k=2", Live;
    }
}

#[cfg(test)]
mod tests;
