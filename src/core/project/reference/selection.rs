//! Which keys a use sees, and under which names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

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
        hidden: Arc<[Arc<str>]>,
    },
    /// (path or variable name, key), sorted by path: see [`Selection::keys`]. Of several
    /// keys under one path the last that is there is seen. Empty where the source must
    /// be there, but nothing of it is seen: a subPath that matches none of the `items`.
    Keys(Arc<[(Arc<str>, Arc<str>)]>),
}

impl Selection {
    /// Selects keys, each under a path or variable name; of two keys under one
    /// path the last wins, as in the kubelet.
    pub fn keys(selected: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let by_path: BTreeMap<_, _> = selected.into_iter().collect();
        Self::Keys(by_path.into_iter().collect())
    }

    /// Selects keys that may be absent, so that of two under one path each may be seen.
    pub(super) fn optional_keys(selected: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let mut selected: Vec<_> = selected.into_iter().collect();
        selected.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self::Keys(selected.into())
    }

    /// The names under which a key is seen.
    pub(super) fn names<'a>(&'a self, key: &'a str) -> Vec<Cow<'a, str>> {
        match self {
            Self::Files => vec![key.into()],
            Self::Variables { prefix, hidden } => {
                let name = format!("{prefix}{key}");
                let seen = hidden.binary_search_by(|own| (**own).cmp(&name)).is_err();
                seen.then_some(name.into()).into_iter().collect()
            }
            Self::Keys(selected) => {
                let of = selected.iter().filter(|(_, one)| **one == *key);
                of.map(|(name, _)| (&**name).into()).collect()
            }
        }
    }

    /// The keys that are seen rather than this one under a name, if they are there.
    pub(super) fn after<'a>(
        &'a self,
        name: &'a str,
        key: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let selected = match self {
            Self::Keys(selected) => &selected[..],
            Self::Files | Self::Variables { .. } => &[],
        };
        let under = selected.iter().filter(move |(path, _)| **path == *name);
        let keys = under.rev().map(|(_, one)| &**one);
        keys.take_while(move |one| *one != key)
    }

    /// Whether one of the keys that are there is seen under a name.
    pub(super) fn gives(&self, name: &str, has: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Files => has(name),
            Self::Variables { prefix, .. } => name.strip_prefix(&**prefix).is_some_and(has),
            Self::Keys(selected) => {
                let mut under = selected.iter().filter(|(path, _)| **path == *name);
                under.any(|(_, key)| has(key))
            }
        }
    }
}
