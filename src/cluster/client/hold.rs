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
mod tests {
    use std::convert::Infallible;

    use kube::Client;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    /// Asks two times, the first of which is refused like this. Returns how long the
    /// second took.
    async fn second(status: StatusCode, retry_after: &'static str) -> Duration {
        let mut refused = false;
        let server = service_fn(move |_: Request<Body>| {
            let mut answer = Response::new(Body::empty());
            if !std::mem::replace(&mut refused, true) {
                *answer.status_mut() = status;
                let told = http::HeaderValue::from_static(retry_after);
                answer.headers_mut().insert(RETRY_AFTER, told);
            }
            async { Ok::<_, Infallible>(answer) }
        });
        let client = Client::new(HoldLayer::default().layer(server), "default");
        let get = |path| client.send(Request::get(path).body(Body::empty()).unwrap());
        assert_eq!(get("/api/v1/pods").await.unwrap().status(), status);
        let begun = Instant::now();
        assert_eq!(get("/api/v1/secrets").await.unwrap().status(), 200);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_before_the_time_that_was_told() {
        let told = second(StatusCode::TOO_MANY_REQUESTS, "7").await;
        assert!(told >= Duration::from_secs(7), "{told:?}");
        assert!(told < Duration::from_secs(8), "{told:?}");
        let bounded = second(StatusCode::TOO_MANY_REQUESTS, "86400").await;
        assert!(bounded < LONGEST + Duration::from_secs(1), "{bounded:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn others_answers_hold_nothing_back() {
        let moment = Duration::from_millis(1);
        assert!(second(StatusCode::TOO_MANY_REQUESTS, "soon").await < moment);
        assert!(second(StatusCode::SERVICE_UNAVAILABLE, "7").await < moment);
    }
}
