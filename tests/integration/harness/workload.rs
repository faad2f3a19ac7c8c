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

use projsync::kinds::{SourceKind, WorkloadKind};
use serde_json::{Value, json};

use super::{Object, Source};

/// One use of a source (of several, where they share a projected volume).
#[derive(Clone, Debug)]
pub(crate) struct Use {
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
    pub(crate) fn volume(&self) -> Use {
        self.used(Way::Volume(Volume::default()))
    }

    /// In a projected volume of all four kinds, mounted as a directory.
    pub(crate) fn projected(&self) -> Use {
        projected(&[self])
    }

    /// One key, as an environment variable.
    pub(crate) fn env(&self, variable: &str, key: &str) -> Use {
        self.used(Way::Env {
            variable: variable.to_owned(),
            key: key.to_owned(),
        })
    }

    /// All keys, as environment variables with a prefix.
    pub(crate) fn env_from(&self, prefix: &str) -> Use {
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
pub(crate) fn projected(sources: &[&Source]) -> Use {
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
    pub(crate) fn items(self, keys: &[&str]) -> Self {
        keys.iter().fold(self, |part, key| part.item(key, key))
    }

    /// This key, at this path.
    pub(crate) fn item(self, key: &str, path: &str) -> Self {
        self.change(|volume| volume.items.push((key.to_owned(), path.to_owned())))
    }

    pub(crate) fn sub_path(self, path: &str) -> Self {
        self.change(|volume| volume.mount = Mount::SubPath(path.to_owned()))
    }

    pub(crate) fn sub_path_expr(self, path: &str) -> Self {
        self.change(|volume| volume.mount = Mount::SubPathExpr(path.to_owned()))
    }

    /// A volume that no container mounts.
    pub(crate) fn unmounted(self) -> Self {
        self.change(|volume| volume.mount = Mount::None)
    }

    pub(crate) fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// In an init container that ends.
    pub(crate) fn in_init(mut self) -> Self {
        self.container = Container::Init;
        self
    }

    /// In an init container that runs along (`restartPolicy: Always`).
    pub(crate) fn in_sidecar(mut self) -> Self {
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
pub(crate) struct Workload {
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
pub(crate) fn deployment(name: &str) -> Workload {
    Workload::new(WorkloadKind::Deployment, name)
}

/// A StatefulSet, whose Pods come and go all at once (podManagementPolicy Parallel).
pub(crate) fn stateful_set(name: &str) -> Workload {
    Workload::new(WorkloadKind::StatefulSet, name)
}

/// A DaemonSet.
pub(crate) fn daemon_set(name: &str) -> Workload {
    Workload::new(WorkloadKind::DaemonSet, name)
}

impl Workload {
    pub(crate) fn new(kind: WorkloadKind, name: &str) -> Self {
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

    pub(crate) fn kind(&self) -> WorkloadKind {
        self.kind
    }

    /// Of a Deployment or StatefulSet.
    pub(crate) fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// `projsync.dev/sync` on the workload.
    pub(crate) fn sync(self, value: &str) -> Self {
        self.annotation(projsync::api::names::SYNC_ANNOTATION, value)
    }

    /// An annotation on the workload.
    pub(crate) fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A label on the workload.
    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// An annotation on the Pod template.
    pub(crate) fn pod_annotation(mut self, name: &str, value: &str) -> Self {
        self.pod_annotations
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// Its Pods become ready after so long (`24h`: never).
    pub(crate) fn ready_after(self, delay: &str) -> Self {
        self.pod_annotation("pod-ready.stage.kwok.x-k8s.io/delay", delay)
    }

    /// Its Pods start when [`Space::release`](super::Space::release) lets them, not before.
    pub(crate) fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// The image of the main container.
    pub(crate) fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    pub(crate) fn uses(mut self, part: Use) -> Self {
        self.uses.push(part);
        self
    }

    /// Any field of the spec.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.spec.insert(field.to_owned(), value);
        self
    }

    /// Of the label `app` of its Pods: its name, as far as a label may hold it.
    pub(crate) fn label_value(&self) -> &str {
        &self.name[..self.name.len().min(63)]
    }

    fn pod_spec(&self) -> Value {
        let mut containers = [
            (
                Container::Main,
                json!({"name": "main", "image": self.image}),
            ),
            (Container::Init, json!({"name": "init", "image": "init:1"})),
            (
                Container::Sidecar,
                json!({"name": "sidecar", "image": "side:1", "restartPolicy": "Always"}),
            ),
        ];
        let mut volumes = Vec::new();
        for (number, part) in self.uses.iter().enumerate() {
            let container = containers
                .iter_mut()
                .find(|(which, _)| *which == part.container);
            let Some((_, container)) = container else {
                continue;
            };
            let (kind, name) = &part.sources[0];
            match &part.way {
                Way::Env { variable, key } => {
                    let field = match kind {
                        SourceKind::ConfigMap => "configMapKeyRef",
                        SourceKind::Secret => "secretKeyRef",
                    };
                    let reference = json!({"name": name, "key": key, "optional": part.optional});
                    push(
                        container,
                        "env",
                        json!({"name": variable, "valueFrom": {field: reference}}),
                    );
                }
                Way::EnvFrom { prefix } => {
                    let field = match kind {
                        SourceKind::ConfigMap => "configMapRef",
                        SourceKind::Secret => "secretRef",
                    };
                    let reference = json!({"name": name, "optional": part.optional});
                    push(
                        container,
                        "envFrom",
                        json!({"prefix": prefix, field: reference}),
                    );
                }
                Way::Volume(volume) => {
                    let id = format!("volume-{number}");
                    let mut source = volume.source(part);
                    source["name"] = json!(id);
                    volumes.push(source);
                    if let Some(mut mount) = volume.mount() {
                        mount["name"] = json!(id);
                        mount["mountPath"] = json!(format!("/mnt/{number}"));
                        push(container, "volumeMounts", mount);
                    }
                }
            }
        }
        let used = |which| self.uses.iter().any(|part| part.container == which);
        let [main, init, sidecar] = containers;
        let others = [init, sidecar];
        let others = others.into_iter().filter(|(which, _)| used(*which));
        let gate = self.held.then(|| json!({"name": "test/held"}));
        json!({
            "schedulingGates": gate.into_iter().collect::<Vec<_>>(),
            "terminationGracePeriodSeconds": 0,
            "initContainers": others.map(|(_, container)| container).collect::<Vec<_>>(),
            "containers": [main.1],
            "volumes": volumes,
        })
    }
}

impl Volume {
    fn source(&self, part: &Use) -> Value {
        let items: Vec<Value> = self
            .items
            .iter()
            .map(|(key, path)| json!({"key": key, "path": path}))
            .collect();
        if self.projected {
            let mut sources = vec![
                json!({"serviceAccountToken": {"path": "token"}}),
                json!({"downwardAPI": {"items":
                    [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}),
            ];
            for (kind, name) in &part.sources {
                let field = match kind {
                    SourceKind::ConfigMap => "configMap",
                    SourceKind::Secret => "secret",
                };
                let source = json!({"name": name, "items": items, "optional": part.optional});
                sources.push(json!({field: source}));
            }
            return json!({"projected": {"sources": sources}});
        }
        let (kind, name) = &part.sources[0];
        match kind {
            SourceKind::ConfigMap => {
                json!({"configMap": {"name": name, "items": items, "optional": part.optional}})
            }
            SourceKind::Secret => {
                json!({"secret": {"secretName": name, "items": items, "optional": part.optional}})
            }
        }
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
