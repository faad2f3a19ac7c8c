//! Pod spec → uses → references: what a workload projects, key by key.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::api::limits::MAX_USES;
use crate::core::content::encoding::{Encoder, truncated};
use crate::core::content::hex::hex_bytes;
use crate::core::project::pod_spec::PodSpec;
use crate::kinds::{Class, SourceId, SourceKind};

mod mounted;
mod one_use;
mod over;
mod place;
mod runs;
mod seen;
mod selection;
mod variable;
mod volume;

use mounted::{Mounted, mounted};
pub use one_use::Use;
pub use over::{Has, Layer, Over};
pub use place::Place;
use runs::containers;
pub use seen::{Seen, uses};
pub use selection::Selection;
pub use volume::{SelfRefreshed, SelfRefreshedKind, self_refreshing};

/// All uses of one source and one class by one workload: the unit of digests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// Those of them that see it through a volume: what they have after a restart is what the
    /// kubelet had written there by then.
    pub mounting: Box<[Arc<str>]>,
}

hex_bytes! {
    /// The identity of a reference: of its source, class and uses. Two
    /// references with one fingerprint have the same digest for the same
    /// content; one with another fingerprint is a new reference.
    Fingerprint, 16
}

/// A Pod spec sees sources in more than [`MAX_USES`] ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TooMany;

/// The references of a Pod or Pod template, sorted by source, then class. What they take is linear
/// in the spec: mounts of one volume are put together before its sources are looked at.
///
/// # Errors
/// If the spec sees sources in too many ways.
pub fn references(spec: &PodSpec) -> Result<Vec<Reference>, TooMany> {
    type Found = BTreeMap<((SourceKind, Arc<str>), Class), Vec<(Use, Arc<[Arc<str>]>)>>;
    let mounted = mounted(spec);
    if count(spec, &mounted) > MAX_USES {
        return Err(TooMany);
    }
    let mut found = Found::new();
    let mut see = |class, (kind, name, use_): (_, &Arc<str>, Use), by: &Arc<[_]>| {
        if !name.is_empty() && !use_.says_nothing() {
            let seen = found.entry(((kind, Arc::clone(name)), class));
            seen.or_default().push((use_, Arc::clone(by)));
        }
    };
    for (container, _) in containers(spec) {
        let by = Arc::from([Arc::clone(&container.name)]);
        for use_ in variable::uses(container) {
            see(Class::Frozen, use_, &by);
        }
    }
    for Mounted { volume, by_class } in mounted {
        let layers = volume::layers(volume);
        for (class, (view, containers)) in by_class {
            let by = containers.into();
            for use_ in volume::uses(volume, &layers, &view) {
                see(class, use_, &by);
            }
        }
    }
    let references = found.into_iter();
    Ok(references
        .map(|((source, class), seen)| Reference::new(source, class, seen))
        .collect())
}

/// In how many ways a Pod spec sees sources: through variables, and through each path and container
/// of a volume, each of its sources. Very long names count as several.
fn count(spec: &PodSpec, mounted: &[Mounted<'_>]) -> usize {
    let variables = containers(spec).map(|(container, _)| variable::count(container));
    let volumes = mounted.iter().map(|mounted| {
        let by_class = mounted.by_class.values();
        let seen = by_class.map(|(view, containers)| view.count() + containers.len());
        volume::count(mounted.volume) * seen.sum::<usize>() + volume::items(mounted.volume)
    });
    variables.chain(volumes).sum()
}

/// One reference for all of the same source and class, sorted as [`references`] has them.
#[must_use]
pub fn merged<'a>(references: impl IntoIterator<Item = &'a Reference>) -> Vec<Reference> {
    let mut found = BTreeMap::<_, Reference>::new();
    for reference in references {
        let key = (&reference.source, reference.class);
        match found.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(reference.clone());
            }
            Entry::Occupied(mut occupied) => {
                let both = occupied.get().with(reference);
                occupied.insert(both);
            }
        }
    }
    found.into_values().collect()
}

// === impl Reference ===

impl Reference {
    /// Puts a reference together, in canonical order, of uses, each with the containers that
    /// have it.
    pub fn new(
        source: (SourceKind, Arc<str>),
        class: Class,
        seen: impl IntoIterator<Item = (Use, Arc<[Arc<str>]>)>,
    ) -> Self {
        let mut uses = BTreeSet::new();
        let (mut containers, mut mounting) = (BTreeSet::new(), BTreeSet::new());
        for (one, by) in seen {
            if one.place.is_in_volume() {
                mounting.extend(by.iter().cloned());
            }
            uses.insert(one);
            containers.extend(by.iter().cloned());
        }
        Self {
            source,
            class,
            uses: uses.into_iter().collect(),
            containers: containers.into_iter().collect(),
            mounting: mounting.into_iter().collect(),
        }
    }

    /// Whether no Pod starts without the source.
    #[must_use]
    pub fn requires_source(&self) -> bool {
        self.uses.iter().any(|use_| !use_.optional)
    }

    /// Whether it is of the same source and class.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.source == other.source && self.class == other.class
    }

    /// Whether it has all uses and containers of another.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let uses = &other.uses;
        let (containers, mounting) = (&other.containers, &other.mounting);
        self.is_same(other)
            && uses.iter().all(|one| self.uses.contains(one))
            && containers.iter().all(|one| self.containers.contains(one))
            && mounting.iter().all(|one| self.mounting.contains(one))
    }

    /// The reference with another's uses and containers beside its own.
    fn with(&self, other: &Self) -> Self {
        fn both<T: Clone + Ord>(one: &[T], other: &[T]) -> Box<[T]> {
            let all: BTreeSet<&T> = one.iter().chain(other).collect();
            all.into_iter().cloned().collect()
        }
        Self {
            source: self.source.clone(),
            class: self.class,
            uses: both(&self.uses, &other.uses),
            containers: both(&self.containers, &other.containers),
            mounting: both(&self.mounting, &other.mounting),
        }
    }

    /// Those of some references to one source; they are sorted, as [`references`] gives them.
    pub fn of_source<'a>(
        references: &'a [Self],
        source: &(SourceKind, Arc<str>),
    ) -> impl Iterator<Item = &'a Self> {
        let begin = references.partition_point(|one| one.source < *source);
        let end = references.partition_point(|one| one.source <= *source);
        references.get(begin..end).into_iter().flatten()
    }

    /// The source, for a workload in this namespace.
    #[must_use]
    pub fn source_id(&self, namespace: &Arc<str>) -> SourceId {
        let (kind, name) = &self.source;
        SourceId::new(*kind, Arc::clone(namespace), Arc::clone(name))
    }

    /// Whether something may take the place of what it gives.
    #[must_use]
    pub fn may_be_covered(&self) -> bool {
        self.uses.iter().any(|use_| use_.over != Over::default())
    }

    /// Whether nobody sees a change of a key, since something over each of its uses gives
    /// the same path or variable.
    #[must_use]
    pub fn is_covered(&self, key: &str, has: &Has<'_>) -> bool {
        self.uses.iter().all(|use_| {
            let names = use_.selection.names(key);
            names.iter().all(|name| {
                let mut later = use_.selection.after(name, key);
                later.any(|one| has(&self.source, use_.place, one)) || use_.over.covers(name, has)
            })
        })
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
        // What is over a use is no part of it: it changes with the template alone.
        let mut uses: Vec<&Use> = self.uses.iter().collect();
        uses.dedup_by(|a, b| a.says() == b.says());
        out.count(uses.len());
        for use_ in uses {
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
                    for (path, key) in selected.iter() {
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
