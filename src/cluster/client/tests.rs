use std::sync::atomic::{AtomicU32, Ordering};

use axum::response::IntoResponse as _;
use http::{Request, StatusCode};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::*;
use crate::telemetry::metrics;

/// The real clients against a real server that answers by path.
#[tokio::test]
async fn requests_retry_as_told_keep_to_the_limit_and_the_lease_client_does_not_wait() {
    static THROTTLED: AtomicU32 = AtomicU32::new(0);
    let throttled = || async {
        match THROTTLED.fetch_add(1, Ordering::Relaxed) {
            0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "").into_response(),
            _ => "{}".into_response(),
        }
    };
    let router = axum::Router::new()
        .route("/throttled", axum::routing::get(throttled))
        .route(
            "/busy",
            axum::routing::get(|| async { StatusCode::SERVICE_UNAVAILABLE }),
        )
        .route("/", axum::routing::get(|| async { "{}" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"))
        .parse()
        .expect("a URL");
    let server = tokio::spawn(async { axum::serve(listener, router).await });

    let mut registry = Registry::default();
    let metrics = metrics::register(&mut registry);
    let options = ClientOptions {
        requests_per_second: Some(20),
        ..ClientOptions::default()
    };
    let clients = Clients::new(
        &Config::new(url),
        &options,
        &metrics.api,
        &PulseLayer::default(),
    )
    .expect("clients");
    let get = |client: &Client, path: &str| {
        let client = client.clone();
        let request = Request::get(path).body(Vec::new()).expect("a request");
        async move { client.request_text(request).await }
    };

    let begin = Instant::now();
    get(&clients.requests, "/throttled")
        .await
        .expect("tried again");
    assert!(
        begin.elapsed() >= Duration::from_secs(1),
        "Retry-After is respected"
    );
    assert_eq!(THROTTLED.load(Ordering::Relaxed), 2);

    let begin = Instant::now();
    get(&clients.lease, "/busy").await.expect_err("503");
    assert!(begin.elapsed() < Duration::from_millis(500), "no retries");

    // 41 requests at 20 a second take two windows at least, of the lease client's none.
    let begin = Instant::now();
    futures::future::join_all((0..41).map(|_| get(&clients.lease, "/"))).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    let begin = Instant::now();
    let answers = futures::future::join_all((0..41).map(|_| get(&clients.requests, "/"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(
        begin.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    for line in [
        r#"projsync_api_requests_total{verb="get",code="429"} 1"#,
        r#"projsync_api_requests_total{verb="get",code="5xx"} 1"#,
        r#"projsync_api_requests_total{verb="get",code="2xx"} 83"#,
    ] {
        assert!(text.contains(line), "{line} not in {text}");
    }
    server.abort();
}
