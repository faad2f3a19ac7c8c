//! A limit on the number of requests started in a second.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service};

/// A token bucket. After a pause as many requests may start at once as are allowed in a
/// second, so that a few never wait; the others follow evenly. Requests start in the order in
/// which they come.
#[derive(Clone, Debug)]
pub(super) struct RateLimit {
    /// Time between two requests of a steady stream.
    interval: Duration,
    /// Time at which the bucket is full again; shared by all clones.
    full_at: Arc<Mutex<Instant>>,
}

/// Service of [`RateLimit`].
#[derive(Clone, Debug)]
pub(super) struct RateLimited<S> {
    inner: S,
    limit: RateLimit,
}

/// Time of a steady stream that a full bucket lets through at once.
const BURST: Duration = Duration::from_secs(1);

impl RateLimit {
    /// Makes a limit of this number in a second; 0 counts as 1.
    #[must_use]
    pub(super) fn new(per_second: u64) -> Self {
        let per_second = u32::try_from(per_second).unwrap_or(u32::MAX).max(1);
        Self {
            interval: BURST / per_second,
            full_at: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Takes a token, and returns the time at which the request may start.
    fn take(&self, now: Instant) -> Instant {
        let mut full_at = self.full_at.lock();
        *full_at = now.max(*full_at) + self.interval;
        now.max(full_at.checked_sub(BURST).unwrap_or(now))
    }
}

impl<S> Layer<S> for RateLimit {
    type Service = RateLimited<S>;

    fn layer(&self, inner: S) -> RateLimited<S> {
        RateLimited {
            inner,
            limit: self.clone(),
        }
    }
}

impl<S, R> Service<R> for RateLimited<S>
where
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // Call the service that is ready; its clone may not be.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let start = self.limit.take(Instant::now());
        Box::pin(async move {
            sleep_until(start).await;
            inner.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In how many milliseconds so many requests that come together start.
    fn starts(limit: &RateLimit, requests: usize) -> Vec<u128> {
        let now = Instant::now();
        let starts = (0..requests).map(|_| limit.take(now).duration_since(now).as_millis());
        starts.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_starts_at_once_and_more_than_that_evenly() {
        let limit = RateLimit::new(4);
        assert_eq!(starts(&limit, 7), [0, 0, 0, 0, 250, 500, 750]);
        // What was let through ahead is waited for.
        tokio::time::advance(Duration::from_millis(1_250)).await;
        assert_eq!(starts(&limit, 4), [0, 0, 250, 500]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(starts(&limit, 5), [0, 0, 0, 0, 250]);
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_the_limit() {
        let limit = RateLimit::new(1);
        assert_eq!(starts(&limit.clone(), 1), [0]);
        assert_eq!(starts(&limit, 1), [1_000]);
    }
}
