//! Workloads, their revisions and their Pods, and how the API serves them.

use std::collections::BTreeMap;

use kubelet::{Given, Pod, PodSpec};
use serde_json::{Value, json};

use super::KEYS;
use super::model::{Group, Second, Use, View};
use super::objects::{Identity, Kind, time};
use crate::api::names::{REVISION_ANNOTATION, SYNC_ANNOTATION};

// === Templates ===

/// A Pod template: what it projects is one of [`SHAPES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) shape: usize,
    pub(super) image: u32,
    pub(super) revision: Option<String>,
}

/// How many ways of projecting there are.
pub(super) const SHAPES: usize = 8;

fn one(source: &str, key: Option<&str>, optional: bool, frozen: bool) -> Use {
    Use {
        source: source.to_owned(),
        keys: key.map(|key| vec![key.to_owned()]),
        optional,
        frozen,
    }
}

/// What a template of this shape projects.
pub(super) fn uses(shape: usize) -> Vec<Use> {
    match shape {
        0 => vec![one("ConfigMap/c0", None, false, true)],
        1 => vec![
            one("ConfigMap/c0", Some("a"), false, true),
            one("ConfigMap/c1", None, false, false),
        ],
        2 => vec![
            one("ConfigMap/c0", None, true, false),
            one("Secret/s0", Some("b"), true, true),
        ],
        3 => vec![
            one("ConfigMap/c0", Some("a"), false, false),
            one("Secret/s0", None, false, true),
        ],
        4 => vec![one("ConfigMap/c1", None, true, true)],
        5 => vec![
            one("ConfigMap/c0", None, false, true),
            one("ConfigMap/c0", None, false, false),
        ],
        SUB_PATHS => vec![
            one("ConfigMap/c0", Some("a"), true, true),
            one("Secret/s0", Some("b"), true, true),
        ],
        _ => Vec::new(),
    }
}

/// What only a webhook uses.
pub(super) const MESH: &str = "ConfigMap/mesh";

/// What a webhook puts into Pods: one bit for variables, one for files.
pub(super) fn injected(what: u8) -> Vec<Use> {
    let (variables, files) = (what & 1 != 0, what & 2 != 0);
    let uses = [(variables, true), (files, false)];
    let uses = uses.into_iter().filter(|(is_in, _)| *is_in);
    uses.map(|(_, frozen)| one(MESH, None, true, frozen))
        .collect()
}

/// What its variables begin with.
const MESH_PREFIX: &str = "MESH_";

/// The shape that has each key by a `subPath`.
const SUB_PATHS: usize = 6;

impl Template {
    pub(super) fn uses(&self) -> Vec<Use> {
        uses(self.shape)
    }

    /// What a Pod of it uses into which a webhook has put something.
    pub(super) fn uses_with(&self, what: u8) -> Vec<Use> {
        [self.uses(), injected(what)].concat()
    }

    /// Whether only our annotation differs.
    pub(super) fn is_alike(&self, other: &Self) -> bool {
        (self.shape, self.image) == (other.shape, other.image)
    }

    /// Identifies it to the model.
    pub(super) fn id(&self) -> String {
        format!("{self:?}")
    }

    fn json(&self) -> Value {
        let mut template = json!({
            "metadata": {"labels": {"app": "it"}},
            "spec": self.spec(0),
        });
        if let Some(revision) = &self.revision {
            template["metadata"]["annotations"] = json!({REVISION_ANNOTATION: revision});
        }
        template
    }

