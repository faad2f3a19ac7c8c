//! Clients of the API server, with the layers around them.

pub mod count;
pub mod error;
pub(super) mod exchange;
mod hold;
mod lists;
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
use self::lists::ListLayer;
use self::pace::PaceLayer;
use self::pulse::PulseLayer;
use self::rate_limit::RateLimit;
use crate::telemetry::metrics::ApiMetrics;

/// Number of requests that may wait in a client before callers are held back.
const BUFFERED_REQUESTS: usize = 1024;

/// Number of further attempts of a request of [`Clients::requests`] after a 429, 503 or
/// 504, if the caller's timeout allows.
const RETRIES: u32 = 3;

/// Clients for different uses, so that none waits for another.
#[derive(Clone)]
pub struct Clients {
    /// Client for watches and their lists. It has no rate limit, but after a 429 it sends
    /// nothing before the time in `Retry-After`.
    pub watches: Client,
    /// Client for reads and writes. It is rate limited, and after a 429, 503 or 504 tries
    /// again, not before the time in `Retry-After`. Put a timeout around each request.
    pub requests: Client,
    /// Client for leader election. It fails fast and never waits for other requests.
    pub lease: Client,
}

/// Settings of the clients.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Time without data after which a watch connection is closed. Bookmarks come about
    /// once a minute.
    pub watch_idle: Duration,
    /// Maximum number of reads and writes started in a second, and at once after a pause;
    /// `None` for no limit.
    pub requests_per_second: Option<u64>,
    /// Maximum time to make a connection.
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

/// Reason why the clients can't be made.
#[derive(Debug, thiserror::Error)]
#[error("can't make a client of the API server: {0}")]
pub struct ClientError(String);

impl Clients {
    /// Makes the clients, each of which reports to `pulses`. Nothing is sent yet.
    ///
    /// # Errors
    /// If the certificates or credentials in the configuration are unusable.
    pub fn new(
        config: &Config,
        options: &ClientOptions,
        metrics: &ApiMetrics,
        pulses: &PulseLayer,
    ) -> Result<Self, ClientError> {
        let count = CountLayer::new(metrics.clone());
        let mut config = config.clone();
        config.connect_timeout = Some(options.connect_timeout);
        // kube's own retries go on for up to 1000 s, beyond any timeout here.
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
                .with_layer(&ListLayer::default())
                .build(),
            requests: builder(config.clone())?
                .with_layer(&count)
                // The next layers need a service that can be cloned.
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
