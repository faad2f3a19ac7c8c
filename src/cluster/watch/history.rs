//! Which history of the cluster the watches follow. One whose etcd was restored from a
//! backup is another: versions are given anew in it, and a watch that goes on from a later
//! version hangs.

use std::sync::Arc;

use tokio::sync::watch;

/// Numbers the histories, from 0. Clones share them.
#[derive(Clone, Debug)]
pub struct History(Arc<watch::Sender<u64>>);

impl Default for History {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl History {
    /// Follows the number.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// The number now.
    #[must_use]
    pub fn number(&self) -> u64 {
        *self.0.borrow()
    }

    /// Begins another history: every watch lists anew.
    pub(super) fn begin_another(&self) {
        self.0.send_modify(|number| *number += 1);
    }
}
