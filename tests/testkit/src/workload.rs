//! Builders of workloads, and of all the ways in which they use sources.
//!
//! ```ignore
//! deployment("web")
//!     .uses(app.volume())                               // all keys, as a directory
//!     .uses(app.volume().items(&["a"]))                 // some
//!     .uses(app.volume().item("a", "conf/a").sub_path("conf"))
//!     .uses(app.volume().sub_path_expr("$(POD_NAME)"))
//!     .uses(app.volume().unmounted())
//!     .uses(app.projected())                            // beside a downwardAPI and a token
//!     .uses(projected(&[&app, &db]))                    // several in one volume
//!     .uses(db.env("PASSWORD", "password"))
//!     .uses(app.env_from("APP_").optional())
//!     .uses(app.env("A", "a").in_init())                // in an init container
//!     .uses(app.volume().in_sidecar())                  // in a restartable one
//! ```

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Object, Source, SourceKind, WorkloadKind};

/// One use of a source (of several, where they share a projected volume).
#[derive(Clone, Debug)]
pub struct Use {
    sources: Vec<(SourceKind, String)>,
    way: Way,
    container: Container,
    optional: bool,
}

#[derive(Clone, Debug)]
enum Way {
    Env { variable: String, key: String },
    EnvFrom { prefix: String },
    Volume(Volume),
}

#[derive(Clone, Debug, Default)]
struct Volume {
    projected: bool,
    /// Keys and their paths; empty for all.
    items: Vec<(String, String)>,
    mount: Mount,
}

#[derive(Clone, Debug, Default)]
enum Mount {
    #[default]
    Directory,
    SubPath(String),
    SubPathExpr(String),
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Main,
    Init,
    Sidecar,
}

impl Source {
    /// As a volume, mounted as a directory.
    pub fn volume(&self) -> Use {
        self.used(Way::Volume(Volume::default()))
    }

    /// In a projected volume of all four kinds, mounted as a directory.
    pub fn projected(&self) -> Use {
        projected(&[self])
    }

    /// One key, as an environment variable.
    pub fn env(&self, variable: &str, key: &str) -> Use {
        self.used(Way::Env {
            variable: variable.to_owned(),
            key: key.to_owned(),
        })
    }

    /// All keys, as environment variables with a prefix.
    pub fn env_from(&self, prefix: &str) -> Use {
        let prefix = prefix.to_owned();
        self.used(Way::EnvFrom { prefix })
    }

    fn used(&self, way: Way) -> Use {
        Use {
            sources: vec![(self.kind, self.name.clone())],
            way,
            container: Container::Main,
            optional: false,
        }
    }
}

/// Several sources in one projected volume, beside a downwardAPI and a token.
pub fn projected(sources: &[&Source]) -> Use {
    let volume = Volume {
        projected: true,
        ..Volume::default()
    };
    Use {
        sources: sources.iter().map(|s| (s.kind, s.name.clone())).collect(),
        way: Way::Volume(volume),
        container: Container::Main,
        optional: false,
    }
}

impl Use {
    /// Only these keys, each at the path of its own name.
    pub fn items(self, keys: &[&str]) -> Self {
        keys.iter().fold(self, |part, key| part.item(key, key))
    }

    /// This key, at this path.
    pub fn item(self, key: &str, path: &str) -> Self {
        self.change(|volume| volume.items.push((key.to_owned(), path.to_owned())))
    }

    /// Mounted with `subPath`.
    pub fn sub_path(self, path: &str) -> Self {
        self.change(|volume| volume.mount = Mount::SubPath(path.to_owned()))
    }

    /// Mounted with `subPathExpr`.
    pub fn sub_path_expr(self, path: &str) -> Self {
        self.change(|volume| volume.mount = Mount::SubPathExpr(path.to_owned()))
    }

    /// A volume that no container mounts.
    pub fn unmounted(self) -> Self {
        self.change(|volume| volume.mount = Mount::None)
    }

    /// `optional: true`.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// In an init container that ends.
    pub fn in_init(mut self) -> Self {
        self.container = Container::Init;
        self
    }

    /// In an init container that runs along (`restartPolicy: Always`).
    pub fn in_sidecar(mut self) -> Self {
        self.container = Container::Sidecar;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Volume)) -> Self {
        match &mut self.way {
            Way::Volume(volume) => change(volume),
            way => panic!("{way:?} is no volume"),
        }
        self
    }
}

/// A workload, with one Pod unless said otherwise.
#[derive(Clone, Debug)]
pub struct Workload {
    kind: WorkloadKind,
    name: String,
    replicas: u32,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    pod_annotations: BTreeMap<String, String>,
    held: bool,
    image: String,
    uses: Vec<Use>,
    spec: BTreeMap<String, Value>,
}

/// A Deployment.
pub fn deployment(name: &str) -> Workload {
    Workload::new(WorkloadKind::Deployment, name)
}

/// A StatefulSet, whose Pods come and go all at once (podManagementPolicy Parallel).
pub fn stateful_set(name: &str) -> Workload {
    Workload::new(WorkloadKind::StatefulSet, name)
}

/// A DaemonSet.
pub fn daemon_set(name: &str) -> Workload {
    Workload::new(WorkloadKind::DaemonSet, name)
}

