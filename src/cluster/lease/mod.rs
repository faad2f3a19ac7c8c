//! Leader election on a `coordination.k8s.io/v1` Lease, as client-go does it.
//!
//! The holder renews every `retry_period` and stops acting as the leader when
//! `renew_deadline` has passed since it sent the last accepted renewal. Others
//! take over when the record has not changed for the holder's lease duration,
//! by their own monotonic clock, or at once when the holder gave it up. Every
//! write carries the resourceVersion it is based on, so one of two candidates
//! gets a conflict.
//!
//! Like client-go's election this is no fence: a leader that sleeps in the middle
//! of a write may finish it too late. The writes that matter have preconditions of
//! their own. (These also help when a whole machine is suspended, during which the
//! monotonic clock stands still.)

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
pub use self::leadership::{Leadership, lapse};
use crate::cluster::client::error::{describe, describe_watch};

/// Minimum time between two attempts to get the Lease, however often it changes.
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
    /// Makes a candidate, and a channel on which it publishes who leads. (A leader
    /// publishes a new value with each renewal.) Give it a client of its own: a client
    /// that waits for a rate limit renews too late.
    ///
    /// # Errors
    /// If the durations don't fit together.
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

    /// Acquires and renews the Lease until `shutdown` resolves, then gives it up, so that
    /// a standby takes over at once. Resolve `shutdown` after the last write.
    ///
    /// If leadership lapses, the candidate stands by and tries again. Returns within two
    /// request timeouts after the shutdown.
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

    /// Tries once to renew or to get the Lease.
    ///
    /// A shutdown doesn't cancel it: an acquisition whose answer is lost would block the
    /// others for a lease duration.
    async fn attempt(&mut self, deadline: Instant) {
        let now = Instant::now();
        // After the renew deadline a leader must stop, however slow the server is.
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

    /// Reads the Lease, and returns whether that worked.
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

    /// Replaces the Lease, and returns whether that worked.
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

    /// The result of a request, or `None` if it failed or took too long.
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

    /// Gives the Lease up if this replica holds it. After a failure, such as a conflict, it
    /// reads the Lease and tries once more.
    async fn release(&mut self) {
        let deadline = Instant::now() + self.config.request_timeout;
        // From here on this replica may not write, whether or not the release arrives.
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

    /// Events of this Lease. The candidate polls too, so a watch that fails only costs
    /// time.
    fn watch(&self) -> BoxStream<'static, watcher::Result<watcher::Event<Lease>>> {
        let config =
            watcher::Config::default().fields(&format!("metadata.name={}", self.config.name));
        watcher(self.api.clone(), config).default_backoff().boxed()
    }

    /// Takes in an event, and returns whether it was about the Lease.
    fn notice(&mut self, event: watcher::Result<watcher::Event<Lease>>, now: Instant) -> bool {
        match event {
            // A server may ignore the field selector.
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

    /// Publishes who leads, and logs a change of role.
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

/// The next event; never resolves without a watch.
async fn next<T>(stream: &mut Option<BoxStream<'static, T>>) -> Option<T> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
