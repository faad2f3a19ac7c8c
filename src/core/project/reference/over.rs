//! What may take the place of what a use gives.

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
    /// A literal value that refers to these variables: it sees what is below it.
    Reads(Box<[Arc<str>]>),
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

    /// Whether a name of the use is given by a layer, and read by nobody below that.
    pub(super) fn covers(&self, name: &str, has: &Has<'_>) -> bool {
        let is_name = |one: &Arc<str>| **one == *name;
        for layer in &self.layers[self.from..] {
            match layer {
                Layer::Reads(names) if names.iter().any(is_name) => return false,
                Layer::Given(names) if names.iter().any(is_name) => return true,
                Layer::Source {
                    source,
                    place,
                    selection,
                } if selection.gives(name, |key| has(source, *place, key)) => return true,
                _ => {}
            }
        }
        false
    }
}
