//! Builders of sources and policies: one value both to create and to refer to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// ConfigMap.
    ConfigMap,
    /// Secret.
    Secret,
}

impl SourceKind {
    /// As manifests have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// The field of a Pod spec's volume that holds one; `<it>Ref` and `<it>KeyRef` are those
    /// of variables.
    pub fn field(self) -> &'static str {
        match self {
            Self::ConfigMap => "configMap",
            Self::Secret => "secret",
        }
    }

    /// What a volume that is of one source alone calls the source's name.
    pub fn volume_name(self) -> &'static str {
        match self {
            Self::ConfigMap => "name",
            Self::Secret => "secretName",
        }
    }
}

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// Deployment.
    Deployment,
    /// StatefulSet.
    StatefulSet,
    /// DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet];

    /// As manifests have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

/// Something that can be created and referred to.
pub trait Object: Sync {
    /// As YAML of a user would have it, without a namespace.
    fn manifest(&self) -> Value;

    /// `metadata.name`.
    fn name(&self) -> String {
        let name = self.manifest()["metadata"]["name"].clone();
        name.as_str().unwrap_or_default().to_owned()
    }

    /// `kind`.
    fn kind_name(&self) -> String {
        let kind = self.manifest()["kind"].clone();
        kind.as_str().unwrap_or_default().to_owned()
    }
}

impl Object for Value {
    fn manifest(&self) -> Value {
        self.clone()
    }
}

/// Refers to an object of any kind.
pub fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

/// A ConfigMap or a Secret. `volume`, `projected`, `env` and `env_from` give uses
/// of it: see `workload.rs`.
#[derive(Clone, Debug)]
pub struct Source {
    pub(crate) kind: SourceKind,
    pub(crate) name: String,
    data: BTreeMap<String, String>,
    binary: BTreeMap<String, Vec<u8>>,
    labels: BTreeMap<String, String>,
    immutable: bool,
}

/// A ConfigMap.
pub fn config_map(name: &str) -> Source {
    Source::new(SourceKind::ConfigMap, name)
}

/// A Secret.
pub fn secret(name: &str) -> Source {
    Source::new(SourceKind::Secret, name)
}

impl Source {
    /// An empty one.
    pub fn new(kind: SourceKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            data: BTreeMap::new(),
            binary: BTreeMap::new(),
            labels: BTreeMap::new(),
            immutable: false,
        }
    }

    /// Whether it is a ConfigMap or a Secret.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// A key of `data`.
    pub fn data(mut self, key: &str, value: &str) -> Self {
        self.data.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A key of `binaryData`; of a Secret, of `data`.
    pub fn binary(mut self, key: &str, value: &[u8]) -> Self {
        self.binary.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A label on it.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `immutable: true`.
    pub fn immutable(mut self) -> Self {
        self.immutable = true;
        self
    }
}

impl Object for Source {
    fn manifest(&self) -> Value {
        let mut manifest = json!({
            "apiVersion": "v1", "kind": self.kind.as_str(),
            "metadata": {"name": self.name, "labels": self.labels},
        });
        if self.immutable {
            manifest["immutable"] = json!(true);
        }
        let binary = self.binary.iter();
        let binary = binary.map(|(key, value)| (key, STANDARD.encode(value)));
        match self.kind {
            SourceKind::ConfigMap => {
                manifest["data"] = json!(self.data);
                manifest["binaryData"] = json!(binary.collect::<BTreeMap<_, _>>());
            }
            SourceKind::Secret => {
                let data = self.data.iter();
                let data = data.map(|(key, value)| (key, STANDARD.encode(value)));
                manifest["data"] = json!(data.chain(binary).collect::<BTreeMap<_, _>>());
            }
        }
        manifest
    }
}

/// A SyncPolicy or ClusterSyncPolicy.
#[derive(Clone, Debug)]
pub struct Policy {
    kind: &'static str,
    name: String,
    spec: Value,
}

/// A SyncPolicy that selects every workload of its namespace, with the defaults.
pub fn policy(name: &str) -> Policy {
    Policy {
        kind: "SyncPolicy",
        name: name.to_owned(),
        spec: json!({}),
    }
}

/// A ClusterSyncPolicy for these namespaces only.
pub fn cluster_policy(name: &str, namespaces: &[&str]) -> Policy {
    Policy {
        kind: "ClusterSyncPolicy",
        name: name.to_owned(),
        spec: json!({"namespaces": namespaces}),
    }
}

impl Policy {
    /// Any field of the spec.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    /// `settle`.
    pub fn settle(self, duration: &str) -> Self {
        self.with("settle", json!(duration))
    }

    /// `minInterval`.
    pub fn min_interval(self, duration: &str) -> Self {
        self.with("minInterval", json!(duration))
    }

    /// As quick as can be: settle 100ms, minInterval 0s.
    pub fn fast(self) -> Self {
        self.settle("100ms").min_interval("0s")
    }

    /// `strategy: Observe`.
    pub fn observe(self) -> Self {
        self.with("strategy", json!("Observe"))
    }

    /// `suspend`.
    pub fn suspended(self, suspended: bool) -> Self {
        self.with("suspend", json!(suspended))
    }

    /// `priority`.
    pub fn priority(self, priority: i32) -> Self {
        self.with("priority", json!(priority))
    }

    /// Only workloads with this label.
    pub fn label(self, name: &str, value: &str) -> Self {
        self.with(
            "workloads",
            json!({"selector": {"matchLabels": {name: value}}}),
        )
    }
}

impl Object for Policy {
    fn manifest(&self) -> Value {
        json!({
            "apiVersion": "projsync.dev/v1alpha1", "kind": self.kind,
            "metadata": {"name": self.name}, "spec": self.spec,
        })
    }
}
