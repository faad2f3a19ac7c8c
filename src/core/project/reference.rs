//! Pod spec → uses → references: what a workload projects, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::core::content::encoding::{Encoder, truncated};
use crate::core::content::hex::hex_bytes;
use crate::core::project::pod_spec::{Container, PodSpec, VolumeMount};
use crate::kinds::{Class, SourceId, SourceKind};

mod variable;
mod volume;

pub use volume::{SelfRefreshed, SelfRefreshedKind, self_refreshing};

/// How a container sees a source.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// `volumes[].configMap` or `volumes[].secret`.
    Volume,
    /// `volumes[].projected.sources[]`.
    Projected,
    /// `env[].valueFrom`.
    Env,
    /// `envFrom[]`.
    EnvFrom,
}

/// Which keys of its source a use sees, and under which names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selection {
    /// Every key, each as a file of its own name.
    Files,
    /// Every key as a variable `prefix + key`, less the variables that the
    /// container's own `env` sets.
    Variables {
        /// `envFrom[].prefix`.
        prefix: Arc<str>,
        /// Names, each beginning with the prefix, that the container's own
        /// `env` hides. Sorted, without duplicates.
        hidden: Box<[Arc<str>]>,
    },
    /// (path or variable name, key): see [`Selection::keys`]. Sorted by path,
    /// each path once. Empty where the source must be there, but nothing of it
    /// is seen: a subPath that matches none of the `items`.
    Keys(Box<[(Arc<str>, Arc<str>)]>),
}

/// One way in which containers see one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// How.
    pub place: Place,
    /// Which keys.
    pub selection: Selection,
    /// Whether the Pod starts without the source.
    pub optional: bool,
    /// Keys without which the Pod can't start. They may be others than the
    /// selected ones: a volume needs all its `items`, whatever part of it is
    /// mounted. Sorted, without duplicates.
    pub required: Box<[Arc<str>]>,
}

/// All uses of one source and one class by one workload: the unit of digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is projected (the namespace is the workload's).
    pub source: (SourceKind, Arc<str>),
    /// Whether running containers see changes.
    pub class: Class,
    /// Sorted, without duplicates.
    pub uses: Box<[Use]>,
    /// The containers that see it, init containers included. Sorted, without
    /// duplicates.
    pub containers: Box<[Arc<str>]>,
}

hex_bytes! {
    /// The identity of a reference: of its source, class and uses. Two
    /// references with one fingerprint have the same digest for the same
    /// content; one with another fingerprint is a new reference.
    Fingerprint, 16
}

/// One way in which one container sees one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The name of the container.
    pub container: &'a Arc<str>,
    /// What it sees (the namespace is the Pod's).
    pub source: (SourceKind, &'a Arc<str>),
    /// Whether it sees changes while it runs.
    pub class: Class,
    /// How.
    pub use_: Use,
}

/// What each container of a Pod or Pod template sees.
///
/// - A volume that no container mounts projects nothing (the kubelet doesn't
///   even mount it).
/// - Where volume sources or `envFrom` entries hide each other's names, all
///   count: which one wins depends on their content.
/// - A source without a name is ignored.
pub fn uses(spec: &PodSpec) -> impl Iterator<Item = Seen<'_>> {
    containers(spec)
        .flat_map(move |(container, runs)| {
            let variables = variable::uses(container)
                .map(|(kind, name, use_)| (kind, name, Class::Frozen, use_));
            let mounts = container.volume_mounts.iter();
            let files = mounts.flat_map(move |mount| files(spec, runs, mount));
            variables
                .chain(files)
                .map(|(kind, name, class, use_)| Seen {
                    container: &container.name,
                    source: (kind, name),
                    class,
                    use_,
                })
        })
        .filter(|seen| {
            let says_nothing = seen.use_.optional && seen.use_.selection == Selection::keys([]);
            !seen.source.1.is_empty() && !says_nothing
        })
}

/// The references of a Pod or Pod template, sorted by source, then class.
#[must_use]
pub fn references(spec: &PodSpec) -> Vec<Reference> {
    type Found = BTreeMap<((SourceKind, Arc<str>), Class), (Vec<Use>, Vec<Arc<str>>)>;
    let mut found = Found::new();
    for seen in uses(spec) {
        let (kind, name) = seen.source;
        let key = ((kind, Arc::clone(name)), seen.class);
        let (uses, containers) = found.entry(key).or_default();
        uses.push(seen.use_);
        containers.push(Arc::clone(seen.container));
    }
    let references = found.into_iter();
    references
        .map(|((source, class), (uses, containers))| {
            Reference::new(source, class, uses, containers)
        })
        .collect()
}

/// When a container runs, which decides whether it sees refreshed volumes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// A regular init container: to its end, before the Pod serves.
    BeforePod,
    /// A container or sidecar.
    WithPod,
}

fn containers(spec: &PodSpec) -> impl Iterator<Item = (&Container, Runs)> {
    let init = spec.init_containers.iter().map(|container| {
        let runs = if container.is_sidecar() {
            Runs::WithPod
        } else {
            Runs::BeforePod
        };
        (container, runs)
    });
    init.chain(spec.containers.iter().map(|c| (c, Runs::WithPod)))
}

