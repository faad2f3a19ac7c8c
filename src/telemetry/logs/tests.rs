use std::convert::Infallible;
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use http::{Request, Response};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams, WatchParams};
use kube::client::Body;
use kube::runtime::watcher;
use parking_lot::Mutex;

use super::*;

const SECRET: &str = "hunter2";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("UTF-8")
    }
}

fn capture(format: LogFormat, level: &str) -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = subscriber(format, level, move || writer.clone(), false).expect("a level");
    (lines, tracing::subscriber::set_default(subscriber))
}

#[test]
fn json_is_one_flat_object_a_line() {
    let (lines, _guard) = capture(LogFormat::Json, "info");
    tracing::info!(namespace = "shop", "rolled");
    tracing::debug!("not at this level");
    let text = lines.text();
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["message"], "rolled");
    assert_eq!(line["namespace"], "shop");
    assert_eq!(line["level"], "INFO");
    assert!(line["timestamp"].is_string());
}

#[test]
fn text_is_for_people() {
    let (lines, _guard) = capture(LogFormat::Text, "debug");
    tracing::debug!(namespace = "shop", "rolled");
    assert!(
        lines.text().contains("DEBUG") && lines.text().contains(r#"rolled namespace="shop""#),
        "{}",
        lines.text()
    );
}

#[test]
fn a_bad_level_is_refused_with_advice() {
    for level in ["projsync=loud", "debgu", "info,projsync"] {
        let error = subscriber(LogFormat::Json, level, std::io::sink, false)
            .map(|_| ())
            .expect_err("refused");
        assert!(error.to_string().contains("error, warn"), "{error}");
    }
}

#[test]
fn targets_of_others_stay_off_whatever_is_asked_for() {
    for level in [
        "trace",
        "trace,kube_client=trace,kube_runtime=trace,hyper=trace,h2=trace,rustls=trace",
    ] {
        let (lines, _guard) = capture(LogFormat::Json, level);
        tracing::error!(target: "kube_client::client", "{SECRET}");
        tracing::warn!(target: "kube_runtime::watcher", body = SECRET);
        tracing::trace!(target: "h2::codec::framed_read", "{SECRET}");
        tracing::trace!(target: "hyper::proto::h1::io", "{SECRET}");
        tracing::trace!(target: "rustls::conn", "{SECRET}");
        tracing::error!(target: "another_crate", "{SECRET}");
        tracing::trace!("our own");
        assert_eq!(lines.text().lines().count(), 1, "{}", lines.text());
        assert!(lines.text().contains("our own"));
    }
}

/// The real client and watcher, given answers that they can't decode.
#[tokio::test]
async fn no_body_is_logged_at_trace_level() {
    let bodies = [
        (200, format!(r#"{{"kind":"Secret","data":"{SECRET}"}}"#)),
        (200, format!(r#"{{"items":[{{"metadata":"{SECRET}"}}]}}"#)),
        (
            200,
            format!(r#"{{"type":"ADDED","object":{{"metadata":"{SECRET}"}}}}"#),
        ),
        (200, format!("{SECRET} no JSON")),
        (500, format!("{SECRET} no Status")),
        (
            403,
            format!(r#"{{"kind":"Secret","data":{{"a":"{SECRET}"}}}}"#),
        ),
    ];
    // That this would show something: the same without the cap.
    let uncapped = Lines::default();
    let writer = uncapped.clone();
    let layer = fmt::layer().with_writer(move || writer.clone());
    let guard = tracing::subscriber::set_default(Registry::default().with(layer));
    for (status, body) in &bodies {
        exercise(*status, body).await;
    }
    drop(guard);
    assert!(uncapped.text().contains(SECRET));

    let (lines, _guard) = capture(
        LogFormat::Json,
        "trace,kube_client=trace,kube_runtime=trace,tower=trace",
    );
    tracing::trace!("begin");
    for (status, body) in &bodies {
        exercise(*status, body).await;
    }
    assert!(lines.text().contains("begin"));
    assert!(!lines.text().contains(SECRET), "{}", lines.text());
}

async fn exercise(status: u16, body: &str) {
    let body = body.to_owned();
    let service = tower::service_fn(move |_: Request<Body>| {
        let mut response = Response::new(axum::body::Body::from(body.clone()));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        async { Ok::<_, Infallible>(response) }
    });
    let client = kube::Client::new(service, "ns");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "ns");
    secrets.get("a").await.ok();
    secrets.list(&ListParams::default()).await.ok();
    secrets.get_metadata("a").await.ok();
    if let Ok(stream) = secrets.watch(&WatchParams::default(), "0").await {
        stream.boxed().next().await;
    }
    let maps: Api<ConfigMap> = Api::namespaced(client, "ns");
    let mut events = pin!(watcher(maps, watcher::Config::default()));
    for _ in 0..3 {
        events.next().await;
    }
}
