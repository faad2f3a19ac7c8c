use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use super::*;

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
    metrics.decisions.count(["Deployment", "Settling"]);
    let router = public(Arc::new(registry), Arc::new(Vec::new), Arc::new(Vec::new));
    let (status, kind, text) = fetch(&router, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(kind.as_deref(), Some(OPENMETRICS));
    assert!(text.contains("projsync_decisions_total{kind=\"Deployment\",reason=\"Settling\"} 1"));
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
