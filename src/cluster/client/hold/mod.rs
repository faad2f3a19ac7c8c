//! `Retry-After`: the API server asks not to be called for a while.
//!
//! Priority and fairness answers 429 to too many requests of one user and says when to try
//! again. A watch that is refused has a backoff of its own, which may end sooner, and so do
//! all other watches of the client. This layer sends none of them before that time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::{Layer, Service};

/// Maximum wait, whatever the answer says.
const LONGEST: Duration = Duration::from_secs(60);

/// Holds back all requests of a client until the time that an answer to one of them named.
/// Clones share this time.
#[derive(Clone, Debug, Default)]
pub(super) struct HoldLayer {
    until: Arc<Mutex<Option<Instant>>>,
}

/// Service of [`HoldLayer`].
#[derive(Debug)]
pub(super) struct HoldService<S> {
    inner: S,
    layer: HoldLayer,
    sleep: Option<Pin<Box<Sleep>>>,
}

// === impl HoldLayer ===

impl HoldLayer {
    fn note<B>(&self, answer: &Response<B>) {
        if answer.status() != StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        let told = answer.headers().get(RETRY_AFTER);
        let seconds = told.and_then(|told| told.to_str().ok()?.parse().ok());
        if let Some(seconds) = seconds {
            let until = Instant::now() + Duration::from_secs(seconds).min(LONGEST);
            let mut longest = self.until.lock();
            *longest = (*longest).max(Some(until));
        }
    }
}

impl<S> Layer<S> for HoldLayer {
    type Service = HoldService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HoldService {
            inner,
            layer: self.clone(),
            sleep: None,
        }
    }
}

impl<S, A, B> Service<Request<A>> for HoldService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let until = *self.layer.until.lock();
        if let Some(until) = until.filter(|until| *until > Instant::now()) {
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            sleep.as_mut().reset(until);
            ready!(sleep.as_mut().poll(cx));
        }
        self.sleep = None;
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let layer = self.layer.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            layer.note(&answer);
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests;
