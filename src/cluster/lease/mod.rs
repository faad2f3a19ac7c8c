//! Leader election on a `coordination.k8s.io/v1` Lease, as client-go does it.
//!
//! The holder renews every `retry_period` and stops acting as the leader when
//! `renew_deadline` has passed since it sent the last accepted renewal. Others
//! take over when the record has not changed for the holder's lease duration,
//! by their own monotonic clock, or at once when the holder gave it up. Every
//! write carries the resourceVersion it is based on, so of two candidates one
//! gets a conflict.
//!
//! As with client-go this is no fence: a leader that sleeps in the middle of a
//! write wakes up late. The writes that matter carry preconditions of their own.
//! (The monotonic clock stands still while a whole machine is suspended; the
//! same preconditions cover that.)

mod config;
mod election;
mod leadership;

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::config::{LeaseConfig, LeaseConfigError};
use self::election::{Claim, Election};
pub use self::leadership::Leadership;
use crate::cluster::client::error::{describe, describe_watch};

/// However fast a Lease changes, this much lies between two attempts to get it.
const MIN_GAP: Duration = Duration::from_millis(250);

/// A candidate for the Lease.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    config: LeaseConfig,
    election: Election,
    leadership: watch::Sender<Leadership>,
}

impl Candidate {
    /// A candidate, and where it publishes who leads. (The value of a leader
    /// changes with each renewal.) Give it a client of its own: one that waits
    /// for a rate limit renews too late.
    ///
    /// # Errors
    /// Where the durations don't fit together.
    pub fn new(
        client: Client,
        config: LeaseConfig,
    ) -> Result<(Self, watch::Receiver<Leadership>), LeaseConfigError> {
        config.check()?;
        let (leadership, receiver) = watch::channel(Leadership::Unknown);
        let candidate = Self {
            api: Api::namespaced(client, &config.namespace),
            election: Election::new(config.clone()),
            config,
            leadership,
        };
        Ok((candidate, receiver))
    }

