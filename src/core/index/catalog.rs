//! The sources of one namespace or of the cluster, and who projects them.

use std::collections::{BTreeSet, HashMap};

use crate::core::index::affected::{Seen, SourceName};
use crate::core::object::source::{Source, SourceMeta};
use crate::kinds::Rv;

/// Sources, and the managed workloads that refer to them. A source is kept while it exists
/// or is referred to.
#[derive(Debug)]
pub(super) struct Catalog<User> {
    /// Boxed, as most room in a large table is empty.
    sources: HashMap<SourceName, Box<Source>>,
    users: HashMap<SourceName, BTreeSet<User>>,
}

impl<User> Default for Catalog<User> {
    fn default() -> Self {
        Self {
            sources: HashMap::new(),
            users: HashMap::new(),
        }
    }
}

impl<User: Ord> Catalog<User> {
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.users.is_empty()
    }

    /// Takes in a version of a source. Returns whether it is news for a workload.
    pub(super) fn apply(&mut self, name: SourceName, meta: SourceMeta, seen: Seen) -> bool {
        let used = self.users.contains_key(&name);
        let source = self.sources.entry(name).or_default();
        source.apply(meta, seen.live, seen.now) && used
    }

    /// Takes in a deletion. Returns whether it is news for a workload.
    pub(super) fn delete(&mut self, name: &SourceName, rv: Option<Rv>, seen: Seen) -> bool {
        let Some(source) = self.sources.get_mut(name) else {
            return false;
        };
        let news = source.delete(rv, seen.now);
        let used = self.users.contains_key(name);
        if !used {
            self.sources.remove(name);
        }
        news && used
    }

    /// Forgets what happened to a source up to `rv`.
    pub(super) fn forget(&mut self, name: &SourceName, rv: Option<Rv>) {
        if let Some(source) = self.sources.get_mut(name) {
            source.forget(rv);
        }
    }

    /// Forgets every version.
    pub(super) fn forget_versions(&mut self) {
        for source in self.sources.values_mut() {
            source.forget_versions();
        }
    }

    pub(super) fn get(&self, name: &SourceName) -> Option<&Source> {
        self.sources.get(name).map(Box::as_ref)
    }

    /// The sources that exist.
    pub(super) fn existing(&self) -> impl Iterator<Item = &SourceName> {
        let existing = self.sources.iter();
        let existing = existing.filter(|(_, source)| source.meta.is_some());
        existing.map(|(name, _)| name)
    }

    /// The sources that are referred to, each with its users.
    pub(super) fn used(&self) -> impl Iterator<Item = (&SourceName, &BTreeSet<User>)> {
        self.users.iter()
    }

    pub(super) fn users(&self, name: &SourceName) -> impl Iterator<Item = &User> {
        self.users.get(name).into_iter().flatten()
    }

    pub(super) fn link(&mut self, name: &SourceName, user: User) {
        self.users.entry(name.clone()).or_default().insert(user);
    }

    pub(super) fn unlink(&mut self, name: &SourceName, user: &User) {
        let Some(users) = self.users.get_mut(name) else {
            return;
        };
        users.remove(user);
        if users.is_empty() {
            self.users.remove(name);
            if self.get(name).is_some_and(|source| source.meta.is_none()) {
                self.sources.remove(name);
            }
        }
    }
}
