//! Facts from the API server's answers besides their content: its time, and that the
//! connection to it is alive.
//!
//! A quiet watch yields no events for hours, and the client library doesn't pass on
//! bookmarks. So life is observed where the data of every answer passes: in a [`tower::Layer`]
//! around the client's service.

use std::collections::{HashMap, VecDeque};
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

/// Number of answers that the API server's time is the median of.
const SAMPLES: usize = 5;

/// The `Date` of the last answers.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<VecDeque<Sample>>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    date: ServerTime,
    at: Instant,
}

/// Times of the last signs of life on one path.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Mutex<Signs>>);

#[derive(Clone, Copy, Debug)]
struct Signs {
    /// When a watch was accepted last. That alone is no life: one from a version that does not
    /// exist is accepted too, and hangs.
    accepted: Instant,
    /// When a watch showed something last: an event or a bookmark.
    shown: Instant,
    /// When data came last, of a list or of a watch.
    data: Instant,
    /// The highest version of a bookmark.
    bookmark: u64,
}

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
    /// by as much. If API servers disagree, most of the last answers count, so that it follows
    /// a clock that is set, in either direction.
    #[must_use]
    pub fn now(&self) -> Option<ServerTime> {
        let samples = self.0.lock();
        let told = |sample: &Sample| sample.date.checked_add(sample.at.elapsed()).ok();
        let mut told: Vec<ServerTime> = samples.iter().filter_map(told).collect();
        told.sort_unstable();
        told.get(told.len().saturating_sub(1) / 2).copied()
    }

    /// Notes a `Date`.
    fn note(&self, date: ServerTime) {
        let mut samples = self.0.lock();
        samples.truncate(SAMPLES - 1);
        samples.push_front(Sample {
            date,
            at: Instant::now(),
        });
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
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Signs {
            accepted: now,
            shown: now,
            data: now,
            bookmark: 0,
        })))
    }

    /// Notes that a watch was accepted.
    fn accept(&self) {
        self.0.lock().accepted = Instant::now();
    }

    /// Notes that data of a list came.
    fn beat(&self) {
        self.0.lock().data = Instant::now();
    }

    /// Notes that a watch showed something.
    pub fn show(&self, data: &[u8]) {
        let now = Instant::now();
        let mut signs = self.0.lock();
        (signs.data, signs.shown) = (now, now);
        signs.bookmark = signs.bookmark.max(bookmark(data).unwrap_or_default());
    }

    /// Takes the highest version of a bookmark: the next one counts from 0.
    #[must_use]
    pub fn take_bookmark(&self) -> u64 {
        std::mem::take(&mut self.0.lock().bookmark)
    }

    /// Time of the last answer or data.
    #[must_use]
    pub fn answered(&self) -> Instant {
        let signs = *self.0.lock();
        signs.accepted.max(signs.data)
    }

    /// Time since a watch was accepted or showed something.
    #[must_use]
    pub fn since_accepted(&self) -> Duration {
        let signs = *self.0.lock();
        signs.accepted.max(signs.shown).elapsed()
    }

    /// Time since a watch showed something.
    #[must_use]
    pub fn since_shown(&self) -> Duration {
        self.0.lock().shown.elapsed()
    }

    /// Time of the last data; if none has come, the time at which the pulse was made.
    #[must_use]
    pub fn last(&self) -> Instant {
        self.0.lock().data
    }

    /// Time since the last data.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.last().elapsed()
    }
}

/// The version of a bookmark, where data begins with one: the client library doesn't tell it.
fn bookmark(data: &[u8]) -> Option<u64> {
    let text = str::from_utf8(data).ok()?;
    let line = text
        .strip_prefix(r#"{"type":"BOOKMARK","#)?
        .lines()
        .next()?;
    let (_, version) = line.split_once(r#""resourceVersion":""#)?;
    version.split_once('"')?.0.parse().ok()
}

// === impl PulseLayer ===

impl PulseLayer {
    /// The API server's clock.
    #[must_use]
    pub fn clock(&self) -> ServerClock {
        self.clock.clone()
    }

    /// The pulse of one path. It beats with every part of the body of a successful answer to a
    /// `GET` of exactly this path.
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
    B: BodyExt<Data: AsRef<[u8]>> + Send + 'static,
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
        let query = request.uri().query().unwrap_or_default();
        let watches = query.split('&').any(|one| one == "watch=true");
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if let Some(date) = date(answer.headers()) {
                clock.note(date);
            }
            let pulse = pulse.filter(|_| answer.status().is_success());
            if let Some(pulse) = pulse.as_ref().filter(|_| watches) {
                pulse.accept();
            }
            Ok(answer.map(|body| {
                body.map_frame(move |frame| {
                    match (&pulse, frame.data_ref()) {
                        (Some(pulse), Some(data)) if watches => pulse.show(data.as_ref()),
                        (Some(pulse), _) => pulse.beat(),
                        (None, _) => {}
                    }
                    frame
                })
                .boxed_unsync()
            }))
        })
    }
}

#[cfg(test)]
mod tests;
