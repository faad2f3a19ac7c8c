//! Pods that are not ready: since when, and why.

use std::sync::Arc;
use std::time::Duration;

use crate::core::object::pod::Pod;
use crate::core::time::{Moment, Mono};

/// How long a Pod may take to get ready before its rollout counts as blocked, if nothing tells that
/// it can't.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// How long a Pod may lack what it projects: often that comes a moment later.
pub(super) const CONFIG_ERROR_LASTS: Duration = Duration::from_secs(30);

/// The reason for which a container waits for what it projects.
const CONFIG_ERROR: &str = "CreateContainerConfigError";

/// How long a Pod must be ready that could not run before: without a readiness probe one that
/// crashes is ready until it does so again.
const STEADY: Duration = Duration::from_secs(10);

/// What is known of a Pod that is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    /// Since when, as far as the operator has seen.
    pub since: Moment,
    /// Why a container could not run when that was last known. Between two crashes nothing tells.
    pub why: Option<Arc<str>>,
    /// Since when it is ready again, though not for long enough.
    ready: Option<Mono>,
}

// === impl Unready ===

impl Unready {
    /// A Pod that is not ready since now.
    #[must_use]
    pub fn new(since: Moment, why: Option<Arc<str>>) -> Self {
        Self {
            since,
            why,
            ready: None,
        }
    }

    /// What is known of a Pod now, given what was known of it before.
    #[must_use]
    pub fn of(pod: &Pod, before: Option<&Self>, now: Moment) -> Option<Self> {
        if !pod.ready {
            let since = before.map_or(now, |before| before.since);
            let why = pod.broken.clone();
            let why = why.or_else(|| before.and_then(|before| before.why.clone()));
            return Some(Self::new(since, why));
        }
        let before = before.filter(|before| before.why.is_some())?;
        let ready = before.ready.unwrap_or(now.mono);
        (now.mono < ready + STEADY).then(|| Self {
            ready: Some(ready),
            ..before.clone()
        })
    }

    /// Why a container can't run, if that doesn't pass by itself.
    pub(super) fn reason(&self, now: Mono) -> Option<&str> {
        let passes =
            |why: &&str| *why == CONFIG_ERROR && now < self.since.mono + CONFIG_ERROR_LASTS;
        self.why.as_deref().filter(|why| !passes(why))
    }

    /// Whether it has lasted longer than it should take.
    pub(super) fn is_lasting(&self, now: Mono) -> bool {
        now >= self.since.mono + PATIENCE
    }

    /// When it counts as something else by itself.
    #[must_use]
    pub fn next(&self, now: Mono) -> Option<Mono> {
        let steady = self.ready.map(|ready| ready + STEADY);
        let since = self.since.mono;
        let times = [
            Some(since + CONFIG_ERROR_LASTS),
            Some(since + PATIENCE),
            steady,
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }
}
