//! A watch: it lists, then follows changes, as long as the operator runs.
//!
//! kube's watcher lists and resumes; this module adds three things. It backs off after errors
//! until something comes. It lists anew if nothing (no event, no bookmark) comes for long, or if
//! the cluster has gone back to an earlier version. And it shows the health of a watch.

mod health;
mod history;
mod retry;

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, warn};

use crate::cluster::client::error::describe_watch;
use crate::cluster::client::pulse::{Pulse, PulseLayer};
use crate::cluster::views::Key;
use crate::kinds::Rv;

pub use health::{WatchHealth, WatchReport};
pub use history::History;
pub use retry::Denial;
use retry::{Retry, denial, goes_on, must_list};

/// Time after which a watch counts as working again. If a watch fails earlier, the row of
/// failures goes on: lists that only lead to the next failure are the most expensive requests.
const LASTING: Duration = Duration::from_secs(10);

/// Number of failures in a row for which a watch that has listed is left out. An API server
/// that has just started denies what it allows a moment later.
const DENIALS: u32 = 3;

/// How long a watch may show neither an event nor a bookmark before all is listed anew. Until
/// then it is enough that the API server tells of a version that is not earlier.
const QUIET: Duration = Duration::from_secs(15 * 60);

/// How long the question for the version may take.
const ASKING: Duration = Duration::from_secs(10);

/// An API type that can be watched: a [`View`](crate::cluster::views::View), or
/// a custom resource.
pub trait Watched: Resource + Clone + Debug + DeserializeOwned + Send + 'static {}

impl<K: Resource + Clone + Debug + DeserializeOwned + Send + 'static> Watched for K {}

/// A change that a watch reports.
#[derive(Clone, Debug)]
pub enum Change<K> {
    /// A list begins, at the start or because events may have been missed.
    Listing,
    /// An object of the list.
    Listed(K),
    /// The list is complete; objects that it doesn't name are gone.
    Synced(HashSet<Key>),
    /// An object was added or modified.
    Applied(K),
    /// An object was deleted; this is its last state.
    Deleted(K),
    /// The objects can't be listed. What was known of them stays.
    Denied(Denial),
    /// The cluster is in an earlier version than one that was seen: this is another history.
    /// Every watch lists anew.
    Undone,
}

/// Settings of a watch.
#[derive(Clone, Copy, Debug)]
pub struct WatchOptions {
    /// Time without any data after which the watch is restarted. The API server sends a
    /// bookmark each minute, and is asked to end each request after two thirds of this time.
    pub idle_timeout: Duration,
    /// Number of objects in one page of a list.
    pub page_size: u32,
    /// True to receive lists as a stream of watch events, which must be enabled in the API
    /// server.
    pub streaming_lists: bool,
    /// True if nothing depends on the watch: if the API server denies it or doesn't know the
    /// type, there are no objects.
    pub optional: bool,
}

/// A watch on one type, in one namespace or in all.
pub struct Watch<K> {
    api: Api<K>,
    options: WatchOptions,
    pulse: Pulse,
    health: Arc<WatchHealth>,
    history: History,
    /// The highest version that was seen in this history.
    highest: AtomicU64,
}

// === impl WatchOptions ===

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(120),
            // Of objects that users write as large as they may be.
            page_size: 50,
            streaming_lists: false,
            optional: false,
        }
    }
}

impl WatchOptions {
    fn config(&self) -> watcher::Config {
        let seconds = self.idle_timeout.as_secs() * 2 / 3;
        let config = watcher::Config::default()
            .timeout(u32::try_from(seconds).unwrap_or(u32::MAX).max(1))
            .page_size(self.page_size);
        match self.streaming_lists {
            true => config.streaming_lists(),
            false => config,
        }
    }
}

// === impl Watch ===

impl<K: Watched> Watch<K> {
    /// Makes a watch on `api` for objects of this `kind`. Its client must report to `pulses`.
    /// It shares the `history` with all others.
    #[must_use]
    pub fn new(
        kind: &'static str,
        api: Api<K>,
        pulses: &PulseLayer,
        history: &History,
        options: WatchOptions,
    ) -> Self {
        let pulse = pulses.pulse(api.resource_url());
        let optional = options.optional;
        let health = WatchHealth::new(kind, api.namespace(), optional, pulse.clone());
        Self {
            api,
            options,
            pulse,
            health: Arc::new(health),
            history: history.clone(),
            highest: AtomicU64::new(0),
        }
    }