/// The uses through one mount, if a volume of its name exists.
fn files<'a>(
    spec: &'a PodSpec,
    runs: Runs,
    mount: &VolumeMount,
) -> impl Iterator<Item = (SourceKind, &'a Arc<str>, Class, Use)> + use<'a> {
    let view = volume::View::of(mount);
    let class = match (runs, view.is_refreshed()) {
        (Runs::WithPod, true) => Class::Live,
        _ => Class::Frozen,
    };
    let volume = spec.volumes.iter().find(|volume| volume.name == mount.name);
    let uses: Vec<_> = volume
        .into_iter()
        .flat_map(|volume| volume::uses(volume, &view))
        .collect();
    uses.into_iter()
        .map(move |(kind, name, use_)| (kind, name, class, use_))
}

/// The given keys, unless the use is optional.
fn required<'a>(optional: bool, keys: impl IntoIterator<Item = &'a Arc<str>>) -> Box<[Arc<str>]> {
    if optional {
        return Box::default();
    }
    let keys: BTreeSet<_> = keys.into_iter().collect();
    keys.into_iter().cloned().collect()
}

// === impl Place ===

impl Place {
    /// The name that the API shows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Projected => "projected",
            Self::Env => "env",
            Self::EnvFrom => "envFrom",
        }
    }

    /// Whether a ConfigMap's `binaryData` is seen here beside its `data`.
    #[must_use]
    pub fn sees_binary_data(self) -> bool {
        matches!(self, Self::Volume | Self::Projected)
    }
}

// === impl Selection ===

impl Selection {
    /// Selects keys, each under a path or variable name; of two keys under one
    /// path the last wins, as in the kubelet.
    pub fn keys(selected: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let by_path: BTreeMap<_, _> = selected.into_iter().collect();
        Self::Keys(by_path.into_iter().collect())
    }
}

// === impl Reference ===

impl Reference {
    /// Puts a reference together, in canonical order.
    pub fn new(
        source: (SourceKind, Arc<str>),
        class: Class,
        uses: impl IntoIterator<Item = Use>,
        containers: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        let uses: BTreeSet<_> = uses.into_iter().collect();
        let containers: BTreeSet<_> = containers.into_iter().collect();
        Self {
            source,
            class,
            uses: uses.into_iter().collect(),
            containers: containers.into_iter().collect(),
        }
    }

    /// The source, for a workload in this namespace.
    #[must_use]
    pub fn source_id(&self, namespace: &Arc<str>) -> SourceId {
        let (kind, name) = &self.source;
        SourceId {
            kind: *kind,
            namespace: Arc::clone(namespace),
            name: Arc::clone(name),
        }
    }

    /// The selected keys; `None` where a use sees every key.
    #[must_use]
    pub fn keys(&self) -> Option<BTreeSet<&str>> {
        let mut keys = BTreeSet::new();
        for use_ in &self.uses {
            let Selection::Keys(selected) = &use_.selection else {
                return None;
            };
            keys.extend(selected.iter().map(|(_, key)| &**key));
        }
        Some(keys)
    }

    /// The selected keys in words: `all keys`, `key a`, `keys a and b`. Of many
    /// only the first are named.
    #[must_use]
    pub fn describe_keys(&self) -> String {
        const NAMED: usize = 5;
        let Some(keys) = self.keys() else {
            return "all keys".to_owned();
        };
        let named: Vec<_> = keys.iter().copied().take(NAMED).collect();
        match (named.as_slice(), keys.len().saturating_sub(NAMED)) {
            ([], _) => "no key".to_owned(),
            ([key], _) => format!("key {key}"),
            ([first @ .., last], 0) => format!("keys {} and {last}", first.join(", ")),
            (named, more) => format!("keys {} and {more} more", named.join(", ")),
        }
    }

    /// What identifies this reference, whichever containers have the uses.
    ///
    /// Stored, so it must not change between versions: a field added to
    /// [`Use`] later is encoded only where it is set.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let sink = self.encode(Sha256::new());
        Fingerprint(truncated(sink.finalize().into()))
    }

    fn encode<S: hmac::digest::Update>(&self, sink: S) -> S {
        let mut out = Encoder::new(sink, "projsync.dev/v1/uses");
        let (kind, name) = &self.source;
        out.text(kind.as_str());
        out.text(name);
        out.text(self.class.as_str());
        out.count(self.uses.len());
        for use_ in &self.uses {
            out.text(use_.place.as_str());
            match &use_.selection {
                Selection::Files => out.text("files"),
                Selection::Variables { prefix, hidden } => {
                    out.text("variables");
                    out.text(prefix);
                    out.count(hidden.len());
                    hidden.iter().for_each(|name| out.text(name));
                }
                Selection::Keys(selected) => {
                    out.text("keys");
                    out.count(selected.len());
                    for (path, key) in selected {
                        out.text(path);
                        out.text(key);
                    }
                }
            }
            out.text(if use_.optional {
                "optional"
            } else {
                "required"
            });
            out.count(use_.required.len());
            use_.required.iter().for_each(|key| out.text(key));
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests;
