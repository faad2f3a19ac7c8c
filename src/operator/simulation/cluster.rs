//! The API server's store, its watches, and what is scheduled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::faults::Faults;
use super::model::{Broken, Model, Rv, Second};
use super::objects::{Identity, Kind, PolicyObject, SourceObject};
use super::workloads::{PodObject, Work};

/// How long a watch takes to bring an event, at most, in milliseconds.
const WATCH_LAG: u64 = 60;

/// The API server's clock at the start, in milliseconds.
const EPOCH: u64 = 1_800_000_000_250;

/// What happens by itself, later.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A watch brings an event.
    Deliver(Feed, Event),
    /// A list is answered.
    List(Feed),
    /// A workload's controller looks at it.
    Control(String),
    /// The kubelet starts a Pod.
    Start(String),
    /// The kubelet writes the volumes of a Pod anew.
    Refresh(String),
    /// A terminating Pod is gone.
    Remove(String),
    /// A replica takes the lease.
    Lead { slot: usize, life: u64 },
}

/// A watch of one replica, from one list on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) slot: usize,
    pub(super) kind: Kind,
    pub(super) generation: u64,
}

/// What a watch brings.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Applied(Arc<Value>),
    Deleted(Arc<Value>),
}

/// Where a watch stands.
#[derive(Debug)]
struct Stream {
    generation: u64,
    /// Whether its list has been answered.
    live: bool,
    /// Events come in order: none before this.
    due: Instant,
}

pub(super) struct Cluster {
    start: Instant,
    random: u64,
    pub(super) rv: Rv,
    uids: u64,
    /// Everything that is served.
    pub(super) objects: BTreeMap<(Kind, String), Arc<Value>>,
    pub(super) sources: BTreeMap<String, SourceObject>,
    pub(super) works: BTreeMap<String, Work>,
    /// By uid.
    pub(super) pods: BTreeMap<String, PodObject>,
    /// What a webhook puts into new Pods: of [`workloads::injected`](super::workloads::injected).
    pub(super) webhook: u8,
    /// What counts as put into the Pods of each workload.
    pub(super) injected: BTreeMap<String, u8>,
    pub(super) policy: Option<PolicyObject>,
    pub(super) policy_generation: i64,
    /// Since when a workload isn't managed.
    pub(super) unmanaged: BTreeMap<String, Second>,
    streams: BTreeMap<(usize, Kind), Stream>,
    schedule: BTreeMap<(Instant, u64), Action>,
    scheduled: u64,
    pub(super) wake: Arc<Notify>,
    pub(super) faults: Faults,
    pub(super) model: Model,
    /// When each version was made.
    versions: Vec<(Instant, Rv)>,
    /// Since which version, and how long, the operator may lag behind.
    slow: Option<(Rv, Second, Instant)>,
    /// When each workload's Projection was last written, and for which uid and shape.
    pub(super) projected: BTreeMap<String, (Second, (String, usize))>,
    /// The first promise that was broken.
    pub(super) broken: Option<Broken>,
    pub(super) trace: Vec<String>,
}

impl Cluster {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            start: Instant::now(),
            random: seed,
            rv: 1,
            uids: 0,
            objects: BTreeMap::new(),
            sources: BTreeMap::new(),
            works: BTreeMap::new(),
            pods: BTreeMap::new(),
            webhook: 0,
            injected: BTreeMap::new(),
            policy: None,
            policy_generation: 0,
            unmanaged: BTreeMap::new(),
            streams: BTreeMap::new(),
            schedule: BTreeMap::new(),
            scheduled: 0,
            wake: Arc::new(Notify::new()),
            faults: Faults::default(),
            model: Model::default(),
            versions: Vec::new(),
            slow: None,
            projected: BTreeMap::new(),
            broken: None,
            trace: Vec::new(),
        }
    }

    /// A number below `limit` (SplitMix64).
    pub(super) fn random(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }

    /// Some milliseconds from `from` to below `to`.
    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.random(to - from))
    }

    /// The API server's clock, in whole seconds.
    pub(super) fn second(&self) -> Second {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        Second::try_from((EPOCH + elapsed) / 1000).unwrap()
    }

    pub(super) fn note(&mut self, what: impl AsRef<str>) {
        let at = self.start.elapsed().as_secs_f64();
        let (second, rv) = (self.second() % 100_000, self.rv);
        let line = format!("{at:9.3} ({second}) v{rv} {}", what.as_ref());
        self.trace.push(line);
    }

    pub(super) fn break_promise(&mut self, broken: Broken) {
        self.note(format!("BROKEN: {broken}"));
        self.broken.get_or_insert(broken);
    }

    pub(super) fn identity(&mut self, name: &str) -> Identity {
        self.uids += 1;
        Identity {
            name: name.to_owned(),
            uid: format!("uid-{}", self.uids),
            created: self.second(),
        }
    }
}

// === Time ===

impl Cluster {
    pub(super) fn after(&mut self, delay: Duration, action: Action) {
        self.at(Instant::now() + delay, action);
    }

