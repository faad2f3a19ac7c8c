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

/// Listens on an address; port 0 takes a free one. Returns where it listens.
///
/// # Errors
/// Where the address is taken or not of this machine.
pub async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
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
///
/// # Errors
/// Where it is no loopback address, and as [`bind`].
pub async fn bind_loopback(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HttpError> {
    if !address.ip().is_loopback() {
        return Err(HttpError::NotLoopback(address));
    }
    bind(address).await
}

/// Serves until `shutdown` resolves and the open requests are answered.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(
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
pub fn public(registry: Arc<Registry>, live: Checks, ready: Checks) -> Router {
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
pub fn debug(index: Dump, queues: Dump) -> Router {
    let dump = |dump: Dump| get(move || async move { axum::Json(dump()) });
    Router::new()
        .route("/debug/index", dump(index))
        .route("/debug/queues", dump(queues))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use serde_json::json;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tower::ServiceExt as _;

    async fn fetch(router: &Router, path: &str) -> (StatusCode, Option<String>, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = router.clone().oneshot(request).await.expect("infallible");
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .map(|v| v.to_str().expect("text").to_owned());
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (
            status,
            kind,
            String::from_utf8(body.to_vec()).expect("UTF-8"),
        )
    }

    #[tokio::test]
    async fn health_follows_the_checks() {
        let synced = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&synced);
        let ready: Checks = Arc::new(move || {
            let problem =
                (!state.load(Ordering::Relaxed)).then(|| "first list not finished".to_owned());
            vec![Check::new("lease", None), Check::new("watch/Pod", problem)]
        });
        let router = public(Arc::default(), Arc::new(Vec::new), ready);
        let (status, _, text) = fetch(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            text,
            "[+]lease ok\n[-]watch/Pod failed: first list not finished\nreadyz check failed\n"
        );
        synced.store(true, Ordering::Relaxed);
        let (status, _, text) = fetch(&router, "/readyz").await;
        assert_eq!(
            (status, text.as_str()),
            (
                StatusCode::OK,
                "[+]lease ok\n[+]watch/Pod ok\nreadyz check passed\n"
            )
        );
        let (status, _, text) = fetch(&router, "/livez").await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::OK, "livez check passed\n")
        );
        assert_eq!(
            fetch(&router, "/debug/index").await.0,
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_text() {
        let mut registry = Registry::default();
        let metrics = crate::telemetry::metrics::register(&mut registry);
        metrics.decided("Deployment", "Settling");
        let router = public(Arc::new(registry), Arc::new(Vec::new), Arc::new(Vec::new));
        let (status, kind, text) = fetch(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kind.as_deref(), Some(OPENMETRICS));
        assert!(
            text.contains("projsync_decisions_total{kind=\"Deployment\",reason=\"Settling\"} 1")
        );
        assert!(text.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn debug_endpoints_give_json() {
        let router = debug(
            Arc::new(|| json!({"sources": 3})),
            Arc::new(|| json!([{"name": "workloads"}])),
        );
        let (status, kind, text) = fetch(&router, "/debug/index").await;
        assert_eq!(
            (status, kind.as_deref(), text.as_str()),
            (StatusCode::OK, Some("application/json"), r#"{"sources":3}"#)
        );
        assert_eq!(
            fetch(&router, "/debug/queues").await.2,
            r#"[{"name":"workloads"}]"#
        );
        assert_eq!(fetch(&router, "/metrics").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn debug_is_for_loopback_only() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:6060"] {
            let address = address.parse().expect("an address");
            let error = bind_loopback(address).await.expect_err("refused");
            assert!(matches!(error, HttpError::NotLoopback(_)));
            assert!(error.to_string().contains("kubectl port-forward"));
        }
        let (_listener, bound) = bind_loopback("127.0.0.1:0".parse().expect("an address"))
            .await
            .expect("bound");
        assert_ne!(bound.port(), 0);
    }

    #[tokio::test]
    async fn an_unspecified_address_listens_on_both_families() {
        let (_listener, bound) = bind("[::]:0".parse().expect("an address"))
            .await
            .expect("bound");
        let reachable = |ip: &'static str| tokio::net::TcpStream::connect((ip, bound.port()));
        assert!(reachable("127.0.0.1").await.is_ok());
        // A machine without IPv6 has no such address.
        if bound.is_ipv6() {
            assert!(reachable("::1").await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let (_listener, bound) = bind("127.0.0.1:0".parse().expect("an address"))
            .await
            .expect("bound");
        let error = bind(bound).await.expect_err("taken");
        assert!(error.to_string().contains(&bound.to_string()), "{error}");
    }

    #[tokio::test]
    async fn serves_until_told_to_stop() {
        use std::io::Read as _;
        let (listener, bound) = bind("127.0.0.1:0".parse().expect("an address"))
            .await
            .expect("bound");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = public(Arc::default(), Arc::new(Vec::new), Arc::new(Vec::new));
        let server = tokio::spawn(serve(listener, router, async {
            stopped.await.ok();
        }));
        let asked = tokio::task::spawn_blocking(move || {
            let mut connection = std::net::TcpStream::connect(bound)?;
            connection.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        });
        let answer = asked.await.expect("no panic").expect("answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        stop.send(()).expect("runs");
        server.await.expect("no panic").expect("no error");
    }

    #[test]
    fn addresses_are_written_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("addresses.json");
        let addresses = Addresses {
            metrics: "127.0.0.1:1234".parse().expect("one"),
            debug: "127.0.0.1:5678".parse().expect("one"),
        };
        addresses.write(&path).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(
            text,
            r#"{"metrics":"127.0.0.1:1234","debug":"127.0.0.1:5678"}"#
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("a folder").count(),
            1,
            "nothing else is left"
        );
        let error = addresses
            .write(Path::new("/nonexistent/a"))
            .expect_err("no folder");
        assert!(error.to_string().contains("/nonexistent/a"));
    }
}
