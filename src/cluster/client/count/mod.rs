//! Counts and times requests to the API server.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::telemetry::metrics::ApiMetrics;

/// Counts and times each request to the API server.
#[derive(Debug, Clone)]
pub struct CountLayer {
    metrics: ApiMetrics,
}

impl CountLayer {
    /// Makes a layer that counts into these metrics.
    #[must_use]
    pub fn new(metrics: ApiMetrics) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count {
            inner,
            metrics: self.metrics.clone(),
        }
    }
}

/// Service of [`CountLayer`].
#[derive(Debug, Clone)]
pub struct Count<S> {
    inner: S,
    metrics: ApiMetrics,
}

impl<S, B> Service<Request<Body>> for Count<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let pending = Pending {
            metrics: self.metrics.clone(),
            verb: verb(&request),
            path: request.uri().path().to_owned(),
            // This counts if the caller's timeout drops the request.
            code: "cancelled",
            sent: Instant::now(),
        };
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            pending.ended(
                answer
                    .as_ref()
                    .map_or("error", |response| class(response.status())),
            );
            answer
        })
    }
}

/// A request under way. It is counted when it ends in any way.
struct Pending {
    metrics: ApiMetrics,
    verb: &'static str,
    path: String,
    code: &'static str,
    sent: Instant,
}

impl Pending {
    fn ended(mut self, code: &'static str) {
        self.code = code;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let (verb, code, took) = (self.verb, self.code, self.sent.elapsed());
        tracing::debug!(
            verb,
            path = self.path,
            code,
            milliseconds = took.as_millis(),
            "api request"
        );
        self.metrics.answered(verb, code, took);
    }
}

/// The verb as in audit logs, from the name that kube gives a request or from the method.
fn verb(request: &Request<Body>) -> &'static str {
    let operation = request
        .extensions()
        .get::<&'static str>()
        .copied()
        .unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    match *request.method() {
        Method::GET
            if operation.starts_with("watch") || query.split('&').any(|p| p == "watch=true") =>
        {
            "watch"
        }
        Method::GET if operation.starts_with("list") => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if operation == "delete_collection" => "deletecollection",
        Method::DELETE => "delete",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        409 => "409",
        429 => "429",
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests;
