//! Events that occur again, which become a series.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::notice::Notice;
use crate::api::reasons::EventType;

/// Time within which an equal Event counts as a repetition.
const WINDOW: Duration = Duration::from_secs(600);

/// Maximum number of Events that are remembered.
const REMEMBERED: usize = 1024;

/// Recently posted Events.
#[derive(Debug, Default)]
pub(super) struct Series {
    posted: HashMap<Key, Posted>,
}

/// Identity of an Event: everything except version and time.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    namespace: String,
    uid: String,
    event_type: EventType,
    reason: &'static str,
    action: &'static str,
    note: String,
}

#[derive(Debug)]
struct Posted {
    name: String,
    count: i32,
    last: Instant,
}

/// Way to post an Event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Posting {
    /// As a new Event.
    Create,
    /// As an occurrence, by its number, of the Event with this name.
    Repeat { name: String, count: i32 },
}

impl Series {
    /// Counts an occurrence, and returns how to post it.
    pub(super) fn step(&mut self, notice: &Notice, now: Instant) -> Posting {
        match self.posted.get_mut(&key(notice)) {
            Some(posted) if now.duration_since(posted.last) < WINDOW => {
                posted.last = now;
                posted.count = posted.count.saturating_add(1);
                Posting::Repeat {
                    name: posted.name.clone(),
                    count: posted.count,
                }
            }
            _ => Posting::Create,
        }
    }

    /// Remembers an Event that was created.
    pub(super) fn created(&mut self, notice: &Notice, name: String, now: Instant) {
        if self.posted.len() >= REMEMBERED {
            self.posted
                .retain(|_, posted| now.duration_since(posted.last) < WINDOW);
        }
        if self.posted.len() >= REMEMBERED {
            // All Events are recent. Forgetting the older half at once makes this rare.
            let mut times: Vec<Instant> = self.posted.values().map(|posted| posted.last).collect();
            times.sort_unstable();
            let middle = times[times.len() / 2];
            self.posted.retain(|_, posted| posted.last > middle);
        }
        self.posted.insert(
            key(notice),
            Posted {
                name,
                count: 1,
                last: now,
            },
        );
    }

    /// Forgets an Event that is gone.
    pub(super) fn forget(&mut self, notice: &Notice) {
        self.posted.remove(&key(notice));
    }
}

fn key(notice: &Notice) -> Key {
    Key {
        namespace: notice.regarding.namespace.clone(),
        uid: notice.regarding.uid.clone(),
        event_type: notice.event_type,
        reason: notice.reason,
        action: notice.action,
        note: notice.note.clone(),
    }
}

#[cfg(test)]
mod tests;
