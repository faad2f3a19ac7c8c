//! One copy of each text that many objects repeat, and of what many Pods project.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::cluster::client::error::truncate;
use crate::core::lenient::Lenient;
use crate::core::project::reference::Reference;

/// How many texts are kept before those that nobody uses any more are dropped.
const SWEEP_AT: usize = 4096;

/// The same for references, which may be large.
const SWEEP_REFERENCES_AT: usize = 64;

/// The most bytes of a text. What is longer is no name, uid or revision (253 at most);
/// cut, it is none either, and nobody can fill the memory with annotations.
const LONGEST: usize = 256;

static TEXTS: LazyLock<Mutex<Kept<str>>> = LazyLock::new(|| Mutex::new(Kept::new(SWEEP_AT)));

static REFERENCES: LazyLock<Mutex<Kept<[Reference]>>> =
    LazyLock::new(|| Mutex::new(Kept::new(SWEEP_REFERENCES_AT)));

/// One copy of each value.
struct Kept<T: ?Sized> {
    kept: HashSet<Arc<T>>,
    /// The fewest at which they are swept.
    floor: usize,
    sweep_at: usize,
}

/// The one copy of a text: namespaces, owners, revisions, container names, reasons.
#[must_use]
pub fn intern(text: &str) -> Arc<str> {
    TEXTS.lock().intern(truncate(text, LONGEST))
}

/// The one copy of what a Pod or Pod template projects: Pods of one template project the same.
#[must_use]
pub(super) fn intern_references(references: &[Reference]) -> Arc<[Reference]> {
    REFERENCES.lock().intern(references)
}

/// A text that many objects repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shared(Option<Arc<str>>);

// === impl Kept ===

impl<T> Kept<T>
where
    T: ?Sized + Eq + Hash,
    Arc<T>: for<'a> From<&'a T>,
{
    fn new(floor: usize) -> Self {
        Self {
            kept: HashSet::new(),
            floor,
            sweep_at: floor,
        }
    }

    fn intern(&mut self, value: &T) -> Arc<T> {
        if let Some(kept) = self.kept.get(value) {
            return kept.clone();
        }
        if self.kept.len() >= self.sweep_at {
            self.kept.retain(|value| Arc::strong_count(value) > 1);
            // Sweeping again pays only once as many again have come.
            self.sweep_at = self.floor.max(2 * self.kept.len());
        }
        let value: Arc<T> = value.into();
        self.kept.insert(value.clone());
        value
    }
}

// === impl Shared ===

impl Shared {
    /// The text, if there was one and it isn't empty.
    pub(super) fn get(self) -> Option<Arc<str>> {
        self.0
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl Lenient for Shared {
    fn text(text: &str) -> Self {
        Self((!text.is_empty()).then(|| intern(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_copy() {
        assert!(Arc::ptr_eq(&intern("istio-proxy"), &intern("istio-proxy")));
    }

    #[test]
    fn what_is_too_long_for_a_name_is_cut_and_still_is_none() {
        let longest = "n".repeat(253);
        assert_eq!(*intern(&longest), *longest);
        for letter in ["n", "\u{1b}", "設"] {
            let cut = intern(&letter.repeat(1 << 18));
            assert!((254..=256).contains(&cut.len()), "{}", cut.len());
        }
    }

    #[test]
    fn texts_that_nobody_uses_are_dropped() {
        let mut texts = Kept::<str>::new(SWEEP_AT);
        let used = texts.intern("used");
        for number in 0..3 * SWEEP_AT {
            texts.intern(&number.to_string());
        }
        assert!(texts.kept.len() <= SWEEP_AT);
        assert!(Arc::ptr_eq(&used, &texts.intern("used")));
    }
}
