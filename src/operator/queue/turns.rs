//! Keys that are due, handed out by turns of their namespaces.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

/// A key that waits for the turn of its namespace, so that nobody with thousands of keys in one
/// delays those of others.
pub trait OfNamespace {
    /// The namespace; empty for what is of the cluster.
    fn namespace(&self) -> &str;
}

/// Keys that are due. Each namespace with one has its turn; within it the earliest comes first.
#[derive(Debug)]
pub(super) struct Turns<K> {
    keys: HashMap<Arc<str>, VecDeque<(Instant, K)>>,
    /// The namespaces with keys, the next one first.
    next: VecDeque<Arc<str>>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self {
            keys: HashMap::new(),
            next: VecDeque::new(),
        }
    }
}

// === impl Turns ===

impl<K: OfNamespace> Turns<K> {
    pub(super) fn push(&mut self, due: Instant, key: K) {
        if let Some(keys) = self.keys.get_mut(key.namespace()) {
            keys.push_back((due, key));
            return;
        }
        let namespace: Arc<str> = key.namespace().into();
        self.next.push_back(namespace.clone());
        self.keys.insert(namespace, [(due, key)].into());
    }

    pub(super) fn pop(&mut self) -> Option<K> {
        let namespace = self.next.pop_front()?;
        let keys = self.keys.get_mut(&namespace)?;
        let (_, key) = keys.pop_front()?;
        match keys.is_empty() {
            true => drop(self.keys.remove(&namespace)),
            false => self.next.push_back(namespace),
        }
        Some(key)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.values().map(VecDeque::len).sum()
    }

    /// Since when the oldest is due.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let first = self.keys.values().filter_map(VecDeque::front);
        first.map(|(due, _)| *due).min()
    }
}
