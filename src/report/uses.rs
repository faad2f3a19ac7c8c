//! The uses in a Pod or Pod template, as reports show them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::name::SourceName;
use crate::api::projection::ReferenceRecord;
use crate::core::project::pod_spec::PodSpec;
use crate::core::project::reference::{Selection, SelfRefreshedKind, Use, self_refreshing, uses};
use crate::kinds::Class;

/// All uses of one source and one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Uses {
    /// The source that is projected.
    pub source: SourceName,
    /// Whether running containers see changes.
    pub class: Class,
    /// The single uses.
    pub uses: Vec<OneUse>,
}

/// One way in which containers see a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OneUse {
    /// `volume`, `projected`, `env`, `envFrom`.
    pub place: String,
    /// Keys with their paths or variable names; `None` if every key is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<SeenKey>>,
    /// Prefix of each key (`envFrom`).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Variables of `envFrom` that the container's own `env` hides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// True if Pods start without the source.
    pub optional: bool,
    /// Containers with this use, as far as known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
}

/// A key, and the name under which it is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenKey {
    /// The key of the source.
    pub key: String,
    /// Path in the volume, or name of the variable.
    pub name: String,
}

/// A part of a volume that the kubelet refreshes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfRefreshing {
    /// The volume.
    pub volume: String,
    /// `downwardAPI`, `serviceAccountToken`, `clusterTrustBundle`, `podCertificate`.
    pub kind: &'static str,
    /// The containers that mount it.
    pub containers: Vec<String>,
}

// === impl Uses ===

impl Uses {
    /// Whether Projsync's record is of these uses.
    #[must_use]
    pub fn is_of(&self, record: &ReferenceRecord) -> bool {
        record.kind == self.source.kind
            && record.name == self.source.name
            && record.class == self.class
    }

    /// The uses in a Pod or Pod template, by source and class.
    #[must_use]
    pub fn of(spec: &PodSpec) -> Vec<Self> {
        type Containers = BTreeMap<OneUse, Vec<String>>;
        let mut found: BTreeMap<(SourceName, Class), Containers> = BTreeMap::new();
        for seen in uses(spec) {
            let (kind, name) = seen.source;
            let of_source = found.entry((SourceName::new(kind, &**name), seen.class));
            let containers = of_source.or_default().entry(OneUse::from(&seen.use_));
            containers.or_default().push(seen.container.to_string());
        }
        let with_containers = |(one, containers)| OneUse { containers, ..one };
        let found = found.into_iter();
        found
            .map(|((source, class), uses)| Self {
                source,
                class,
                uses: uses.into_iter().map(with_containers).collect(),
            })
            .collect()
    }

    /// The keys that are seen, each once; `None` if every key is.
    #[must_use]
    pub fn key_names(&self) -> Option<BTreeSet<&str>> {
        let all: Option<Vec<_>> = self.uses.iter().map(OneUse::key_names).collect();
        Some(all?.into_iter().flatten().collect())
    }
}

impl From<&ReferenceRecord> for Uses {
    /// The uses in a Projection. It doesn't say which key is used in which way.
    fn from(record: &ReferenceRecord) -> Self {
        let whole = record.keys.len() == record.keys_total as usize;
        let keys = record.keys.iter().map(|key| SeenKey {
            key: key.clone(),
            name: key.clone(),
        });
        Self {
            source: SourceName::new(record.kind, &*record.name),
            class: record.class,
            uses: vec![OneUse {
                place: record.uses.join(", "),
                keys: whole.then(|| keys.collect()),
                optional: record.optional,
                ..OneUse::default()
            }],
        }
    }
}

// === impl OneUse ===

impl From<&Use> for OneUse {
    fn from(one: &Use) -> Self {
        let mut use_ = Self {
            place: one.place.as_str().to_owned(),
            optional: one.optional,
            ..Self::default()
        };
        match &one.selection {
            Selection::Files => {}
            Selection::Variables { prefix, hidden } => {
                use_.prefix = prefix.to_string();
                use_.hidden = hidden.iter().map(ToString::to_string).collect();
            }
            Selection::Keys(keys) => {
                let keys = keys.iter().map(|(name, key)| SeenKey {
                    key: key.to_string(),
                    name: name.to_string(),
                });
                use_.keys = Some(keys.collect());
            }
        }
        use_
    }
}

impl OneUse {
    /// The part of the uses that sees these keys, or any key if none is given; `None` if there is
    /// none.
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

    /// The keys, each once; `None` if every key is seen.
    #[must_use]
    pub fn key_names(&self) -> Option<BTreeSet<&str>> {
        let keys = self.keys.as_ref()?;
        Some(keys.iter().map(|seen| seen.key.as_str()).collect())
    }

    /// The keys, and the names under which they are seen.
    #[must_use]
    pub fn describe(&self) -> String {
        let keys = keys_in_words(self.key_names());
        match self.names() {
            names if names.is_empty() => keys,
            names => format!("{keys} {names}"),
        }
    }

    /// The names under which keys are seen, if they differ from the keys: `as LOG_LEVEL`.
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

/// `a, b`, `no key`, or `all keys` for `None`.
pub(super) fn keys_in_words<'a>(keys: Option<impl IntoIterator<Item = &'a str>>) -> String {
    let Some(keys) = keys else {
        return "all keys".to_owned();
    };
    match keys.into_iter().collect::<Vec<_>>().as_slice() {
        [] => "no key".to_owned(),
        keys => keys.join(", "),
    }
}

// === impl SelfRefreshing ===

impl SelfRefreshing {
    /// Finds the volumes in a Pod template that the kubelet refreshes by itself.
    #[must_use]
    pub fn of(spec: &PodSpec) -> Vec<Self> {
        let found = self_refreshing(spec).into_iter();
        found
            .map(|one| Self {
                volume: one.volume.to_string(),
                kind: match one.kind {
                    SelfRefreshedKind::DownwardApi => "downwardAPI",
                    SelfRefreshedKind::ServiceAccountToken => "serviceAccountToken",
                    SelfRefreshedKind::ClusterTrustBundle => "clusterTrustBundle",
                    SelfRefreshedKind::PodCertificate => "podCertificate",
                },
                containers: one.containers.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }
}
