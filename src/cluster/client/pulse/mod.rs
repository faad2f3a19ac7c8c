//! Facts from the API server's answers besides their content: its time, and that the
//! connection to it is alive.
//!
//! A quiet watch yields no events for hours, and the client library doesn't pass on
//! bookmarks. So liveness is observed where every answer passes: in a [`tower::Layer`]
//! around the client's service.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::DATE;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use jiff::fmt::rfc2822;
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::core::time::ServerTime;

/// Newest `Date` of an answer.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<Option<Sample>>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    date: ServerTime,
    at: Instant,
}

/// Time of the last data from the API server on one path.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Mutex<Instant>>);

/// Notes the `Date` of every answer and the pulse of every watched path. Clones share
/// these.
#[derive(Clone, Debug, Default)]
pub struct PulseLayer {
    clock: ServerClock,
    pulses: Arc<RwLock<HashMap<String, Pulse>>>,
}

/// Service of [`PulseLayer`].
#[derive(Clone, Debug)]
pub struct PulseService<S> {
    inner: S,
    layer: PulseLayer,
}

// === impl ServerClock ===

impl ServerClock {
    /// The API server's time; `None` before the first answer. It is never ahead of the real
    /// one, and behind by less than a second plus the duration of an answer. It may step back
    /// by as much.
    #[must_use]
    pub fn now(&self) -> Option<ServerTime> {
        let sample = (*self.0.lock())?;
        sample.date.checked_add(sample.at.elapsed()).ok()
    }

    /// Notes a `Date`. If API servers disagree, the newest counts.
    fn note(&self, date: ServerTime) {
        let mut sample = self.0.lock();
        if sample.is_none_or(|sample| date > sample.date) {
            *sample = Some(Sample {
                date,
                at: Instant::now(),
            });
        }
    }
}

/// `Date` of an answer.
pub(in crate::cluster) fn date(headers: &HeaderMap) -> Option<ServerTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

// === impl Pulse ===

impl Pulse {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Notes that data came.
    pub fn beat(&self) {
        *self.0.lock() = Instant::now();
    }

    /// Time of the last data; if none has come, the time at which the pulse was made.
    #[must_use]
    pub fn last(&self) -> Instant {
        *self.0.lock()
    }

    /// Time since the last data.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.last().elapsed()
    }
}

// === impl PulseLayer ===

impl PulseLayer {
    /// The API server's clock.
    #[must_use]
    pub fn clock(&self) -> ServerClock {
        self.clock.clone()
    }

    /// The pulse of one path. It beats with each successful answer to a `GET` of exactly
    /// this path, and with every part of the body.
    #[must_use]
    pub fn pulse(&self, path: &str) -> Pulse {
        let mut pulses = self.pulses.write();
        pulses
            .entry(path.to_owned())
            .or_insert_with(Pulse::new)
            .clone()
    }
}

impl<S> Layer<S> for PulseLayer {
    type Service = PulseService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        PulseService {
            inner,
            layer: self.clone(),
        }
    }
}

impl PulseLayer {
    fn pulse_of<B>(&self, request: &Request<B>) -> Option<Pulse> {
        let watched = request.method() == Method::GET;
        watched.then(|| self.pulses.read().get(request.uri().path()).cloned())?
    }
}

impl<S, A, B> Service<Request<A>> for PulseService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: BodyExt + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<B::Data, B::Error>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let clock = self.layer.clock();
        let pulse = self.layer.pulse_of(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(date) = date(answer.headers()) {
                clock.note(date);
            }
            let pulse = pulse.filter(|_| answer.status().is_success());
            let beat = move || {
                if let Some(pulse) = &pulse {
                    pulse.beat();
                }
            };
            beat();
            Ok(answer.map(|body| {
                body.map_frame(move |frame| {
                    beat();
                    frame
                })
                .boxed_unsync()
            }))
        })
    }
}

#[cfg(test)]
mod tests;
