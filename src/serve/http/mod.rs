//! HTTP servers for health, metrics and debugging.

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

/// Evaluates checks on request.
pub type Checks = Arc<dyn Fn() -> Vec<Check> + Send + Sync>;

/// Returns a part of the state as JSON on request.
pub type Dump = Arc<dyn Fn() -> Value + Send + Sync>;

/// Content type of metrics.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Reason why a server failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken, or doesn't belong to this machine.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The debug address is not a loopback address. Debug endpoints show names of all namespaces
    /// and ask for no credentials.
    #[error(
        "the debug address {0} is not a loopback address; use 127.0.0.1 or [::1], and kubectl port-forward"
    )]
    NotLoopback(SocketAddr),
    /// The server ended unexpectedly.
    #[error("the server failed: {0}")]
    Serve(std::io::Error),
    /// The file with the addresses can't be written.
    #[error("can't write the addresses to {}: {source}", path.display())]
    Addresses {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Addresses that the servers listen on, with the real ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Address of `/metrics`, `/livez` and `/readyz`.
    pub metrics: SocketAddr,
    /// Address of `/debug`.
    pub debug: SocketAddr,
}

impl Addresses {
    /// Writes the addresses to a file as JSON, completely or not at all.
    ///
    /// # Errors
    /// If the folder can't be written to.
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
    /// File to write the bound addresses to.
    pub addresses_file: Option<PathBuf>,
}

/// Content of the endpoints other than metrics.
pub struct Shown {
    /// Checks of `/livez`.
    pub live: Checks,
    /// Checks of `/readyz`.
    pub ready: Checks,
    /// Content of `/debug/index`.
    pub index: Dump,
    /// Content of `/debug/queues`.
    pub queues: Dump,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

/// Starts the servers as named `tasks` that end when `stop` becomes true.
///
/// # Errors
/// If it can't listen on an address.
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

/// Listens on an address, where port 0 means a free port. Returns the real address.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
    let failed = |source| HttpError::Bind { address, source };
    let listener = match TcpListener::bind(address).await {
        // `[::]` accepts IPv4 too; a kernel without IPv6 has only IPv4.
        Err(_) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
    .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// [`bind`] for an address that only this machine can reach.
async fn bind_loopback(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
    if !address.ip().is_loopback() {
        return Err(HttpError::NotLoopback(address));
    }
    bind(address).await
}

/// Serves until `shutdown` resolves and open requests are answered.
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

/// Routes of `/metrics`, `/livez` and `/readyz`.
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

/// Routes of `/debug/index` and `/debug/queues`. Serve them only on a loopback address: see
/// [`bind_loopback`].
fn debug(index: Dump, queues: Dump) -> Router {
    let dump = |dump: Dump| get(move || async move { axum::Json(dump()) });
    Router::new()
        .route("/debug/index", dump(index))
        .route("/debug/queues", dump(queues))
}

#[cfg(test)]
mod tests;
