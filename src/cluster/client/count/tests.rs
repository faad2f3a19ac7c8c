use std::convert::Infallible;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams, WatchParams};
use prometheus_client::registry::Registry;

use super::*;
use crate::telemetry::metrics;

/// A client whose server answers each request with this status, and the count of its requests.
fn client(status: u16) -> (Client, impl Fn() -> String) {
    let mut registry = Registry::default();
    let metrics = metrics::register(&mut registry);
    let service = tower::service_fn(move |_: Request<Body>| async move {
        let body = r#"{"kind":"Status","code":1,"reason":"Conflict","status":"Failure"}"#;
        let mut response = Response::new(axum::body::Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
        if status == 0 {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(response)
    });
    let layered = CountLayer::new(metrics.api).layer(service);
    let text = move || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
        text.lines()
            .filter(|l| l.starts_with("projsync_api_requests_total"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    (Client::new(layered, "ns"), text)
}

#[tokio::test]
async fn verbs_are_those_of_audit_logs() {
    let (client, counted) = client(409);
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "ns");
    let object = ConfigMap::default();
    api.get("a").await.expect_err("409");
    api.list_metadata(&ListParams::default())
        .await
        .expect_err("409");
    api.watch(&WatchParams::default(), "1")
        .await
        .map(|_| ())
        .expect_err("409");
    api.create(&PostParams::default(), &object)
        .await
        .expect_err("409");
    api.replace("a", &PostParams::default(), &object)
        .await
        .expect_err("409");
    api.patch("a", &PatchParams::default(), &Patch::Merge(&object))
        .await
        .expect_err("409");
    api.delete("a", &kube::api::DeleteParams::default())
        .await
        .expect_err("409");
    let raw = Request::get("/api/v1/secrets?watch=true")
        .body(Vec::new())
        .expect("a request");
    client.request_text(raw).await.expect_err("409");
    let counted = counted();
    for (verb, n) in [
        ("get", 1),
        ("list", 1),
        ("watch", 2),
        ("create", 1),
        ("update", 1),
        ("patch", 1),
        ("delete", 1),
    ] {
        let line = format!(r#"projsync_api_requests_total{{verb="{verb}",code="409"}} {n}"#);
        assert!(counted.contains(&line), "{line} not in\n{counted}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_given_up_is_counted_too() {
    let (client, counted) = client(0);
    let api: Api<Secret> = Api::namespaced(client, "ns");
    tokio::time::timeout(Duration::from_secs(1), api.get("a"))
        .await
        .expect_err("pending");
    assert_eq!(
        counted(),
        r#"projsync_api_requests_total{verb="get",code="cancelled"} 1"#
    );
}

#[test]
fn classes_keep_409_and_429_apart() {
    let table = [
        (200, "2xx"),
        (201, "2xx"),
        (304, "3xx"),
        (404, "4xx"),
        (409, "409"),
        (410, "4xx"),
        (429, "429"),
        (500, "5xx"),
        (503, "5xx"),
    ];
    for (code, expected) in table {
        assert_eq!(class(StatusCode::from_u16(code).expect("valid")), expected);
    }
}
