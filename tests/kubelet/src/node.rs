//! Which content of a source a node goes by: `pkg/kubelet/util/manager/watch_based_manager.go`.

use std::collections::BTreeMap;

use crate::{Id, Source, Sources};

/// A node's copies of the sources that its Pods name. It is told of changes by a watch of each,
/// which may be late. It stops watching an object that it has given to a Pod while that was
/// immutable, and keeps the copy until none of its Pods names the object any more.
#[derive(Clone, Debug, Default)]
pub struct Node {
    copies: BTreeMap<Id, Copy>,
}

#[derive(Clone, Debug, Default)]
struct Copy {
    /// How many Pods name it.
    named: usize,
    source: Option<Source>,
    /// Whether it is watched no more.
    kept: bool,
}

impl Node {
    /// A Pod that names these sources comes to the node; what it names for the first time is read.
    /// (`AddReference`.)
    pub fn add(&mut self, names: impl IntoIterator<Item = Id>, there: &Sources) {
        for id in names {
            let copy = self.copies.entry(id.clone()).or_default();
            if copy.named == 0 {
                copy.source = there.get(&id).cloned();
            }
            copy.named += 1;
        }
    }

    /// A Pod that names these sources is gone. (`DeleteReference`.)
    pub fn remove(&mut self, names: impl IntoIterator<Item = Id>) {
        for id in names {
            if let Some(copy) = self.copies.get_mut(&id) {
                copy.named -= 1;
                if copy.named == 0 {
                    self.copies.remove(&id);
                }
            }
        }
    }

    /// The watch of a source brings what is there.
    pub fn hear(&mut self, id: &Id, there: &Sources) {
        if let Some(copy) = self.copies.get_mut(id).filter(|copy| !copy.kept) {
            copy.source = there.get(id).cloned();
        }
    }

    /// What the node gives to its Pods. (`Get`.)
    pub fn gives(&mut self) -> Sources {
        let mut given = Sources::new();
        for (id, copy) in &mut self.copies {
            if let Some(source) = &copy.source {
                copy.kept |= source.immutable;
                given.insert(id.clone(), source.clone());
            }
        }
        given
    }
}

#[cfg(test)]
mod tests;