    fn at(&mut self, at: Instant, action: Action) {
        self.scheduled += 1;
        self.schedule.insert((at, self.scheduled), action);
        self.wake.notify_one();
    }

    /// When the next action is due.
    pub(super) fn due(&self) -> Option<Instant> {
        let ((at, _), _) = self.schedule.first_key_value()?;
        Some(*at)
    }

    pub(super) fn next(&mut self) -> Option<Action> {
        self.schedule.pop_first().map(|(_, action)| action)
    }

    /// From now on, and so much longer, the operator may be late.
    pub(super) fn slow(&mut self, millis: u64) {
        let now = Instant::now();
        // What failed is tried again within half a minute.
        let end = now + Duration::from_millis(millis) + Duration::from_secs(35);
        self.slow = match self.slow {
            Some((rv, second, until)) if until > now => Some((rv, second, until.max(end))),
            _ => Some((self.version_before(2), self.second() - 2, end)),
        };
        let seconds = Second::try_from(millis / 1000).unwrap();
        let (_, start, _) = self.slow.unwrap();
        let seconds = start..=self.second() + seconds + 35;
        self.model.slow_reads(seconds);
    }

    /// The version before so many seconds.
    fn version_before(&self, seconds: u64) -> Rv {
        let Some(time) = Instant::now().checked_sub(Duration::from_secs(seconds)) else {
            return 0;
        };
        let after = self.versions.partition_point(|(at, _)| *at <= time);
        after.checked_sub(1).map_or(0, |at| self.versions[at].1)
    }

    /// The version up to which the operator surely knows all.
    pub(super) fn known(&self) -> Rv {
        match self.slow {
            Some((rv, _, until)) if until > Instant::now() => rv,
            _ => self.version_before(2),
        }
    }

    /// Since when the operator may have been late at that second.
    pub(super) fn slow_since(&self, second: Second) -> Second {
        match self.slow {
            Some((_, since, until)) if until > Instant::now() => since.min(second),
            _ => second,
        }
    }
}

// === Store and watch ===

impl Cluster {
    /// Stores an object under the next version and tells those who watch.
    pub(super) fn commit(&mut self, kind: Kind, name: &str, object: Option<Value>) -> Rv {
        self.rv += 1;
        self.versions.push((Instant::now(), self.rv));
        let key = (kind, name.to_owned());
        let event = match object {
            Some(mut object) => {
                object["metadata"]["resourceVersion"] = self.rv.to_string().into();
                let object = Arc::new(object);
                self.objects.insert(key, object.clone());
                Event::Applied(object)
            }
            None => {
                let Some(object) = self.objects.remove(&key) else {
                    return self.rv;
                };
                let mut last = (*object).clone();
                last["metadata"]["resourceVersion"] = self.rv.to_string().into();
                Event::Deleted(Arc::new(last))
            }
        };
        let slots: Vec<usize> = self.streams.keys().map(|(slot, _)| *slot).collect();
        let watched = slots.into_iter().collect::<std::collections::BTreeSet<_>>();
        for slot in watched {
            let lag = self.millis(1, WATCH_LAG);
            let Some(stream) = self.streams.get_mut(&(slot, kind)) else {
                continue;
            };
            if !stream.live {
                continue;
            }
            stream.due = stream.due.max(Instant::now() + lag);
            let feed = Feed {
                slot,
                kind,
                generation: stream.generation,
            };
            let due = stream.due;
            self.at(due, Action::Deliver(feed, event.clone()));
        }
        self.rv
    }

    /// A replica lists a kind (anew), to watch it from then on.
    pub(super) fn list(&mut self, slot: usize, kind: Kind) {
        let generation = self.scheduled + 1;
        let stream = Stream {
            generation,
            live: false,
            due: Instant::now(),
        };
        self.streams.insert((slot, kind), stream);
        let feed = Feed {
            slot,
            kind,
            generation,
        };
        let delay = self.millis(100, 400);
        self.after(delay, Action::List(feed));
    }

    /// A replica is gone.
    pub(super) fn unwatch(&mut self, slot: usize) {
        self.streams.retain(|(watching, _), _| *watching != slot);
    }

    /// Whether a feed is still that of its replica.
    pub(super) fn is_current(&self, feed: Feed) -> bool {
        let stream = self.streams.get(&(feed.slot, feed.kind));
        stream.is_some_and(|stream| stream.generation == feed.generation)
    }

    /// All of a kind, in the moment of a list.
    pub(super) fn listed(&mut self, feed: Feed) -> Vec<Arc<Value>> {
        if let Some(stream) = self.streams.get_mut(&(feed.slot, feed.kind)) {
            stream.live = true;
        }
        let of_kind = self
            .objects
            .iter()
            .filter(|((kind, _), _)| *kind == feed.kind);
        of_kind.map(|(_, object)| object.clone()).collect()
    }

    /// A watch brings nothing for some time.
    pub(super) fn stall(&mut self, slot: usize, kind: Kind, delay: Duration) {
        if let Some(stream) = self.streams.get_mut(&(slot, kind)) {
            stream.due = stream.due.max(Instant::now() + delay);
        }
    }
}
