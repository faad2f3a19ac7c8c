//! Builders of sources and policies: one value both to create and to refer to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use projsync::kinds::SourceKind;
use serde_json::{Value, json};

/// Something that can be created and referred to.
pub(crate) trait Object: Sync {
    /// As YAML of a user would have it, without a namespace.
    fn manifest(&self) -> Value;

    fn name(&self) -> String {
        let name = self.manifest()["metadata"]["name"].clone();
        name.as_str().unwrap_or_default().to_owned()
    }

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
pub(crate) fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

/// A ConfigMap or a Secret. `volume`, `projected`, `env` and `env_from` give uses
/// of it: see [`super::workload`].
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(super) kind: SourceKind,
    pub(super) name: String,
    data: BTreeMap<String, String>,
    binary: BTreeMap<String, Vec<u8>>,
    labels: BTreeMap<String, String>,
    immutable: bool,
}

/// A ConfigMap.
pub(crate) fn config_map(name: &str) -> Source {
    Source::new(SourceKind::ConfigMap, name)
}

/// A Secret.
pub(crate) fn secret(name: &str) -> Source {
    Source::new(SourceKind::Secret, name)
}

impl Source {
    pub(crate) fn new(kind: SourceKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            data: BTreeMap::new(),
            binary: BTreeMap::new(),
            labels: BTreeMap::new(),
            immutable: false,
        }
    }

    pub(crate) fn kind(&self) -> SourceKind {
        self.kind
    }

    /// A key of `data`.
    pub(crate) fn data(mut self, key: &str, value: &str) -> Self {
        self.data.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A key of `binaryData`; of a Secret, of `data`.
    pub(crate) fn binary(mut self, key: &str, value: &[u8]) -> Self {
        self.binary.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn immutable(mut self) -> Self {
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
pub(crate) struct Policy {
    kind: &'static str,
    name: String,
    spec: Value,
}

/// A SyncPolicy that selects every workload of its namespace, with the defaults.
pub(crate) fn policy(name: &str) -> Policy {
    Policy {
        kind: "SyncPolicy",
        name: name.to_owned(),
        spec: json!({}),
    }
}

/// A ClusterSyncPolicy for these namespaces only.
pub(crate) fn cluster_policy(name: &str, namespaces: &[&str]) -> Policy {
    Policy {
        kind: "ClusterSyncPolicy",
        name: name.to_owned(),
        spec: json!({"namespaces": namespaces}),
    }
}

impl Policy {
    /// Any field of the spec.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    pub(crate) fn settle(self, duration: &str) -> Self {
        self.with("settle", json!(duration))
    }

    pub(crate) fn min_interval(self, duration: &str) -> Self {
        self.with("minInterval", json!(duration))
    }

    /// As quick as can be: settle 100ms, minInterval 0s.
    pub(crate) fn fast(self) -> Self {
        self.settle("100ms").min_interval("0s")
    }

    pub(crate) fn observe(self) -> Self {
        self.with("strategy", json!("Observe"))
    }

    pub(crate) fn suspended(self, suspended: bool) -> Self {
        self.with("suspend", json!(suspended))
    }

    pub(crate) fn priority(self, priority: i32) -> Self {
        self.with("priority", json!(priority))
    }

    /// Only workloads with this label.
    pub(crate) fn label(self, name: &str, value: &str) -> Self {
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
