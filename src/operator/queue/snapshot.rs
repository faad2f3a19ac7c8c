//! A queue as `/debug/queues` and metrics show it.

use std::fmt::Display;
use std::hash::Hash;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Queue;

/// A queue at one moment, for metrics and `/debug/queues`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The queue's name.
    pub name: &'static str,
    /// Keys that are due and wait for a free worker.
    pub depth: usize,
    /// Keys being processed.
    pub running: usize,
    /// Keys whose time has not come.
    pub delayed: usize,
    /// For how long the longest-waiting due key has been due, in seconds.
    pub oldest_seconds: f64,
    /// Nothing is due and nothing is running.
    pub idle: bool,
    /// Every key, ordered by name.
    pub items: Vec<Item>,
}

/// One key of a [`Snapshot`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// The key as it displays.
    pub key: String,
    /// What it is doing.
    pub state: ItemState,
    /// Milliseconds until it is due (negative: for how long it has been due);
    /// of a running key, until its next run, if one is asked for already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_in_ms: Option<i64>,
    /// Failed attempts in a row.
    pub failures: u32,
}

/// What a key of a queue is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum ItemState {
    /// Being processed.
    Running,
    /// Waits for a free worker.
    Due,
    /// Waits for its time.
    Delayed,
}

impl<K> Queue<K>
where
    K: Clone + Eq + Hash + Ord + Display,
{
    /// The queue at this moment.
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
        let oldest = state
            .due(now)
            .next()
            .map_or(Duration::ZERO, |due| now - due);
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