    fn spec(&self, what: u8) -> Value {
        let (mut env, mut env_from) = (Vec::new(), Vec::new());
        let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
        for (at, one) in self.uses_with(what).iter().enumerate() {
            let (kind, name) = one.source.split_once('/').unwrap();
            let secret = kind == "Secret";
            let keys = one.keys.iter().flatten();
            let items = Value::from_iter(keys.map(|key| json!({"key": key, "path": key})));
            match (
                one.frozen && (self.shape != SUB_PATHS || one.source == MESH),
                &one.keys,
            ) {
                (true, Some(keys)) => {
                    let field = if secret {
                        "secretKeyRef"
                    } else {
                        "configMapKeyRef"
                    };
                    let from = json!({"name": name, "key": keys[0], "optional": one.optional});
                    env.push(json!({"name": format!("V{at}"), "valueFrom": {field: from}}));
                }
                (true, None) => {
                    let field = if secret { "secretRef" } else { "configMapRef" };
                    let prefix = prefix(one);
                    let source = json!({"name": name, "optional": one.optional});
                    env_from.push(json!({"prefix": prefix, field: source}));
                }
                (false, _) => {
                    let volume = format!("volume-{at}");
                    let (field, named) = match secret {
                        true => ("secret", "secretName"),
                        false => ("configMap", "name"),
                    };
                    let source = json!({named: name, "optional": one.optional, "items": items});
                    volumes.push(json!({"name": volume, field: source}));
                    let (mut path, mut sub_path) = (format!("/{at}"), "");
                    if let Some(key) = one.keys.iter().flatten().next().filter(|_| one.frozen) {
                        path = format!("{path}/{key}");
                        sub_path = key;
                    }
                    mounts.push(json!({"name": volume, "mountPath": path, "subPath": sub_path}));
                }
            }
        }
        json!({
            "containers": [{
                "name": "app", "image": format!("it:{}", self.image),
                "env": env, "envFrom": env_from, "volumeMounts": mounts,
            }],
            "volumes": volumes,
        })
    }
}

impl Template {
    /// A Pod of it on a node.
    pub(super) fn on_node(&self, what: u8) -> Pod {
        let spec = PodSpec::from_json(&self.spec(what)).unwrap();
        Pod::new(spec, Given::default())
    }

    /// What its container sees of each group of uses.
    pub(super) fn seen(&self, what: u8, pod: &Pod) -> BTreeMap<Group, View> {
        let seen = pod.seen("app").unwrap();
        let mut views = BTreeMap::<Group, View>::new();
        for (at, one) in self.uses_with(what).iter().enumerate() {
            let variable = |key: &str| match &one.keys {
                Some(_) => seen.variables.get(&format!("V{at}")),
                None => seen.variables.get(&format!("{}{key}", prefix(one))),
            };
            let value = |key: &str| {
                let file = seen.files.get(&format!("/{at}/{key}"));
                file.or_else(|| variable(key)).cloned()
            };
            let view = views.entry((one.source.clone(), one.frozen)).or_default();
            match &one.keys {
                Some(keys) => view.extend(keys.iter().map(|key| (key.clone(), value(key)))),
                None => {
                    let there = KEYS.iter().map(|key| ((*key).to_owned(), value(key)));
                    view.extend(there.filter(|(_, value)| value.is_some()));
                }
            }
        }
        views
    }
}

fn prefix(one: &Use) -> &'static str {
    if one.source == MESH { MESH_PREFIX } else { "" }
}

// === Workloads ===

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkKind {
    Deployment,
    StatefulSet,
    /// With update strategy OnDelete.
    StatefulSetOnDelete,
    DaemonSet,
}

/// A Deployment, a StatefulSet or a DaemonSet.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) identity: Identity,
    pub(super) kind: WorkKind,
    pub(super) generation: i64,
    pub(super) observed: i64,
    pub(super) replicas: usize,
    pub(super) paused: bool,
    /// `projsync.dev/sync`.
    pub(super) sync: Option<bool>,
    pub(super) template: Template,
    /// Its ReplicaSets or ControllerRevisions.
    pub(super) revisions: Vec<Revision>,
    /// The newest version of it.
    pub(super) rv: u64,
}

/// A ReplicaSet or ControllerRevision.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) identity: Identity,
    pub(super) template: Template,
    pub(super) number: i64,
}

impl WorkKind {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Deployment => Kind::Deployment,
            Self::StatefulSet | Self::StatefulSetOnDelete => Kind::StatefulSet,
            Self::DaemonSet => Kind::DaemonSet,
        }
    }

    pub(super) fn revision_kind(self) -> Kind {
        match self {
            Self::Deployment => Kind::ReplicaSet,
            _ => Kind::ControllerRevision,
        }
    }
}

