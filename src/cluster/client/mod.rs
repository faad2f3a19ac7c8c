//! Clients of the API server: what they share, and what is counted of them.

pub mod count;
pub mod error;
pub(super) mod exchange;
mod hold;
mod pace;
pub mod pulse;
mod rate_limit;

use std::time::Duration;

use kube::client::ClientBuilder;
use kube::client::retry::RetryPolicy;
use kube::{Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::util::option_layer;

use self::count::CountLayer;
use self::error::describe;
use self::hold::HoldLayer;
use self::pace::PaceLayer;
use self::pulse::PulseLayer;
use self::rate_limit::RateLimit;
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
pub struct ClientOptions {
    /// A watch connection on which nothing arrives for so long is closed.
    /// Bookmarks arrive about once a minute.
    pub watch_idle: Duration,
    /// Reads and writes started in a second, at most; after a pause so many at once.
    /// None: no limit.
    pub requests_per_second: Option<u64>,
    /// The most a connection may take to be made.
    pub connect_timeout: Duration,
}

impl Default for ClientOptions {
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
        options: &ClientOptions,
        metrics: &ApiMetrics,
        pulses: &PulseLayer,
    ) -> Result<Self, ClientError> {
        let count = CountLayer::new(metrics.clone());
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
                .with_layer(&count)
                .with_layer(&HoldLayer::default())
                .with_layer(pulses)
                .with_layer(&PaceLayer::default())
                .build(),
            requests: builder(config.clone())?
                .with_layer(&count)
                // What follows needs a service that can be cloned.
                .with_layer(&BufferLayer::new(BUFFERED_REQUESTS))
                .with_layer(&option_layer(limit))
                .with_layer(&RetryLayer::new(retry))
                .with_layer(pulses)
                .build(),
            lease: builder(config)?
                .with_layer(&count)
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

#[cfg(test)]
mod tests;
