//! A watch: it lists, then follows changes, as long as the operator runs.
//!
//! kube's watcher lists and resumes; this module adds three things. It backs off after
//! errors until something comes. It restarts a watch, with a new list, if nothing (no
//! event, no bookmark, no answer) comes for [`WatchOptions::idle_timeout`]. And it shows the
//! health of a watch at any time.

mod health;
mod retry;

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, warn};

use crate::cluster::client::error::describe_watch;
use crate::cluster::client::pulse::{Pulse, PulseLayer};
use crate::cluster::views::Key;

pub use health::{WatchHealth, WatchReport};
pub use retry::Denial;
use retry::{Retry, denial, must_list};

/// Time after which a watch counts as working again. If a watch fails earlier, the row of
/// failures goes on: lists that only lead to the next failure are the most expensive requests.
const LASTING: Duration = Duration::from_secs(10);

/// Number of failures in a row for which a watch that has listed is left out. An API server
/// that has just started denies what it allows a moment later.
const DENIALS: u32 = 3;

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
    #[must_use]
    pub fn new(
        kind: &'static str,
        api: Api<K>,
        pulses: &PulseLayer,
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
        loop {
            let stream = watcher(self.api.clone(), self.options.config());
            self.follow(stream, &mut retry, &mut ingest).await;
        }
    }

    /// Follows a stream of events until nothing comes any more or it must be restarted.
    async fn follow(
        &self,
        stream: impl Stream<Item = watcher::Result<Event<K>>>,
        retry: &mut Retry,
        ingest: &mut impl FnMut(Change<K>),
    ) {
        let mut stream = pin!(stream);
        let mut listed = HashSet::new();
        let mut since = Instant::now();
        loop {
            let item = tokio::select! {
                item = stream.next() => item,
                () = self.silence(since) => {
                    warn!(watch = %self.health, silence = ?self.pulse.silence(), "watch is silent; listing anew");
                    self.health.stalled();
                    return;
                }
            };
            let Some(item) = item else { return };
            match item {
                Ok(event) => {
                    match event {
                        Event::Apply(_) | Event::Delete(_) => retry.reset(),
                        // A list says nothing about the watch that follows it.
                        Event::InitDone => since = Instant::now(),
                        Event::Init | Event::InitApply(_) => {}
                    }
                    self.health.event(&event);
                    ingest(change(event, &mut listed));
                }
                Err(error) => {
                    if since.elapsed() >= LASTING {
                        retry.reset();
                        self.health.lasted();
                    }
                    self.failed(&error, ingest);
                    sleep(retry.delay(&error)).await;
                    // Only a list says that what was left out is there again.
                    let lists = matches!(error, watcher::Error::InitialListFailed(_));
                    if must_list(&error) || !lists && self.health.is_left_out() {
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

    fn failed(&self, error: &watcher::Error, ingest: &mut impl FnMut(Change<K>)) {
        let message = describe_watch(error);
        let errors = self.health.failed(&message);
        let denial = denial(error).filter(|_| !self.health.is_synced() || errors >= DENIALS);
        if let Some(denial) = denial
            && self.health.left_out(&message)
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