impl Work {
    pub(super) fn is_current(&self, template: &Template) -> bool {
        self.template == *template
    }

    fn owner(&self) -> Value {
        json!([{
            "apiVersion": "apps/v1", "kind": format!("{:?}", self.kind.kind()),
            "name": self.identity.name, "uid": self.identity.uid, "controller": true,
        }])
    }

    pub(super) fn json(&self) -> Value {
        let newest = self.revisions.iter().max_by_key(|one| one.number);
        let newest = newest.map(|revision| revision.identity.name.clone());
        let mut metadata = json!({"generation": self.generation});
        if let Some(sync) = self.sync {
            metadata["annotations"] = json!({SYNC_ANNOTATION: sync.to_string()});
        }
        let strategy = match self.kind {
            WorkKind::StatefulSetOnDelete => "OnDelete",
            _ => "RollingUpdate",
        };
        let rest = json!({
            "metadata": metadata,
            "spec": {
                "replicas": self.replicas, "paused": self.paused,
                "template": self.template.json(), "updateStrategy": {"type": strategy},
            },
            "status": {
                "observedGeneration": self.observed, "updateRevision": newest,
                "desiredNumberScheduled": self.replicas,
            },
        });
        self.identity.object(self.kind.kind(), rest)
    }

    pub(super) fn revision_json(&self, revision: &Revision) -> Value {
        let kind = self.kind.revision_kind();
        let mut rest = json!({"metadata": {"ownerReferences": self.owner()}});
        let mut template = revision.template.json();
        if kind == Kind::ReplicaSet {
            template["metadata"]["labels"]["pod-template-hash"] = json!(revision.identity.name);
            rest["spec"] = json!({"template": template});
        } else {
            template["$patch"] = json!("replace");
            rest["metadata"]["labels"] =
                json!({"controller-revision-hash": revision.identity.name});
            rest["data"] = json!({"spec": {"template": template}});
            rest["revision"] = json!(revision.number);
        }
        revision.identity.object(kind, rest)
    }
}

// === Pods ===

/// A Pod.
#[derive(Clone, Debug)]
pub(super) struct PodObject {
    pub(super) identity: Identity,
    pub(super) work: String,
    /// What a webhook put into it.
    pub(super) injected: u8,
    /// The revision that it is of.
    pub(super) revision: Revision,
    pub(super) started: Option<Second>,
    pub(super) waits: bool,
    pub(super) terminating: bool,
    /// As its kubelet has it.
    pub(super) node: Pod,
}

impl PodObject {
    pub(super) fn json(&self, work: &Work) -> Value {
        let revision = &self.revision;
        let mut metadata = json!({"annotations": {}});
        if let Some(value) = &revision.template.revision {
            metadata["annotations"][REVISION_ANNOTATION] = json!(value);
        }
        if work.kind == WorkKind::Deployment {
            metadata["ownerReferences"] = json!([{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                "name": revision.identity.name, "uid": revision.identity.uid,
            }]);
        } else {
            metadata["ownerReferences"] = work.owner();
            metadata["labels"] = json!({"controller-revision-hash": revision.identity.name});
        }
        if self.terminating {
            metadata["deletionTimestamp"] = json!(time(self.identity.created));
        }
        let status = match self.started {
            Some(at) => json!({
                "phase": "Running",
                "startTime": time(self.identity.created),
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    {"name": "app", "state": {"running": {"startedAt": time(at)}}},
                ],
            }),
            None if self.waits => json!({
                "phase": "Pending",
                "containerStatuses": [
                    {"name": "app", "state": {"waiting": {"reason": "CreateContainerConfigError"}}},
                ],
            }),
            None => json!({"phase": "Pending"}),
        };
        let rest = json!({
            "metadata": metadata, "spec": revision.template.spec(self.injected), "status": status,
        });
        self.identity.object(Kind::Pod, rest)
    }
}
