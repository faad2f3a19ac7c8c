//! Which keys the variables of a container see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::one_use::{Use, required};
use super::over::{Layer, Over};
use super::place::Place;
use super::selection::Selection;
use super::volume::LONG;
use crate::core::project::pod_spec::{Container, EnvFromSource, EnvVar, KeySelector, SourceRef};
use crate::kinds::SourceKind;

/// The uses in `envFrom`, and in `env`, one for each variable.
pub(super) fn uses(container: &Container) -> Vec<(SourceKind, &Arc<str>, Use)> {
    let Seen { entries, hidden } = seen(&container.env);
    let layers = layers(container, &entries);
    // Shared by those of one prefix, usually none.
    let mut by_prefix = BTreeMap::new();
    let mut uses = Vec::new();
    let mut over = 0;
    for from in &container.env_from {
        for (kind, reference) in whole(from) {
            over += 1;
            let of_prefix = || variables(&from.prefix, &hidden);
            let selection = by_prefix.entry(&from.prefix).or_insert_with(of_prefix);
            let use_ = Use {
                place: Place::EnvFrom,
                selection: selection.clone(),
                optional: reference.optional,
                required: Box::default(),
                over: Over::new(&layers, over),
            };
            uses.push((kind, &reference.name, use_));
        }
    }
    for (variable, seen) in container.env.iter().zip(entries) {
        over += usize::from(seen && is_layer(variable));
        for (kind, reference) in single(variable) {
            let key = &reference.key;
            let selected = seen.then(|| (Arc::clone(&variable.name), Arc::clone(key)));
            let use_ = Use {
                place: Place::Env,
                selection: Selection::keys(selected),
                optional: reference.optional,
                required: required(reference.optional, [key]),
                over: Over::new(&layers, over),
            };
            uses.push((kind, &reference.name, use_));
        }
    }
    uses
}

/// What of the variables reaches the process.
struct Seen<'a> {
    /// Of each entry of `env`, whether its value does.
    entries: Vec<bool>,
    /// The variables of `envFrom` that don't, whatever the cluster holds.
    hidden: BTreeSet<&'a Arc<str>>,
}

/// An entry of `env` replaces what was there before it, and sees that where it refers to it:
/// `FOO: $(FOO)-x` hides nothing.
fn seen(env: &[EnvVar]) -> Seen<'_> {
    let mut hidden = BTreeSet::new();
    let mut entries = vec![false; env.len()];
    for (variable, seen) in env.iter().zip(&mut entries).rev() {
        *seen = !hidden.contains(&variable.name);
        if *seen {
            if variable.is_always_set() {
                hidden.insert(&variable.name);
            }
            for name in &variable.value.0 {
                hidden.remove(name);
            }
        }
    }
    Seen { entries, hidden }
}

/// What gives variables, in order. Entries of `env` that are always set are left out: what they
/// hide is hidden for good.
fn layers(container: &Container, seen: &[bool]) -> Arc<[Layer]> {
    let whole = container.env_from.iter().flat_map(|from| {
        whole(from).map(|(kind, reference)| Layer::Source {
            source: (kind, Arc::clone(&reference.name)),
            place: Place::EnvFrom,
            selection: variables(&from.prefix, &BTreeSet::new()),
        })
    });
    let entries = container.env.iter().zip(seen);
    let entries = entries.filter(|(variable, seen)| **seen && is_layer(variable));
    let single = entries.map(|(variable, _)| {
        let mut references = single(variable);
        match references.next() {
            Some((kind, reference)) => Layer::Source {
                source: (kind, Arc::clone(&reference.name)),
                place: Place::Env,
                selection: Selection::keys([(
                    Arc::clone(&variable.name),
                    Arc::clone(&reference.key),
                )]),
            },
            None => Layer::Reads {
                variable: Arc::clone(&variable.name),
                names: variable.value.0.clone(),
            },
        }
    });
    let mut layers: Vec<_> = whole.chain(single).collect();
    while let Some(Layer::Reads { .. }) = layers.last() {
        layers.pop();
    }
    layers.into()
}

/// Whether an entry of `env` is a layer: one that may leave its variable as it was, or that refers
/// to variables.
fn is_layer(variable: &EnvVar) -> bool {
    let mut references = single(variable);
    let optional = references.next().is_some_and(|(_, one)| one.optional);
    optional || !variable.value.0.is_empty()
}

fn whole(from: &EnvFromSource) -> impl Iterator<Item = (SourceKind, &SourceRef)> {
    let config_map = from.config_map_ref.iter();
    let secret = from.secret_ref.iter();
    let config_map = config_map.map(|reference| (SourceKind::CONFIG_MAP, reference));
    config_map.chain(secret.map(|reference| (SourceKind::SECRET, reference)))
}

/// In how many ways a container sees sources in its variables. Names that `env` sets count a
/// little for each of `envFrom`, from which they are taken.
pub(super) fn count(container: &Container) -> usize {
    let from = container.env_from.iter().flat_map(whole).count();
    let env = container
        .env
        .iter()
        .filter(|variable| single(variable).next().is_some());
    let env: usize = env.map(|variable| 1 + variable.name.len() / LONG).sum();
    env + from + from * container.env.len() / 10
}

fn single(variable: &EnvVar) -> impl Iterator<Item = (SourceKind, &KeySelector)> {
    let from = variable.value_from.iter();
    from.flat_map(|from| {
        let config_map = from.config_map_key_ref.iter();
        let secret = from.secret_key_ref.iter();
        let config_map = config_map.map(|reference| (SourceKind::CONFIG_MAP, reference));
        config_map.chain(secret.map(|reference| (SourceKind::SECRET, reference)))
    })
}

/// Every key with the prefix, but for those hidden.
fn variables(prefix: &Arc<str>, hidden: &BTreeSet<&Arc<str>>) -> Selection {
    let hiding = hidden.iter().filter(|name| name.starts_with(&**prefix));
    Selection::Variables {
        prefix: Arc::clone(prefix),
        hidden: hiding.map(|name| Arc::clone(name)).collect(),
    }
}