    /// Health of the watch.
    #[must_use]
    pub fn health(&self) -> Arc<WatchHealth> {
        Arc::clone(&self.health)
    }

    /// Watches for ever. If the task ends anyway, the process must end too: without one of its
    /// watches it would decide on old state.
    pub async fn run(self, mut ingest: impl FnMut(Change<K>) + Send) -> Infallible {
        let mut retry = Retry::default();
        let mut history = self.history.follow();
        loop {
            let stream = watcher(self.api.clone(), self.options.config());
            (self.follow(stream, &mut history, &mut retry, &mut ingest)).await;
        }
    }

    /// Follows a stream of events until nothing comes any more or it must be restarted.
    async fn follow(
        &self,
        stream: impl Stream<Item = watcher::Result<Event<K>>>,
        history: &mut Receiver<u64>,
        retry: &mut Retry,
        ingest: &mut impl FnMut(Change<K>),
    ) {
        let mut stream = pin!(stream);
        let mut listed = HashSet::new();
        let mut since = Instant::now();
        let mut before = self.highest();
        loop {
            let item = tokio::select! {
                biased;
                // What goes on from a version of another history shows nothing.
                _ = history.changed() => {
                    return self.forget();
                }
                item = stream.next() => item,
                () = self.silence(since) => match self.is_quiet(history, ingest).await {
                    true => continue,
                    false => return,
                },
            };
            let Some(item) = item else { return };
            match item {
                Ok(event) => {
                    self.saw(version(&event));
                    match event {
                        Event::Apply(_) | Event::Delete(_) => retry.reset(),
                        // What is listed is no older than what was seen when that began.
                        Event::InitDone if self.is_undone(before).await == Some(true) => {
                            return self.undone(history, ingest);
                        }
                        // A list says nothing about the watch that follows it.
                        Event::InitDone => since = Instant::now(),
                        Event::Init => before = self.highest(),
                        Event::InitApply(_) => {}
                    }
                    self.health.event(&event, *history.borrow());
                    ingest(change(event, &mut listed));
                }
                Err(error) => {
                    if since.elapsed() >= LASTING {
                        retry.reset();
                        self.health.lasted();
                    }
                    self.failed(&error, *history.borrow(), ingest);
                    sleep(retry.delay(&error)).await;
                    if must_list(&error) {
                        return;
                    }
                    // The watch would go on from a version of another history, and hang.
                    if goes_on(&error) && self.comes_back_undone(history, retry, ingest).await {
                        return self.undone(history, ingest);
                    }
                    // Only a list says that what was left out is there again.
                    if goes_on(&error) && self.health.is_left_out() {
                        return;
                    }
                    since = Instant::now();
                }
            }
        }
    }