impl Workload {
    /// One that uses nothing yet.
    pub fn new(kind: WorkloadKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            replicas: 1,
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
            held: false,
            image: "app:1".to_owned(),
            uses: Vec::new(),
            spec: BTreeMap::new(),
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> WorkloadKind {
        self.kind
    }

    /// Of a Deployment or StatefulSet.
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// `projsync.dev/sync` on the workload.
    pub fn sync(self, value: &str) -> Self {
        self.annotation("projsync.dev/sync", value)
    }

    /// An annotation on the workload.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A label on the workload.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// An annotation on the Pod template.
    pub fn pod_annotation(mut self, name: &str, value: &str) -> Self {
        self.pod_annotations
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// Its Pods become ready after so long (`24h`: never).
    pub fn ready_after(self, delay: &str) -> Self {
        self.pod_annotation("pod-ready.stage.kwok.x-k8s.io/delay", delay)
    }

    /// Its Pods start when [`Space::release`](crate::Space::release) lets them, not before.
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// The image of the main container.
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// Its Pods use this.
    pub fn uses(mut self, part: Use) -> Self {
        self.uses.push(part);
        self
    }

    /// Any field of the spec.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.spec.insert(field.to_owned(), value);
        self
    }

    /// Of the label `app` of its Pods: its name, as far as a label may hold it.
    pub fn label_value(&self) -> &str {
        &self.name[..self.name.len().min(63)]
    }

    /// The spec of its Pods.
    pub fn pod_spec(&self) -> Value {
        let mut spec = json!({
            "terminationGracePeriodSeconds": 0,
            "initContainers": [],
            "containers": [{"name": "main", "image": self.image}],
            "volumes": [],
        });
        if self.held {
            spec["schedulingGates"] = json!([{"name": "test/held"}]);
        }
        for part in &self.uses {
            part.add_to(&mut spec);
        }
        spec
    }
}

impl Use {
    fn add_to(&self, spec: &mut Value) {
        let (kind, name) = &self.sources[0];
        let (kind, optional) = (kind.field(), self.optional);
        match &self.way {
            Way::Env { variable, key } => {
                let of = json!({"name": name, "key": key, "optional": optional});
                let value = json!({format!("{kind}KeyRef"): of});
                let variable = json!({"name": variable, "valueFrom": value});
                push(self.container.of(spec), "env", variable);
            }
            Way::EnvFrom { prefix } => {
                let of = json!({"name": name, "optional": optional});
                let all = json!({"prefix": prefix, format!("{kind}Ref"): of});
                push(self.container.of(spec), "envFrom", all);
            }
            Way::Volume(volume) => {
                let number = spec["volumes"].as_array().map_or(0, Vec::len);
                let id = format!("volume-{number}");
                let mut source = volume.source(self);
                source["name"] = json!(id);
                push(spec, "volumes", source);
                if let Some(mut mount) = volume.mount() {
                    mount["name"] = json!(id);
                    mount["mountPath"] = json!(format!("/mnt/{number}"));
                    push(self.container.of(spec), "volumeMounts", mount);
                }
            }
        }
    }
}

impl Container {
    /// The container of a Pod spec, made where there is none yet.
    fn of(self, spec: &mut Value) -> &mut Value {
        let new = match self {
            Self::Main => return &mut spec["containers"][0],
            Self::Init => json!({"name": "init", "image": "init:1"}),
            Self::Sidecar => {
                json!({"name": "sidecar", "image": "side:1", "restartPolicy": "Always"})
            }
        };
        let others = spec["initContainers"].as_array();
        let found = others.and_then(|all| all.iter().position(|one| one["name"] == new["name"]));
        let number = found.unwrap_or(others.map_or(0, Vec::len));
        if found.is_none() {
            push(spec, "initContainers", new);
        }
        &mut spec["initContainers"][number]
    }
}

impl Volume {
    fn source(&self, part: &Use) -> Value {
        let items = self.items.iter();
        let items: Vec<Value> = items
            .map(|(key, path)| json!({"key": key, "path": path}))
            .collect();
        let source = |field: &str, name: &str, kind: SourceKind| json!({kind.field(): {field: name, "items": items, "optional": part.optional}});
        if !self.projected {
            let (kind, name) = &part.sources[0];
            return source(kind.volume_name(), name, *kind);
        }
        let mut sources = vec![
            json!({"serviceAccountToken": {"path": "token"}}),
            json!({"downwardAPI": {"items":
                [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}),
        ];
        let projected = part.sources.iter();
        sources.extend(projected.map(|(kind, name)| source("name", name, *kind)));
        json!({"projected": {"sources": sources}})
    }

    fn mount(&self) -> Option<Value> {
        match &self.mount {
            Mount::Directory => Some(json!({})),
            Mount::SubPath(path) => Some(json!({"subPath": path})),
            Mount::SubPathExpr(path) => Some(json!({"subPathExpr": path})),
            Mount::None => None,
        }
    }
}

impl Object for Workload {
    fn manifest(&self) -> Value {
        let labels = json!({"app": self.label_value()});
        let mut spec = json!({
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": self.pod_annotations},
                "spec": self.pod_spec(),
            },
        });
        if self.kind != WorkloadKind::DaemonSet {
            spec["replicas"] = json!(self.replicas);
        }
        if self.kind == WorkloadKind::StatefulSet {
            spec["serviceName"] = json!(self.name);
            spec["podManagementPolicy"] = json!("Parallel");
        }
        for (field, value) in &self.spec {
            spec[field] = value.clone();
        }
        json!({
            "apiVersion": "apps/v1", "kind": self.kind.as_str(),
            "metadata": {"name": self.name, "annotations": self.annotations, "labels": self.labels},
            "spec": spec,
        })
    }
}

/// Appends to a list that may not exist yet.
fn push(object: &mut Value, field: &str, value: Value) {
    match &mut object[field] {
        Value::Array(list) => list.push(value),
        list => *list = json!([value]),
    }
}
