//! The servers for health, metrics and debugging.

use std::fmt;
use std::io::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::health::{Check, report};

/// Evaluates checks when asked.
pub type Checks = Arc<dyn Fn() -> Vec<Check> + Send + Sync>;

/// Gives a part of the state as JSON when asked.
pub type Dump = Arc<dyn Fn() -> Value + Send + Sync>;

/// What Prometheus is told the metrics are.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken or not ours.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Debug endpoints show names of all namespaces and ask for no credentials.
    #[error(
        "the debug address {0} is not a loopback address; use 127.0.0.1 or [::1], and kubectl port-forward"
    )]
    NotLoopback(SocketAddr),
    /// Serving ended though nobody asked for it.
    #[error("the server failed: {0}")]
    Serve(std::io::Error),
    /// The file with the addresses can't be written.
    #[error("can't write the addresses to {}: {source}", path.display())]
    Addresses {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Where the servers listen, with the ports they really got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Of `/metrics`, `/livez` and `/readyz`.
    pub metrics: SocketAddr,
    /// Of `/debug`.
    pub debug: SocketAddr,
}

impl Addresses {
    /// Writes them to a file as JSON, whole or not at all.
    ///
    /// # Errors
    /// Where the folder can't be written to.
    pub fn write(&self, path: &Path) -> Result<(), HttpError> {
        let failed = |source| HttpError::Addresses {
            path: path.to_owned(),
            source,
        };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut file = std::fs::File::create(&partial).map_err(failed)?;
        serde_json::to_writer(&mut file, self).map_err(|error| failed(error.into()))?;
        file.flush().map_err(failed)?;
        std::fs::rename(&partial, path).map_err(failed)
    }
}

/// Where to listen.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Address of `/metrics`, `/livez` and `/readyz`.
    pub metrics: SocketAddr,
    /// Address of `/debug`.
    pub debug: SocketAddr,
    /// Where to write the addresses that were bound.
    pub addresses_file: Option<PathBuf>,
}

/// What is shown besides metrics.
pub struct Shown {
    /// For `/livez`.
    pub live: Checks,
    /// For `/readyz`.
    pub ready: Checks,
    /// For `/debug/index`.
    pub index: Dump,
    /// For `/debug/queues`.
    pub queues: Dump,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// Starts the servers, as `tasks` that end when `stop` becomes true, each with its name.
///
/// # Errors
/// Where an address can't be listened on.
pub async fn start(
    options: &HttpOptions,
    registry: Registry,
    shown: Shown,
    stop: &watch::Sender<bool>,
    tasks: &mut JoinSet<&'static str>,
) -> Result<(), HttpError> {
    let (public_listener, metrics) = bind(options.metrics).await?;
    let (debug_listener, debug_address) = bind_loopback(options.debug).await?;
    info!(%metrics, debug = %debug_address, "listening");
    if let Some(path) = &options.addresses_file {
        let debug = debug_address;
        Addresses { metrics, debug }.write(path)?;
    }
    let public = public(Arc::new(registry), shown.live, shown.ready);
    let debug = debug(shown.index, shown.queues);
    for (name, listener, router) in [
        ("the metrics server", public_listener, public),
        ("the debug server", debug_listener, debug),
    ] {
        let mut stop = stop.subscribe();
        let stopped = async move {
            // A sender that is dropped says the same.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tasks.spawn(async move {
            if let Err(error) = serve(listener, router, stopped).await {
                warn!(%error, "{name} failed");
            }
            name
        });
    }
    Ok(())
}

/// Listens on an address; port 0 takes a free one. Returns where it listens.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
    let failed = |source| HttpError::Bind { address, source };
    let listener = match TcpListener::bind(address).await {
        // `[::]` takes IPv4 too; a kernel without IPv6 has that alone.
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
    .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// [`bind`] for an address that only this machine reaches.
async fn bind_loopback(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
    if !address.ip().is_loopback() {
        return Err(HttpError::NotLoopback(address));
    }
    bind(address).await
}

/// Serves until `shutdown` resolves and the open requests are answered.
async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), HttpError> {
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown)
        .await
        .map_err(HttpError::Serve)
}

/// `/metrics`, `/livez` and `/readyz`.
fn public(registry: Arc<Registry>, live: Checks, ready: Checks) -> Router {
    let checks = |endpoint: &'static str, checks: Checks| {
        get(move || async move {
            let (passed, text) = report(endpoint, &checks());
            let status = if passed {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (status, text)
        })
    };
    Router::new()
        .route("/livez", checks("livez", live))
        .route("/readyz", checks("readyz", ready))
        .route("/metrics", get(metrics).with_state(registry))
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(fmt::Error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics can't be written\n",
        )
            .into_response(),
    }
}

/// `/debug/index` and `/debug/queues`. For a loopback address only: see [`bind_loopback`].
fn debug(index: Dump, queues: Dump) -> Router {
    let dump = |dump: Dump| get(move || async move { axum::Json(dump()) });
    Router::new()
        .route("/debug/index", dump(index))
        .route("/debug/queues", dump(queues))
}

#[cfg(test)]
mod tests;
