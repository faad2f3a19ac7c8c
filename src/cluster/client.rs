//! Clients of the API server: what they share, and what is counted of them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tokio::time::Instant;
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::util::option_layer;
use tower::{Layer, Service};

use super::rate_limit::RateLimit;
use crate::cluster::error::describe;
use crate::cluster::hold::HoldLayer;
use crate::cluster::pace::PaceLayer;
use crate::cluster::pulse::PulseLayer;
use crate::telemetry::metrics::ApiMetrics;

/// How many requests may be on their way before more are held back.
const BUFFERED_REQUESTS: usize = 1024;

/// Tries after the first that a request of [`Clients::requests`] makes on 429,
/// 503 and 504, as far as the caller's timeout allows.
const RETRIES: u32 = 3;

/// One client for each kind of use, so that none waits behind another.
#[derive(Clone)]
pub struct Clients {
    /// For watches and their lists: without a rate limit, but after a 429 none is sent
    /// before `Retry-After` says.
    pub watches: Client,
    /// For reads and writes: rate limited, and tried again on 429, 503 and 504
    /// no sooner than `Retry-After` says. Put a timeout around each request.
    pub requests: Client,
    /// For leader election: fails fast, and never waits for anything else.
    pub lease: Client,
}

/// How the clients behave.
#[derive(Debug, Clone)]
pub struct Options {
    /// A watch connection on which nothing arrives for so long is closed.
    /// Bookmarks arrive about once a minute.
    pub watch_idle: Duration,
    /// Reads and writes started in a second, at most; after a pause so many at once.
    /// None: no limit.
    pub requests_per_second: Option<u64>,
    /// The most a connection may take to be made.
    pub connect_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            watch_idle: Duration::from_secs(150),
            requests_per_second: Some(500),
            connect_timeout: Duration::from_secs(5),
        }
    }
}

/// The clients could not be made.
#[derive(Debug, thiserror::Error)]
#[error("can't make a client of the API server: {0}")]
pub struct ClientError(String);

impl Clients {
    /// Makes the clients, each with `pulses` around it. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the configuration's certificates or credentials are unusable.
    pub fn new(
        config: &Config,
        options: &Options,
        metrics: &ApiMetrics,
        pulses: &PulseLayer,
    ) -> Result<Self, ClientError> {
        let metrics = CountLayer {
            metrics: metrics.clone(),
        };
        let mut config = config.clone();
        config.connect_timeout = Some(options.connect_timeout);
        // Its retries go on for up to 1000 s, beyond any timeout of ours.
        config.default_retry = false;

        let mut watches = config.clone();
        watches.read_timeout = Some(options.watch_idle);
        watches.reset_reader_on_write = true;

        let limit = options.requests_per_second.map(RateLimit::new);
        let retry = RetryPolicy::new(
            Duration::from_millis(200),
            Duration::from_secs(5),
            RETRIES,
            true,
        )
        .map_err(|error| ClientError(error.to_string()))?;
        let builder =
            |config| ClientBuilder::try_from(config).map_err(|error| ClientError(describe(&error)));
        Ok(Self {
            watches: builder(watches)?
                .with_layer(&metrics)
                .with_layer(&HoldLayer::default())
                .with_layer(pulses)
                .with_layer(&PaceLayer::default())
                .build(),
            requests: builder(config.clone())?
                .with_layer(&metrics)
                // What follows needs a service that can be cloned.
                .with_layer(&BufferLayer::new(BUFFERED_REQUESTS))
                .with_layer(&option_layer(limit))
                .with_layer(&RetryLayer::new(retry))
                .with_layer(pulses)
                .build(),
            lease: builder(config)?
                .with_layer(&metrics)
                .with_layer(pulses)
                .with_layer(&PaceLayer::default())
                .build(),
        })
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

/// Counts and times each request to the API server.
#[derive(Debug, Clone)]
pub struct CountLayer {
    metrics: ApiMetrics,
}

impl CountLayer {
    /// Counts into these.
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

/// The service of [`CountLayer`].
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
            // Stays where the caller's timeout drops the request.
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

/// A request under way; counted when it ends, however it does.
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

/// The verb as audit logs have it, of the name that kube gives its requests or else by method.
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
