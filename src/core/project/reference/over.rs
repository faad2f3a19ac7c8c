//! What may take the place of what a use gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::place::Place;
use super::selection::Selection;
use crate::kinds::SourceKind;

/// One of the sources that give variables to a container or files to a volume, in order: a later
/// one wins where both give one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// A ConfigMap or Secret.
    Source {
        /// Which.
        source: (SourceKind, Arc<str>),
        /// How it is seen.
        place: Place,
        /// What it gives, as far as it has the keys.
        selection: Selection,
    },
    /// Paths that something else always gives.
    Given(Box<[Arc<str>]>),
    /// A literal value of `env` that refers to variables: it sees what is below it. Entries
    /// of `env` come after all others.
    Reads {
        /// Its own variable, which it replaces.
        variable: Arc<str>,
        /// To which it refers.
        names: Box<[Arc<str>]>,
    },
}

/// Tells whether a source has a key now, as a place sees it.
pub type Has<'a> = dyn Fn(&(SourceKind, Arc<str>), Place, &str) -> bool + 'a;

/// The layers over a use; none for most.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Over {
    /// All of the container or volume, so that its uses share them.
    layers: Arc<[Layer]>,
    /// Of which those from here on are over the use.
    from: usize,
}

impl Over {
    /// The layers from an index on.
    pub(super) fn new(layers: &Arc<[Layer]>, from: usize) -> Self {
        if from >= layers.len() {
            return Self::default();
        }
        Self {
            layers: Arc::clone(layers),
            from,
        }
    }

    /// Whether a name of the use is given by a layer, and read below that by nothing that
    /// is seen.
    pub(super) fn covers(&self, name: &str, has: &Has<'_>) -> bool {
        let above = &self.layers[self.from..];
        let is_read = |layer: &Layer| matches!(layer, Layer::Reads { .. });
        let read = above.iter().position(is_read).unwrap_or(above.len());
        let (before, env) = above.split_at(read);
        before.iter().any(|layer| layer.gives(name, has)) || !is_seen(name, env, has)
    }
}

// === impl Layer ===

impl Layer {
    fn gives(&self, name: &str, has: &Has<'_>) -> bool {
        match self {
            Self::Source {
                source,
                place,
                selection,
            } => selection.gives(name, |key| has(source, *place, key)),
            Self::Given(names) => names.iter().any(|one| **one == *name),
            Self::Reads { .. } => false,
        }
    }
}

/// Whether the process sees anything of the value that a variable has before these entries
/// of `env`.
fn is_seen(name: &str, env: &[Layer], has: &Has<'_>) -> bool {
    // From the last to the first, of each variable: whether its value up to there is seen.
    let mut seen = BTreeMap::<&str, bool>::new();
    let is_seen = |seen: &BTreeMap<&str, bool>, name: &str| seen.get(name).copied().unwrap_or(true);
    for layer in env.iter().rev() {
        match layer {
            Layer::Reads { variable, names } => {
                let used = is_seen(&seen, variable);
                seen.insert(variable, false);
                if used {
                    seen.extend(names.iter().map(|name| (&**name, true)));
                }
            }
            Layer::Source {
                selection: Selection::Keys(selected),
                ..
            } => {
                let given = selected.iter().filter(|(name, _)| layer.gives(name, has));
                seen.extend(given.map(|(name, _)| (&**name, false)));
            }
            Layer::Source { .. } | Layer::Given(_) => {}
        }
    }
    is_seen(&seen, name)
}
