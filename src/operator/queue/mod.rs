//! A queue of keys with due times. It never processes a key twice at the same time.
//!
//! * A key that is being processed is not handed out again; if it is added
//!   meanwhile it runs once more afterwards (the dirty flag).
//! * A key has one due time. The earliest wins, so an immediate add beats a
//!   delay.
//! * Of the keys that are due, each namespace's have their turn.
//! * A handler that fails is retried with exponential backoff. Adds of a
//!   failing key are let through early, but no faster than [`Backoff::floor`]:
//!   a stream of events cannot turn a failing key into a hot loop.
//!
//! The queue uses tokio's time, which is monotonic and can be paused in tests.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

pub use self::snapshot::{Item, ItemState, Snapshot};
pub use self::turns::OfNamespace;
use self::turns::Turns;

mod snapshot;
mod turns;

/// Next step for a key, as its handler decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Forget the key until somebody adds it again.
    Done,
    /// Process the key again after this time.
    After(Duration),
    /// Process the key again with backoff, since it failed.
    Retry,
}

/// Delays between attempts of a key whose handler fails.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// Delay after the first failure, doubled with each further failure.
    pub base: Duration,
    /// Maximum delay.
    pub cap: Duration,
    /// Minimum time between two attempts of a failing key, however often it is added. If the
    /// current delay is shorter, that applies.
    pub floor: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(50),
            cap: Duration::from_secs(30),
            floor: Duration::from_secs(1),
        }
    }
}

impl Backoff {
    /// Delay after this number of failures (at least 1), without jitter.
    fn delay(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }
}

/// A queue of keys, shared as an `Arc`. See the description of the module.
#[derive(Debug)]
pub struct Queue<K> {
    name: &'static str,
    backoff: Backoff,
    state: Mutex<State<K>>,
    /// Notifies the runner that the earliest due time may have changed.
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    keys: HashMap<K, Entry>,
    /// Keys that wait, in order of their due times.
    waiting: BTreeSet<(Instant, u64, K)>,
    /// Keys that are due.
    due: Turns<K>,
    running: usize,
    /// Number of adds, which orders keys that are due at the same instant.
    sequence: u64,
}

#[derive(Debug, Default)]
struct Entry {
    running: bool,
    /// Time of the next run, and position in `waiting` while not running.
    due: Option<(Instant, u64)>,
    failures: u32,
    /// Time before which there is no attempt, see [`Backoff::floor`].
    not_before: Option<Instant>,
}

