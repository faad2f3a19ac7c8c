//! A single use of a source.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::over::Over;
use super::place::Place;
use super::selection::Selection;

/// One way in which containers see one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// Place in the Pod spec.
    pub place: Place,
    /// The keys that are selected.
    pub selection: Selection,
    /// True if the Pod starts without the source.
    pub optional: bool,
    /// Keys without which the Pod can't start, sorted, without duplicates. They may differ from the
    /// selected ones: a volume needs all its `items`, whatever part of it is mounted.
    pub required: Box<[Arc<str>]>,
    /// Layers over it, which may give the same paths or variables.
    pub over: Over,
}

/// The given keys, unless the use is optional.
pub(super) fn required<'a>(
    optional: bool,
    keys: impl IntoIterator<Item = &'a Arc<str>>,
) -> Box<[Arc<str>]> {
    if optional {
        return Box::default();
    }
    let keys: BTreeSet<_> = keys.into_iter().collect();
    keys.into_iter().cloned().collect()
}

// === impl Use ===

impl Use {
    /// The parts that count for the fingerprint.
    pub(super) fn says(&self) -> (Place, &Selection, bool, &[Arc<str>]) {
        (self.place, &self.selection, self.optional, &self.required)
    }

    /// Whether the source may be absent, and nothing of it is seen.
    pub(super) fn says_nothing(&self) -> bool {
        self.optional && self.selection == Selection::keys([])
    }
}
