//! Watches that end as soon as they begin.
//!
//! The client library begins a watch anew as soon as it ends in order, however soon
//! that is, and doesn't say so. An API server, or a proxy before it, that ends every
//! watch at once would be asked as fast as it answers, and nobody would know that
//! nothing is watched. So an answer is held back where the one before, on the same
//! path, is younger than `SHORT`; and after `ROW` watches that were so short the
//! library is told 410 Gone in place of the next, which is a failure, and has it list.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::core::Status;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use tower::{Layer, Service};

/// The least time between two watches of one path. One that ends earlier is a short one.
const SHORT: Duration = Duration::from_secs(1);

/// So many short watches in a row are no accident.
const ROW: u32 = 3;

/// Paces the watches of a client. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub(super) struct PaceLayer {
    paths: Arc<Mutex<HashMap<String, Pace>>>,
}

/// What is remembered of the watches of a path.
#[derive(Debug, Default)]
struct Pace {
    /// When the next may begin.
    next: Option<Instant>,
    /// Short ones in a row.
    short: u32,
}

/// The service that [`PaceLayer`] makes.
#[derive(Clone, Debug)]
pub(super) struct PaceService<S> {
    inner: S,
    layer: PaceLayer,
}

/// Notes how long a watch lasted, when its answer is dropped.
struct Lasts {
    layer: PaceLayer,
    path: String,
    begun: Instant,
}

// === impl PaceLayer ===

impl PaceLayer {
    /// When a watch of this path that is asked for now may begin; `None` where it
    /// may not.
    fn begin(&self, path: &str) -> Option<Instant> {
        let now = Instant::now();
        let mut paths = self.paths.lock();
        let pace = paths.entry(path.to_owned()).or_default();
        if pace.short >= ROW {
            // The next one shows whether it is still so.
            pace.short = ROW - 1;
            return None;
        }
        let begin = pace.next.map_or(now, |next| next.max(now));
        pace.next = Some(begin + SHORT);
        Some(begin)
    }

    fn ended(&self, path: &str, lasted: Duration) {
        if let Some(pace) = self.paths.lock().get_mut(path) {
            pace.short = match lasted < SHORT {
                true => pace.short + 1,
                false => 0,
            };
        }
    }
}

impl<S> Layer<S> for PaceLayer {
    type Service = PaceService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PaceService {
            inner,
            layer: self.clone(),
        }
    }
}

impl Drop for Lasts {
    fn drop(&mut self) {
        self.layer.ended(&self.path, self.begun.elapsed());
    }
}

fn is_watch<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.method() == Method::GET && query.split('&').any(|part| part == "watch=true")
}

/// What the API server would say of a version that it has no more.
fn gone<E>() -> Response<UnsyncBoxBody<Bytes, E>> {
    let said = "each watch ends as soon as it begins; listing anew";
    let status = Status::failure(said, "Expired").with_code(410);
    // A status is plain data: that it can't be written as JSON can't happen.
    let body = serde_json::to_vec(&status).unwrap_or_default();
    let body = Full::from(body).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = StatusCode::GONE;
    answer
}

impl<S, A, B> Service<Request<A>> for PaceService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<Bytes, B::Error>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        if !is_watch(&request) {
            let answer = self.inner.call(request);
            return Box::pin(async { Ok(answer.await?.map(B::boxed_unsync)) });
        }
        let path = request.uri().path().to_owned();
        let Some(begin) = self.layer.begin(&path) else {
            return Box::pin(async { Ok(gone()) });
        };
        let layer = self.layer.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            sleep_until(begin).await;
            if !answer.status().is_success() {
                return Ok(answer.map(B::boxed_unsync));
            }
            let lasts = Lasts {
                layer,
                path,
                begun: Instant::now(),
            };
            Ok(answer.map(|body| {
                body.map_frame(move |frame| {
                    // Lives as long as the body does.
                    let _ = &lasts;
                    frame
                })
                .boxed_unsync()
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kube::Client;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;

    const PODS: &str = "/api/v1/pods?watch=true";

    /// A client whose server ends each watch after this time.
    fn client(lasts: Duration) -> (Client, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let server = service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let end = Instant::now() + lasts;
            let silence = futures::stream::once(async move {
                sleep_until(end).await;
                Ok::<_, Infallible>(Bytes::new())
            });
            let body = axum::body::Body::from_stream(silence);
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let client = Client::new(PaceLayer::default().layer(server), "default");
        (client, asked)
    }

    /// The status of an answer, and how long it and its body took.
    async fn get(client: &Client, path: &str) -> (u16, Duration) {
        let begun = Instant::now();
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (head, body) = client.send(request).await.unwrap().into_parts();
        body.collect_bytes().await.unwrap();
        (head.status.as_u16(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn watches_that_end_at_once_begin_once_a_second_and_then_fail() {
        let (client, asked) = client(Duration::ZERO);
        assert_eq!(get(&client, PODS).await, (200, Duration::ZERO));
        // Others don't wait for it.
        let secrets = "/api/v1/secrets?a=b&watch=true";
        assert_eq!(get(&client, secrets).await, (200, Duration::ZERO));
        for _ in 0..2 {
            let list = "/api/v1/pods?limit=500";
            assert_eq!(get(&client, list).await, (200, Duration::ZERO));
        }
        assert_eq!(get(&client, PODS).await, (200, SHORT));
        assert_eq!(get(&client, PODS).await, (200, SHORT));
        let before = asked.load(Ordering::Relaxed);
        assert_eq!(get(&client, PODS).await, (410, Duration::ZERO));
        assert_eq!(asked.load(Ordering::Relaxed), before, "it was asked");
        // Each that is short is followed by a failure, until one is not.
        assert_eq!(get(&client, PODS).await, (200, SHORT));
        assert_eq!(get(&client, PODS).await, (410, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn watches_that_last_begin_at_once() {
        let (client, _) = client(SHORT);
        for _ in 0..10 {
            assert_eq!(get(&client, PODS).await, (200, SHORT));
        }
    }
}
