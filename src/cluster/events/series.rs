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
mod tests {
    use super::*;
    use crate::cluster::events::notice::Regarding;

    fn notice(note: &str) -> Notice {
        let regarding = Regarding {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: "ns".into(),
            name: "web".into(),
            uid: "u".into(),
            resource_version: None,
        };
        Notice {
            regarding,
            event_type: EventType::Normal,
            reason: "Rolled",
            action: "Roll",
            note: note.into(),
        }
    }

    #[test]
    fn the_same_within_ten_minutes_is_counted() {
        let mut series = Series::default();
        let mut now = Instant::now();
        let a = notice("a");
        assert_eq!(series.step(&a, now), Posting::Create);
        assert_eq!(series.step(&a, now), Posting::Create, "not created yet");
        series.created(&a, "web.1".into(), now);
        for count in 2..5 {
            now += Duration::from_secs(599);
            let mut newer = a.clone();
            newer.regarding.resource_version = Some(count.to_string());
            assert_eq!(
                series.step(&newer, now),
                Posting::Repeat {
                    name: "web.1".into(),
                    count
                }
            );
        }
        now += WINDOW;
        assert_eq!(series.step(&a, now), Posting::Create);
    }

    #[test]
    fn any_difference_makes_another() {
        let mut series = Series::default();
        let now = Instant::now();
        let a = notice("a");
        series.created(&a, "web.1".into(), now);
        let mut others = [notice("b"), a.clone(), a.clone(), a.clone(), a.clone()];
        others[1].reason = "Held";
        others[2].action = "Hold";
        others[3].event_type = EventType::Warning;
        others[4].regarding.uid = "v".into();
        for other in others {
            assert_eq!(series.step(&other, now), Posting::Create, "{other:?}");
        }
        series.forget(&a);
        assert_eq!(series.step(&a, now), Posting::Create);
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let mut series = Series::default();
        let mut now = Instant::now();
        for i in 0..10_000 {
            now += Duration::from_millis(1);
            series.created(&notice(&i.to_string()), i.to_string(), now);
            assert!(series.posted.len() <= REMEMBERED);
        }
        assert!(matches!(
            series.step(&notice("9999"), now),
            Posting::Repeat { .. }
        ));
        assert_eq!(series.step(&notice("0"), now), Posting::Create);
    }
}
