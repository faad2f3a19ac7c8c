use std::time::Duration;

use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::cluster::lease::Leadership;
use crate::cluster::test_server::TestServer;
use crate::telemetry::metrics;

const TIMEOUT: Duration = Duration::from_secs(5);

/// By a standby.
async fn get(server: &TestServer) -> Result<DigestKey, KeyError> {
    let metrics = metrics::register(&mut Registry::default());
    let (_, leadership) = watch::channel(Leadership::Unknown);
    let writer = Writer::new(server.client(), leadership, TIMEOUT, metrics);
    writer.digest_key("projsync").await
}

fn absent() -> Value {
    json!({
        "kind": "Status", "code": 404, "reason": "NotFound",
        "details": {"name": SECRET_NAME, "kind": "secrets"},
    })
}

fn secret(key: &[u8]) -> Value {
    json!({"kind": "Secret", "data": {"other": "eA==", "key": BASE64.encode(key)}})
}

#[tokio::test]
async fn a_stored_key_is_taken() {
    let server = TestServer::default();
    server.answer(200, secret(&[7; 32]));
    assert_eq!(
        get(&server).await.unwrap().id(),
        DigestKey::new(&[7; 32]).id()
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        asked[0].path,
        "/api/v1/namespaces/projsync/secrets/projsync-digest-key"
    );
}

#[tokio::test]
async fn a_missing_key_is_created_at_random() {
    let mut made = Vec::new();
    for _ in 0..2 {
        let server = TestServer::default();
        server.answer(404, absent());
        server.answer(201, json!({}));
        let key = get(&server).await.unwrap();
        let created = server.asked().remove(1);
        assert_eq!(created.method, "POST");
        assert_eq!(created.path, "/api/v1/namespaces/projsync/secrets");
        assert_eq!(created.body["metadata"]["name"], SECRET_NAME);
        assert_eq!(created.body["immutable"], true);
        let stored = created.body["data"][ENTRY].as_str().unwrap();
        let bytes: [u8; 32] = BASE64.decode(stored).unwrap().try_into().unwrap();
        assert_eq!(key.id(), DigestKey::new(&bytes).id());
        made.push(bytes);
    }
    assert_ne!(made[0], made[1]);
}

#[tokio::test]
async fn of_two_that_create_it_the_first_wins() {
    let server = TestServer::default();
    server.answer(404, absent());
    server.answer(
        409,
        json!({"kind": "Status", "code": 409, "reason": "AlreadyExists"}),
    );
    server.answer(200, secret(&[9; 32]));
    assert_eq!(
        get(&server).await.unwrap().id(),
        DigestKey::new(&[9; 32]).id()
    );
}

#[tokio::test]
async fn what_is_no_key_is_left_alone() {
    let shapes = [
        secret(b"hunter2"),
        json!({"data": {"key": "hunter2!"}}),
        json!({"data": {"key": 7}}),
        json!({"data": {}}),
        json!({}),
        json!("hunter2"),
    ];
    let server = TestServer::default();
    for body in shapes {
        server.answer(200, &body);
        let error = get(&server).await.unwrap_err();
        assert!(error.is_final(), "{body}");
        let text = format!("{error} {error:?}");
        assert!(text.contains("projsync/projsync-digest-key"), "{text}");
        assert!(
            !text.contains("hunter2") && !text.contains(&BASE64.encode("hunter2")),
            "{text}"
        );
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn what_may_pass_is_not_final() {
    let server = TestServer::default();
    // A 404 that is not the API server's word must not lead to a new key.
    for code in [403, 404, 500] {
        server.answer(code, "hunter2");
        let error = get(&server).await.unwrap_err();
        assert!(!error.is_final());
        assert!(error.to_string().contains(&code.to_string()), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
    server.answer(404, absent());
    server.answer(403, "hunter2");
    let error = get(&server).await.unwrap_err();
    assert!(error.to_string().contains("403") && !error.is_final());
}

/// As the API server says it of an object that is to be created.
#[tokio::test]
async fn a_namespace_that_is_missing_is_named() {
    let server = TestServer::default();
    server.answer(404, absent());
    let missing = json!({
        "kind": "Status", "code": 404, "reason": "NotFound",
        "message": "namespaces \"projsync\" not found",
        "details": {"name": "projsync", "kind": "namespaces"},
    });
    server.answer(404, missing);
    let error = get(&server).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "namespace projsync does not exist; create it or name another by --operator-namespace"
    );
    // Somebody may create it.
    assert!(!error.is_final());
}

#[tokio::test]
async fn a_key_that_comes_and_goes_is_given_up() {
    let server = TestServer::default();
    for _ in 0..ATTEMPTS {
        server.answer(404, absent());
        server.answer(409, "");
    }
    let error = get(&server).await.unwrap_err();
    assert!(matches!(error, KeyError::Unstable { .. }));
}
