//! Watches that end as soon as they begin.
//!
//! When a watch ends in order, the client library begins it anew at once and reports
//! nothing. If an API server, or a proxy in front of it, ends every watch immediately, the
//! library would ask as fast as it is answered, and nobody would know that nothing is
//! watched. So this layer holds an answer back if the one before it on the same path is
//! younger than `SHORT`. After `ROW` such short watches it answers the next one with 410
//! Gone itself, which counts as a failure and makes the library list again.

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

/// Minimum time between two watches of one path. A watch that ends earlier is short.
const SHORT: Duration = Duration::from_secs(1);

/// Number of short watches in a row that count as a failure.
const ROW: u32 = 3;

/// Paces the watches of a client. Clones share their memory.
#[derive(Clone, Debug, Default)]
pub(super) struct PaceLayer {
    paths: Arc<Mutex<HashMap<String, Pace>>>,
}

/// Memory of the watches of one path.
#[derive(Debug, Default)]
struct Pace {
    /// Time at which the next watch may begin.
    next: Option<Instant>,
    /// Number of short watches in a row.
    short: u32,
}

/// Service of [`PaceLayer`].
#[derive(Clone, Debug)]
pub(super) struct PaceService<S> {
    inner: S,
    layer: PaceLayer,
}

/// Notes the duration of a watch when its answer is dropped.
struct Lasts {
    layer: PaceLayer,
    path: String,
    begun: Instant,
}

// === impl PaceLayer ===

impl PaceLayer {
    /// Time at which a watch of this path that is requested now may begin; `None` if it may
    /// not.
    fn begin(&self, path: &str) -> Option<Instant> {
        let now = Instant::now();
        let mut paths = self.paths.lock();
        let pace = paths.entry(path.to_owned()).or_default();
        if pace.short >= ROW {
            // The next watch shows whether they are still short.
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

/// The API server's answer for a version that it no longer has.
fn gone<E>() -> Response<UnsyncBoxBody<Bytes, E>> {
    let said = "each watch ends as soon as it begins; listing anew";
    let status = Status::failure(said, "Expired").with_code(410);
    // A status is plain data, so writing it as JSON can't fail.
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
                    // This lives as long as the body.
                    let _ = &lasts;
                    frame
                })
                .boxed_unsync()
            }))
        })
    }
}

#[cfg(test)]
mod tests;