    /// Resolves when nothing has come for the idle timeout, counted from `since` at the earliest.
    async fn silence(&self, since: Instant) {
        loop {
            let last = self.pulse.last().max(since);
            let end = last + self.options.idle_timeout;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    /// Whether a silent watch just has nothing to show: it is accepted, and the cluster has
    /// not gone back. A bookmark comes only where the API server has learned of a newer
    /// version, for which etcd takes ten minutes where nothing of a kind is written.
    async fn is_quiet(
        &self,
        history: &mut Receiver<u64>,
        ingest: &mut impl FnMut(Change<K>),
    ) -> bool {
        let idle = self.options.idle_timeout;
        if self.pulse.since_accepted() < idle && self.pulse.since_shown() < QUIET.max(idle) {
            match self.is_undone(self.highest()).await {
                Some(false) => return true,
                Some(true) => {
                    self.undone(history, ingest);
                    return false;
                }
                None => {}
            }
        }
        warn!(watch = %self.health, silence = ?self.pulse.silence(), "watch is silent; listing anew");
        self.health.stalled();
        false
    }

    /// Whether the cluster is in an earlier version than one that was seen `before` this is
    /// asked; `None` where nobody answers.
    async fn is_undone(&self, before: u64) -> Option<bool> {
        let version = self.ask().await.ok()?;
        Some(self.is_earlier(version, before))
    }

    /// The same once the API server answers again after a failure.
    async fn comes_back_undone(
        &self,
        history: &Receiver<u64>,
        retry: &mut Retry,
        ingest: &mut impl FnMut(Change<K>),
    ) -> bool {
        loop {
            let error = match self.ask().await {
                Ok(version) => return self.is_earlier(version, self.highest()),
                Err(error) => watcher::Error::WatchStartFailed(error),
            };
            self.failed(&error, *history.borrow(), ingest);
            sleep(retry.delay(&error)).await;
            if self.health.is_left_out() || history.has_changed().unwrap_or_default() {
                return false;
            }
        }
    }

    /// Asks for the version that the cluster is in.
    async fn ask(&self) -> kube::Result<Option<Rv>> {
        let one = ListParams::default().limit(1);
        let list = match timeout(ASKING, self.api.list_metadata(&one)).await {
            Ok(list) => list?,
            Err(_) => return Err(kube::Error::Service("no answer in time".into())),
        };
        let version = list.metadata.resource_version.as_deref();
        Ok(version.and_then(Rv::parse))
    }

    /// Whether a version is below one that was seen before.
    fn is_earlier(&self, version: Option<Rv>, before: u64) -> bool {
        if version.is_some_and(|version| version.0 < before) {
            warn!(watch = %self.health, ?version, seen = before, "the API server is in an earlier version than before, as when etcd is restored; listing all anew");
            return true;
        }
        self.saw(version);
        false
    }

    /// Begins another history, unless another watch was faster.
    fn undone(&self, history: &mut Receiver<u64>, ingest: &mut impl FnMut(Change<K>)) {
        self.forget();
        if !history.has_changed().unwrap_or_default() {
            ingest(Change::Undone);
            self.history.begin_another();
        }
        history.mark_unchanged();
    }

    /// Forgets the versions of the history before.
    fn forget(&self) {
        let _ = self.pulse.take_bookmark();
        self.highest.store(0, Ordering::Relaxed);
    }

    fn highest(&self) -> u64 {
        let bookmark = self.pulse.take_bookmark();
        (self.highest.fetch_max(bookmark, Ordering::Relaxed)).max(bookmark)
    }

    fn saw(&self, version: Option<Rv>) {
        let version = version.map_or(0, |version| version.0);
        self.highest.fetch_max(version, Ordering::Relaxed);
    }

    fn failed(&self, error: &watcher::Error, history: u64, ingest: &mut impl FnMut(Change<K>)) {
        let message = describe_watch(error);
        let errors = self.health.failed(&message);
        let denial = denial(error).filter(|_| !self.health.is_synced() || errors >= DENIALS);
        if let Some(denial) = denial
            && self.health.left_out(&message, history)
        {
            warn!(watch = %self.health, error = message, "left out until it can be listed");
            if !self.options.optional {
                ingest(Change::Denied(denial));
            }
        } else if errors == 1 {
            warn!(watch = %self.health, error = message, "watch failed; trying again");
        } else {
            debug!(watch = %self.health, error = message, errors, "watch failed again");
        }
    }
}

/// The version of the object that an event is about.
fn version<K: Resource>(event: &Event<K>) -> Option<Rv> {
    match event {
        Event::InitApply(object) | Event::Apply(object) | Event::Delete(object) => {
            object.resource_version().as_deref().and_then(Rv::parse)
        }
        Event::Init | Event::InitDone => None,
    }
}

/// Turns an event of kube's watcher into a change; `listed` gathers the names of a list.
fn change<K: Resource>(event: Event<K>, listed: &mut HashSet<Key>) -> Change<K> {
    match event {
        Event::Init => {
            listed.clear();
            Change::Listing
        }
        Event::InitApply(object) => {
            listed.insert(Key::of(&object));
            Change::Listed(object)
        }
        Event::InitDone => Change::Synced(std::mem::take(listed)),
        Event::Apply(object) => Change::Applied(object),
        Event::Delete(object) => Change::Deleted(object),
    }
}

#[cfg(test)]
mod tests;
