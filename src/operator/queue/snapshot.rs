//! Snapshots of a queue, for metrics and `/debug/queues`.

use std::fmt::Display;
use std::hash::Hash;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{OfNamespace, Queue};

/// A queue at one moment, for metrics and `/debug/queues`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Name of the queue.
    pub name: &'static str,
    /// Keys that are due and wait for a free worker.
    pub depth: usize,
    /// Keys being processed.
    pub running: usize,
    /// Keys whose time has not come.
    pub delayed: usize,
    /// Time for which the oldest due key has been due, in seconds.
    pub oldest_seconds: f64,
    /// True if no key is due or running.
    pub idle: bool,
    /// All keys, ordered by name.
    pub items: Vec<Item>,
}

/// One key of a [`Snapshot`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The key as text.
    pub key: String,
    /// State of the key.
    pub state: ItemState,
    /// Milliseconds until it is due; negative if it is overdue. For a running key, the time until
    /// its next run, if one has been requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_in_ms: Option<i64>,
    /// Number of failed attempts in a row.
    pub failures: u32,
}

/// State of a key in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ItemState {
    /// The key is being processed.
    Running,
    /// The key waits for a free worker.
    Due,
    /// The key waits for its time.
    Delayed,
}

impl<K> Queue<K>
where
    K: Clone + Eq + Hash + Ord + OfNamespace + Display,
{
    /// Takes a snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = Instant::now();
        let state = self.state.lock();
        let mut items: Vec<Item> = state
            .keys
            .iter()
            .map(|(key, entry)| {
                let due = entry.due.map(|(due, _)| due);
                Item {
                    key: key.to_string(),
                    state: match due {
                        _ if entry.running => ItemState::Running,
                        Some(due) if due <= now => ItemState::Due,
                        _ => ItemState::Delayed,
                    },
                    due_in_ms: due.map(|due| millis_until(due, now)),
                    failures: entry.failures,
                }
            })
            .collect();
        let oldest = state.oldest(now);
        drop(state);
        items.sort_by(|a, b| a.key.cmp(&b.key));
        let count = |wanted| items.iter().filter(|item| item.state == wanted).count();
        let (depth, running) = (count(ItemState::Due), count(ItemState::Running));
        Snapshot {
            name: self.name,
            depth,
            running,
            delayed: items.len() - depth - running,
            oldest_seconds: oldest.as_secs_f64(),
            idle: depth == 0 && running == 0,
            items,
        }
    }
}

fn millis_until(due: Instant, now: Instant) -> i64 {
    let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    if due >= now {
        millis(due - now)
    } else {
        -millis(now - due)
    }
}