impl<K> Queue<K>
where
    K: Clone + Eq + Hash + Ord + OfNamespace,
{
    /// Makes an empty queue. Its name is shown in metrics and `/debug/queues`.
    #[must_use]
    pub fn new(name: &'static str, backoff: Backoff) -> Arc<Self> {
        Arc::new(Self {
            name,
            backoff,
            state: Mutex::new(State {
                keys: HashMap::new(),
                waiting: BTreeSet::new(),
                due: Turns::default(),
                running: 0,
                sequence: 0,
            }),
            changed: Notify::new(),
        })
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Adds a key, to be processed as soon as a worker is free.
    pub fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO);
    }

    /// Adds a key, to be processed after this time, or earlier if it is due earlier already.
    pub fn add_after(&self, key: K, delay: Duration) {
        let mut state = self.state.lock();
        state.schedule(key, Instant::now() + delay);
        drop(state);
        self.changed.notify_one();
    }

    /// Forgets the failures of a key. If it waits for a retry, it runs at once.
    ///
    /// Use this if the cause of the failures is known to be gone.
    pub fn forget(&self, key: &K) {
        let mut state = self.state.lock();
        let failing = state.keys.get_mut(key).is_some_and(|entry| {
            entry.not_before = None;
            std::mem::take(&mut entry.failures) > 0
        });
        if failing {
            state.schedule(key.clone(), Instant::now());
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Number of keys that are being processed.
    #[must_use]
    pub fn running(&self) -> usize {
        self.state.lock().running
    }

    /// Number of keys that are due and wait for a free worker.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.state.lock().depth(Instant::now())
    }

    /// Time for which the oldest due key has been due.
    #[must_use]
    pub fn oldest(&self) -> Duration {
        self.state.lock().oldest(Instant::now())
    }

    /// Returns whether no key is due or running. Delayed keys don't count.
    #[must_use]
    pub fn idle(&self) -> bool {
        let state = self.state.lock();
        state.running == 0 && state.depth(Instant::now()) == 0
    }

    /// Waits until a key is due, marks it as running and returns it.
    async fn next(&self) -> K {
        loop {
            let head = {
                let mut state = self.state.lock();
                match state.pop(Instant::now()) {
                    Ok(key) => return key,
                    Err(head) => head,
                }
            };
            // Notify keeps a notification that comes between the check above and here.
            match head {
                Some(due) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(due) => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// Ends the processing of a key.
    fn finish(&self, key: &K, outcome: Next) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.running -= 1;
        let Some(entry) = state.keys.get_mut(key) else {
            return;
        };
        entry.running = false;
        let again = match outcome {
            Next::Done | Next::After(_) => {
                entry.failures = 0;
                entry.not_before = None;
                match outcome {
                    Next::After(delay) => Some(now + delay),
                    _ => None,
                }
            }
            Next::Retry => {
                entry.failures = entry.failures.saturating_add(1);
                let delay = self.backoff.delay(entry.failures);
                entry.not_before = Some(now + delay.min(self.backoff.floor));
                // Half of the delay is random, so that keys that failed together aren't
                // retried together.
                Some(now + delay.mul_f64(0.5 + 0.5 * crate::random::unit()))
            }
        };
        // The earlier of an add meanwhile and the handler's decision.
        let pending = entry.due.take().map(|(due, _)| due);
        match pending.into_iter().chain(again).min() {
            Some(due) => state.schedule(key.clone(), due),
            None => {
                state.keys.remove(key);
            }
        }
        drop(state);
        self.changed.notify_one();
    }
}

impl<K> State<K>
where
    K: Clone + Eq + Hash + Ord + OfNamespace,
{
    /// Makes a key due at this time, unless it is due earlier already.
    fn schedule(&mut self, key: K, due: Instant) {
        let entry = self.keys.entry(key.clone()).or_default();
        let due = entry.not_before.map_or(due, |floor| due.max(floor));
        if entry.due.is_some_and(|(earlier, _)| earlier <= due) {
            return;
        }
        self.sequence += 1;
        let replaced = entry.due.replace((due, self.sequence));
        if entry.running {
            return; // `finish` puts it in line.
        }
        if let Some((due, sequence)) = replaced {
            self.waiting.remove(&(due, sequence, key.clone()));
        }
        self.waiting.insert((due, self.sequence, key));
    }

    /// Takes the due key whose turn it is, or returns the next due time.
    fn pop(&mut self, now: Instant) -> Result<K, Option<Instant>> {
        while self.waiting.first().is_some_and(|(due, ..)| *due <= now)
            && let Some((due, _, key)) = self.waiting.pop_first()
        {
            self.due.push(due, key);
        }
        let Some(key) = self.due.pop() else {
            return Err(self.waiting.first().map(|(due, ..)| *due));
        };
        let entry = self.keys.entry(key.clone()).or_default();
        entry.running = true;
        entry.due = None;
        self.running += 1;
        Ok(key)
    }

    /// Number of keys that are due.
    fn depth(&self, now: Instant) -> usize {
        let waiting = self.waiting.iter();
        self.due.len() + waiting.take_while(|(due, ..)| *due <= now).count()
    }

    /// Time for which the oldest due key has been due.
    fn oldest(&self, now: Instant) -> Duration {
        let waiting = self.waiting.first().map(|(due, ..)| *due);
        let oldest = self.due.oldest().into_iter().chain(waiting).min();
        oldest.map_or(Duration::ZERO, |due| now.saturating_duration_since(due))
    }
}

/// Hands the queue's keys to the handler, at most `concurrency` at a time, until `shutdown`
/// resolves. Then waits for the running handlers.
///
/// Keys that are due or delayed at shutdown stay in the queue. Dropping the returned future
/// ends the handlers too, so nothing is left detached. Use one runner per queue.
///
/// # Panics
/// If a handler panics, since a defect must not leave the process half alive.
pub async fn run<K, H, F>(
    queue: Arc<Queue<K>>,
    concurrency: usize,
    handler: H,
    shutdown: impl Future<Output = ()>,
) where
    K: Clone + Eq + Hash + Ord + OfNamespace + Send + 'static,
    H: Fn(K) -> F,
    F: Future<Output = Next> + Send + 'static,
{
    let mut shutdown = pin!(shutdown);
    let mut workers: JoinSet<(K, Next)> = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = workers.join_next() => end(&queue, ended),
            key = queue.next(), if workers.len() < concurrency.max(1) => {
                let work = handler(key.clone());
                workers.spawn(async move { (key, work.await) });
            }
        }
    }
    while let Some(ended) = workers.join_next().await {
        end(&queue, ended);
    }
}

fn end<K>(queue: &Queue<K>, ended: Result<(K, Next), JoinError>)
where
    K: Clone + Eq + Hash + Ord + OfNamespace,
{
    match ended {
        Ok((key, outcome)) => queue.finish(&key, outcome),
        // Only dropping the set aborts workers, so this is a panic.
        Err(error) => resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests;
