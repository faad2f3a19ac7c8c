//! What a Pod or Pod template projects, as reports show it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::name::SourceName;
use crate::api::projection::ReferenceRecord;
use crate::core::project::pod_spec::{Container, PodSpec};
use crate::core::project::reference::{Selection, Use, references};
use crate::kinds::Class;

/// All uses of one source and one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Uses {
    /// What is projected.
    pub source: SourceName,
    /// How it reaches running containers.
    pub class: Class,
    /// One by one.
    pub uses: Vec<OneUse>,
}

/// One way in which containers see a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OneUse {
    /// `volume`, `projected`, `env`, `envFrom`.
    pub place: String,
    /// Key → path or variable name; `None` where every key is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<SeenKey>>,
    /// Goes before each key (`envFrom`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Variables of `envFrom` that the container's own `env` hides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Whether Pods start without it.
    pub optional: bool,
    /// The containers that see it so, as far as known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
}

/// A key, and under which name it is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenKey {
    /// The key of the source.
    pub key: String,
    /// Path below the volume, or name of the variable.
    pub name: String,
}

// === impl Uses ===

impl Uses {
    /// What a Pod or Pod template projects, by source and class.
    #[must_use]
    pub fn of(spec: &PodSpec) -> Vec<Self> {
        let mut found: BTreeMap<(SourceName, Class), Vec<OneUse>> = BTreeMap::new();
        for (container, alone) in one_by_one(spec) {
            for reference in references(&alone) {
                let (kind, name) = &reference.source;
                let name = name.to_string();
                let source = SourceName { kind: *kind, name };
                let uses = found.entry((source, reference.class)).or_default();
                for one in reference.uses.iter().map(OneUse::from) {
                    OneUse::add(uses, one, container);
                }
            }
        }
        let uses = found.into_iter();
        uses.map(|((source, class), uses)| Self {
            source,
            class,
            uses,
        })
        .collect()
    }
}

/// Each container with a spec in which it is alone: a reference tells which containers
/// have uses of it, but not which of its uses each of them has.
fn one_by_one(spec: &PodSpec) -> impl Iterator<Item = (&str, PodSpec)> {
    let alone = |init: &[Container], regular: &[Container]| PodSpec {
        init_containers: init.to_vec(),
        containers: regular.to_vec(),
        volumes: spec.volumes.clone(),
    };
    let init = spec.init_containers.iter();
    let init = init.map(move |one| (&*one.name, alone(std::slice::from_ref(one), &[])));
    let regular = spec.containers.iter();
    let regular = regular.map(move |one| (&*one.name, alone(&[], std::slice::from_ref(one))));
    init.chain(regular)
}

impl From<&ReferenceRecord> for Uses {
    /// Says less than a Pod template: not which key is used in which way.
    fn from(record: &ReferenceRecord) -> Self {
        let whole = record.keys.len() == record.keys_total as usize;
        let keys = record.keys.iter().map(|key| SeenKey {
            key: key.clone(),
            name: key.clone(),
        });
        Self {
            source: SourceName {
                kind: record.kind,
                name: record.name.clone(),
            },
            class: record.class,
            uses: vec![OneUse {
                place: record.uses.join(", "),
                keys: whole.then(|| keys.collect()),
                prefix: String::new(),
                hidden: Vec::new(),
                optional: record.optional,
                containers: Vec::new(),
            }],
        }
    }
}

// === impl OneUse ===

impl From<&Use> for OneUse {
    fn from(one: &Use) -> Self {
        let (keys, prefix, hidden) = match &one.selection {
            Selection::Files => (None, String::new(), Vec::new()),
            Selection::Variables { prefix, hidden } => (
                None,
                prefix.to_string(),
                hidden.iter().map(ToString::to_string).collect(),
            ),
            Selection::Keys(keys) => {
                let keys = keys.iter().map(|(name, key)| SeenKey {
                    key: key.to_string(),
                    name: name.to_string(),
                });
                (Some(keys.collect()), String::new(), Vec::new())
            }
        };
        Self {
            place: one.place.as_str().to_owned(),
            keys,
            prefix,
            hidden,
            optional: one.optional,
            containers: Vec::new(),
        }
    }
}

impl OneUse {
    /// Adds a use by a container; two containers may have the same one.
    fn add(uses: &mut Vec<Self>, mut one: Self, container: &str) {
        let same = uses.iter_mut().find(|other| {
            let same = Self {
                containers: other.containers.clone(),
                ..one.clone()
            };
            **other == same
        });
        match same {
            Some(same) => same.containers.push(container.to_owned()),
            None => {
                one.containers.push(container.to_owned());
                uses.push(one);
            }
        }
    }

    /// What of it sees these keys; `None` if nothing does. No keys stand for all.
    #[must_use]
    pub fn only(&self, asked: &[String]) -> Option<Self> {
        if asked.is_empty() {
            return Some(self.clone());
        }
        let mut part = self.clone();
        let seen = match &mut part.keys {
            Some(keys) => {
                keys.retain(|seen| asked.contains(&seen.key));
                !keys.is_empty()
            }
            None => {
                let mut names = asked.iter().map(|key| format!("{}{key}", self.prefix));
                names.any(|name| !self.hidden.contains(&name))
            }
        };
        seen.then_some(part)
    }

    /// The keys, each once; `None` where every key is seen.
    #[must_use]
    pub fn key_names(&self) -> Option<BTreeSet<&str>> {
        let keys = self.keys.as_ref()?;
        Some(keys.iter().map(|seen| seen.key.as_str()).collect())
    }

    /// The keys, and the names under which they are seen.
    #[must_use]
    pub fn describe(&self) -> String {
        let keys = match self.key_names() {
            None => "all keys".to_owned(),
            Some(keys) if keys.is_empty() => "no key".to_owned(),
            Some(keys) => keys.into_iter().collect::<Vec<_>>().join(", "),
        };
        match self.names() {
            names if names.is_empty() => keys,
            names => format!("{keys} {names}"),
        }
    }

    /// The names under which keys are seen, where these are others: `as LOG_LEVEL`.
    #[must_use]
    pub fn names(&self) -> String {
        let keys = self.keys.as_deref().unwrap_or_default();
        let renamed = keys.iter().any(|seen| seen.key != seen.name);
        let names: Vec<&str> = keys.iter().map(|seen| seen.name.as_str()).collect();
        let mut words = Vec::new();
        if renamed {
            words.push(format!("as {}", names.join(", ")));
        } else if !self.prefix.is_empty() {
            words.push(format!("as {}*", self.prefix));
        }
        if !self.hidden.is_empty() {
            words.push(format!("but {}", self.hidden.join(", ")));
        }
        words.join(" ")
    }
}