    /// Acquires and renews until `shutdown` resolves, then gives the Lease up,
    /// so that a standby takes over at once: resolve it after the last write.
    ///
    /// A leadership that lapses is not the end: the candidate stands by and
    /// tries again. Returns within two request timeouts after the shutdown.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut changes = None;
        loop {
            let begun = Instant::now();
            self.attempt(begun + self.config.request_timeout).await;
            self.publish();
            let now = Instant::now();
            // Only a standby watches. A leader's next renewal tells it enough,
            // and a new watch has nothing stale in it.
            if self.election.is_leading(now) {
                changes = None;
            } else if changes.is_none() {
                changes = Some(self.watch());
            }
            let mut wake = self.election.next_attempt(now, crate::random::unit());
            loop {
                tokio::select! {
                    biased;
                    () = &mut shutdown => {
                        self.release().await;
                        return;
                    }
                    () = sleep_until(wake) => break,
                    Some(event) = next(&mut changes) => {
                        let now = Instant::now();
                        if self.notice(event, now) {
                            wake = if self.election.is_free() {
                                now.max(begun + MIN_GAP)
                            } else {
                                // The watch works, so the next poll can wait its full time.
                                self.election.next_attempt(now, crate::random::unit())
                            };
                        }
                    }
                }
            }
            self.publish();
        }
    }

    /// One attempt to renew or to get the Lease.
    ///
    /// Never cancelled by a shutdown: an acquisition whose answer is lost would
    /// block the others for a lease duration.
    async fn attempt(&mut self, deadline: Instant) {
        let now = Instant::now();
        // Past the renew deadline a leader has to say so, however slow the server is.
        let deadline = self
            .election
            .leading_until()
            .filter(|until| now < *until)
            .map_or(deadline, |u| u.min(deadline));
        if let Some(lease) = self.election.renewal(now, Timestamp::now())
            && self.replace(*lease, deadline).await
        {
            return;
        }
        if !self.read(deadline).await {
            return;
        }
        match self.election.claim(Instant::now(), Timestamp::now()) {
            Claim::Create(lease) => {
                let sent = Instant::now();
                let written = self
                    .request(deadline, self.api.create(&PostParams::default(), &lease))
                    .await;
                self.written(written, sent);
            }
            Claim::Replace(lease) => {
                self.replace(*lease, deadline).await;
            }
            Claim::Held(_) => {}
        }
    }

    /// Reads the Lease; whether that worked.
    async fn read(&mut self, deadline: Instant) -> bool {
        match self
            .request(deadline, self.api.get_opt(&self.config.name))
            .await
        {
            Some(lease) => {
                self.election.observe(lease, Instant::now());
                true
            }
            None => false,
        }
    }

    /// Replaces the Lease; whether that worked.
    async fn replace(&mut self, lease: Lease, deadline: Instant) -> bool {
        let sent = Instant::now();
        let written = self
            .request(
                deadline,
                self.api
                    .replace(&self.config.name, &PostParams::default(), &lease),
            )
            .await;
        self.written(written, sent)
    }

    fn written(&mut self, written: Option<Lease>, sent: Instant) -> bool {
        let Some(lease) = written else {
            return false;
        };
        self.election.accepted(lease, sent, Instant::now());
        true
    }

    /// The request's result, or nothing where it failed or took too long.
    async fn request<T>(
        &self,
        deadline: Instant,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Option<T> {
        let problem = match timeout_at(deadline, request).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => describe(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            namespace = self.config.namespace,
            lease = self.config.name,
            "lease request failed: {problem}"
        );
        None
    }

    /// Gives the Lease up if it is ours. A failed try, a conflict among them,
    /// is followed by one with what is read then.
    async fn release(&mut self) {
        let deadline = Instant::now() + self.config.request_timeout;
        // Nobody may write from here on, whether or not the release arrives.
        self.leadership
            .send_replace(Leadership::Standby { holder: None });
        for _ in 0..2 {
            let Some(lease) = self.election.release(Timestamp::now()) else {
                return;
            };
            if self.replace(*lease, deadline).await {
                tracing::info!(lease = self.config.name, "gave up the lease");
                return;
            }
            if !self.read(deadline).await {
                return;
            }
        }
    }

    /// Events of this one Lease. Polling goes on beside it, so a watch that
    /// fails costs time only.
    fn watch(&self) -> BoxStream<'static, watcher::Result<watcher::Event<Lease>>> {
        let config =
            watcher::Config::default().fields(&format!("metadata.name={}", self.config.name));
        watcher(self.api.clone(), config).default_backoff().boxed()
    }

    /// Takes in an event; whether it told something of the Lease.
    fn notice(&mut self, event: watcher::Result<watcher::Event<Lease>>, now: Instant) -> bool {
        match event {
            // A server that ignores the field selector must not confuse us.
            Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease))
                if lease.name_any() == self.config.name =>
            {
                self.election.observe(Some(lease), now);
                true
            }
            Ok(watcher::Event::Delete(lease)) if lease.name_any() == self.config.name => {
                self.election.observe(None, now);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(
                    lease = self.config.name,
                    "lease watch: {}",
                    describe_watch(&error)
                );
                false
            }
        }
    }

    /// Tells everybody, and the log where the role changes.
    fn publish(&self) {
        let now = Instant::now();
        let new = self.election.leadership(now);
        let old = self.leadership.send_replace(new.clone());
        let (identity, lease) = (&self.config.identity, &self.config.name);
        match (&old, &new) {
            (Leadership::Leader { .. }, Leadership::Leader { .. }) => {}
            (_, Leadership::Leader { .. }) => tracing::info!(identity, lease, "leading"),
            (Leadership::Leader { .. }, _) => tracing::warn!(identity, lease, "no longer leading"),
            (old, Leadership::Standby { holder }) if old != &new => {
                tracing::info!(identity, lease, holder, "standing by");
            }
            _ => {}
        }
    }
}

/// The next event, or never where there is no watch.
async fn next<T>(stream: &mut Option<BoxStream<'static, T>>) -> Option<T> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
