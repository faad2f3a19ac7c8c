//! Objects that are listed under their controlling owner.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::core::object::pod::{Owner, Pod};
use crate::core::object::workload::{ControllerRevision, ReplicaSet};

/// Objects by name, and the names that one owner controls.
#[derive(Debug)]
pub(super) struct Owned<T> {
    pub(super) by_name: HashMap<Arc<str>, T>,
    by_owner: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

/// An object that is listed under its controlling owner.
pub(super) trait Child {
    fn owner(&self) -> Option<&Owner>;
}

// === impl Owned ===

impl<T> Default for Owned<T> {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            by_owner: HashMap::new(),
        }
    }
}

impl<T: Child> Owned<T> {
    pub(super) fn put(&mut self, name: Arc<str>, object: T) {
        self.remove(&name);
        if let Some(owner) = object.owner() {
            self.by_owner
                .entry(owner.uid.clone())
                .or_default()
                .insert(name.clone());
        }
        self.by_name.insert(name, object);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<T> {
        let object = self.by_name.remove(name)?;
        if let Some(owner) = object.owner()
            && let Some(names) = self.by_owner.get_mut(&owner.uid)
        {
            names.remove(name);
            if names.is_empty() {
                let uid = owner.uid.clone();
                self.by_owner.remove(&uid);
            }
        }
        Some(object)
    }

    /// How many an owner controls.
    pub(super) fn count(&self, uid: &str) -> usize {
        self.by_owner.get(uid).map_or(0, BTreeSet::len)
    }

    pub(super) fn of(&self, uid: &Arc<str>) -> impl Iterator<Item = &T> {
        self.by_owner
            .get(uid)
            .into_iter()
            .flatten()
            .filter_map(|name| self.by_name.get(name))
    }
}

impl Child for Pod {
    fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }
}

impl Child for ReplicaSet {
    fn owner(&self) -> Option<&Owner> {
        Some(&self.owner)
    }
}

impl Child for ControllerRevision {
    fn owner(&self) -> Option<&Owner> {
        Some(&self.owner)
    }
}
