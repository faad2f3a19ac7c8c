//! Health of watches, for readiness and metrics.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::watcher::Event;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::cluster::client::pulse::Pulse;

/// Health of a watch.
#[derive(Debug)]
pub struct WatchHealth {
    kind: &'static str,
    namespace: Option<Arc<str>>,
    optional: bool,
    pulse: Pulse,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    synced: bool,
    /// Number of the history in which that was.
    history: u64,
    left_out: Option<String>,
    listing: bool,
    errors: u32,
    failed: Option<(String, Instant)>,
    failures: u64,
    stalls: u64,
}

/// Health of a watch at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchReport {
    /// `kind` of the watched objects.
    pub kind: &'static str,
    /// Watched namespace; `None` for the whole cluster.
    pub namespace: Option<Arc<str>>,
    /// Whether nothing depends on it.
    pub optional: bool,
    /// Whether a first list is complete, or the watch is left out.
    pub synced: bool,
    /// Why it is left out, if the API server denies it or doesn't know the type.
    pub left_out: Option<String>,
    /// True while a list is under way.
    pub listing: bool,
    /// Time since any data came: an event, a bookmark, a part of a list.
    pub silence: Duration,
    /// Number of failures in a row; 0 while the watch works.
    pub errors: u32,
    /// Last failure in that row.
    pub failure: Option<String>,
    /// Number of failures in all; each was followed by another attempt.
    pub failures: u64,
    /// Number of times that the watch was restarted because nothing came any more.
    pub stalls: u64,
}

impl WatchHealth {
    pub(super) fn new(
        kind: &'static str,
        namespace: Option<&str>,
        optional: bool,
        pulse: Pulse,
    ) -> Self {
        Self {
            kind,
            namespace: namespace.map(Arc::from),
            optional,
            pulse,
            state: Mutex::default(),
        }
    }

    /// Health of the watch now.
    #[must_use]
    pub fn report(&self) -> WatchReport {
        let state = self.state.lock();
        // Anything that came after a failure shows that the failure is over.
        let failed = state.failed.as_ref();
        let failed = failed.filter(|(_, at)| *at >= self.pulse.answered());
        WatchReport {
            kind: self.kind,
            namespace: self.namespace.clone(),
            optional: self.optional,
            synced: state.synced,
            left_out: state.left_out.clone(),
            listing: state.listing,
            silence: self.pulse.silence(),
            errors: failed.map_or(0, |_| state.errors),
            failure: failed.map(|(failure, _)| failure.clone()),
            failures: state.failures,
            stalls: state.stalls,
        }
    }

    /// Whether a first list is complete, or the watch is left out.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.state.lock().synced
    }

    /// The same of this history.
    #[must_use]
    pub fn is_synced_in(&self, history: u64) -> bool {
        let state = self.state.lock();
        state.synced && state.history == history
    }

    /// Whether the watch is left out.
    #[must_use]
    pub(super) fn is_left_out(&self) -> bool {
        self.state.lock().left_out.is_some()
    }

    /// Notes why the watch is left out. Returns whether it was not before.
    pub(super) fn left_out(&self, why: &str, history: u64) -> bool {
        let mut state = self.state.lock();
        state.synced = true;
        state.history = history;
        state.left_out.replace(why.to_owned()).is_none()
    }

    /// Takes in an event of the history of this number.
    pub(super) fn event<K>(&self, event: &Event<K>, history: u64) {
        let mut state = self.state.lock();
        match event {
            Event::Init => state.listing = true,
            Event::InitDone => {
                state.listing = false;
                state.synced = true;
                state.history = history;
                state.left_out = None;
            }
            Event::InitApply(_) => {}
            // A list shows nothing yet of the watch that follows it.
            Event::Apply(_) | Event::Delete(_) => {
                state.errors = 0;
                state.failed = None;
            }
        }
    }

    /// Notes a failure, and returns the number of failures in a row.
    pub(super) fn failed(&self, failure: &str) -> u32 {
        let mut state = self.state.lock();
        state.errors = state.errors.saturating_add(1);
        state.failures += 1;
        state.failed = Some((failure.to_owned(), Instant::now()));
        state.errors
    }

    /// Notes that the watch worked for a while, so the next failure is the first of a row.
    pub(super) fn lasted(&self) {
        self.state.lock().errors = 0;
    }

    pub(super) fn stalled(&self) {
        self.state.lock().stalls += 1;
    }
}

/// Names the watch.
impl fmt::Display for WatchHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}
