//! Sources and policies of the simulated cluster, and how the API serves objects.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Data, Second};

pub(super) const NAMESPACE: &str = "shop";

/// What is watched, in the order in which an operator lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Projection,
    SyncPolicy,
    ConfigMap,
    Secret,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ControllerRevision,
    Pod,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Projection,
        Self::SyncPolicy,
        Self::ConfigMap,
        Self::Secret,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ControllerRevision,
        Self::Pod,
    ];

    fn api_version(self) -> &'static str {
        match self {
            Self::Projection | Self::SyncPolicy => "projsync.dev/v1alpha1",
            Self::ConfigMap | Self::Secret | Self::Pod => "v1",
            _ => "apps/v1",
        }
    }

    /// As the API spells it.
    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }

    /// As a resource's path names it.
    pub(super) fn of_path(plural: &str) -> Option<Self> {
        let plural_of = |kind: &Self| match kind {
            Self::SyncPolicy => "syncpolicies".to_owned(),
            kind => format!("{kind:?}s").to_lowercase(),
        };
        Self::ALL.into_iter().find(|kind| plural_of(kind) == plural)
    }
}

/// What identifies any object.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) created: Second,
}

impl Identity {
    pub(super) fn object(&self, kind: Kind, rest: Value) -> Value {
        let mut object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.name(),
            "metadata": {
                "name": self.name, "namespace": NAMESPACE, "uid": self.uid,
                "creationTimestamp": time(self.created),
            },
        });
        merge(&mut object, rest);
        object
    }
}

fn merge(object: &mut Value, more: Value) {
    match (object, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (object, more) => *object = more,
    }
}

/// As the API writes times.
pub(super) fn time(second: Second) -> String {
    Timestamp::from_second(second).unwrap().to_string()
}

// === Sources ===

/// A ConfigMap or a Secret.
#[derive(Clone, Debug)]
pub(super) struct SourceObject {
    pub(super) identity: Identity,
    pub(super) secret: bool,
    pub(super) data: Data,
    /// Who owns which keys, and when that last changed.
    managers: BTreeMap<String, (Second, BTreeSet<String>)>,
    touched: Option<(u32, Second)>,
}

impl SourceObject {
    pub(super) fn new(identity: Identity, secret: bool) -> Self {
        Self {
            identity,
            secret,
            data: Data::new(),
            managers: BTreeMap::new(),
            touched: None,
        }
    }

    /// `manager` sets a key, as an update does.
    pub(super) fn set(&mut self, manager: &str, key: &str, value: &str, now: Second) {
        let same = self.data.get(key).is_some_and(|old| old == value);
        if same {
            return;
        }
        self.data.insert(key.to_owned(), value.to_owned());
        self.disown(key, Some(manager));
        let own = self.managers.entry(manager.to_owned()).or_default();
        own.1.insert(key.to_owned());
        own.0 = now;
    }

    /// Somebody removes a key: no time tells of it.
    pub(super) fn unset(&mut self, key: &str) {
        self.data.remove(key);
        self.disown(key, None);
    }

    fn disown(&mut self, key: &str, but: Option<&str>) {
        for (name, (_, keys)) in &mut self.managers {
            if Some(name.as_str()) != but {
                keys.remove(key);
            }
        }
        self.managers.retain(|_, (_, keys)| !keys.is_empty());
    }

    /// Somebody changes a label.
    pub(super) fn touch(&mut self, now: Second) {
        let times = self.touched.map_or(0, |(times, _)| times);
        self.touched = Some((times + 1, now));
    }

    /// The newest time that managedFields tell of data. Without managedFields every
    /// version may be one of its data.
    pub(super) fn stamp(&self) -> Second {
        let stamps = self.managers.values().map(|(time, _)| *time);
        let none = match self.secret || self.touched.is_some() {
            true => self.identity.created,
            false => Second::MAX,
        };
        stamps.max().unwrap_or(none)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.secret {
            true => Kind::Secret,
            false => Kind::ConfigMap,
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut managed: Vec<Value> = Vec::new();
        for (name, (at, keys)) in &self.managers {
            let keys: BTreeMap<String, Value> = keys
                .iter()
                .map(|key| (format!("f:{key}"), json!({})))
                .collect();
            managed.push(json!({
                "manager": name, "operation": "Update", "apiVersion": "v1", "time": time(*at),
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": keys},
            }));
        }
        if self.secret {
            managed.push(json!({
                "manager": "creator", "operation": "Update", "apiVersion": "v1",
                "time": time(self.identity.created),
                "fieldsType": "FieldsV1", "fieldsV1": {"f:type": {}},
            }));
        }
        let mut labels = json!({});
        if let Some((times, at)) = self.touched {
            labels["touched"] = json!(times.to_string());
            managed.push(json!({
                "manager": "labels", "operation": "Update", "apiVersion": "v1", "time": time(at),
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:labels": {"f:touched": {}}}},
            }));
        }
        let data: BTreeMap<&String, String> = self
            .data
            .iter()
            .map(|(key, value)| match self.secret {
                true => (key, BASE64.encode(value)),
                false => (key, value.clone()),
            })
            .collect();
        let rest = json!({
            "metadata": {"labels": labels, "managedFields": managed},
            "data": data,
        });
        self.identity.object(self.kind(), rest)
    }
}

// === Policies ===

/// The one SyncPolicy, which selects every workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PolicyObject {
    pub(super) observe: bool,
    pub(super) suspend: bool,
    /// `minInterval` in seconds.
    pub(super) min_interval: Second,
}

impl PolicyObject {
    pub(super) fn json(&self, identity: &Identity, generation: i64) -> Value {
        let rest = json!({
            "metadata": {"generation": generation},
            "spec": {
                "strategy": if self.observe { "Observe" } else { "Rollout" },
                "suspend": self.suspend,
                "minInterval": format!("{}s", self.min_interval),
                "rollout": {},
            },
        });
        identity.object(Kind::SyncPolicy, rest)
    }
}
