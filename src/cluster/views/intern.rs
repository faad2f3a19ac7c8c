//! One copy of each text that many objects repeat.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::cluster::client::error::truncate;
use crate::core::lenient::Lenient;

/// How many texts are kept before those that nobody uses any more are dropped.
const SWEEP_AT: usize = 4096;

/// The most bytes of a text. What is longer is no name, uid or revision (253 at most);
/// cut, it is none either, and nobody can fill the memory with annotations.
const LONGEST: usize = 256;

static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(|| {
    Mutex::new(Texts {
        kept: HashSet::new(),
        sweep_at: SWEEP_AT,
    })
});

struct Texts {
    kept: HashSet<Arc<str>>,
    sweep_at: usize,
}

/// The one copy of a text: namespaces, owners, revisions, container names, reasons.
#[must_use]
pub fn intern(text: &str) -> Arc<str> {
    TEXTS.lock().intern(truncate(text, LONGEST))
}

/// A text that many objects repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shared(Option<Arc<str>>);

// === impl Texts ===

impl Texts {
    fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(kept) = self.kept.get(text) {
            return kept.clone();
        }
        if self.kept.len() >= self.sweep_at {
            self.kept.retain(|text| Arc::strong_count(text) > 1);
            // Sweeping again pays only once as many again have come.
            self.sweep_at = SWEEP_AT.max(2 * self.kept.len());
        }
        let text: Arc<str> = text.into();
        self.kept.insert(text.clone());
        text
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
        let mut texts = Texts {
            kept: HashSet::new(),
            sweep_at: SWEEP_AT,
        };
        let used = texts.intern("used");
        for number in 0..3 * SWEEP_AT {
            texts.intern(&number.to_string());
        }
        assert!(texts.kept.len() <= SWEEP_AT);
        assert!(Arc::ptr_eq(&used, &texts.intern("used")));
    }
}
