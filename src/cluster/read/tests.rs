use http::Response;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::cluster::test_server::{TestServer, status};
use crate::kinds::SourceKind;

const TIMEOUT: Duration = Duration::from_secs(5);

fn id() -> SourceId {
    SourceId::new(SourceKind::SECRET, "shop", "web")
}

fn key() -> DigestKey {
    DigestKey::new(&[7; 32])
}

fn reader(server: &TestServer) -> Reader {
    Reader::new(server.client(), key(), TIMEOUT)
}

fn secret() -> Value {
    json!({
        "kind": "Secret", "apiVersion": "v1", "type": "Opaque",
        "metadata": {
            "namespace": "shop", "name": "web", "uid": "u-1", "resourceVersion": "42",
            "creationTimestamp": "2025-11-24T09:00:00Z",
        },
        "data": {"password": "aHVudGVyMg=="},
    })
}

async fn read_from(server: &TestServer) -> Result<(SourceContent, ServerTime), ReadError> {
    reader(server).read(&id(), Rv::parse("42")).await
}

#[tokio::test]
async fn a_source_is_read_as_digests() {
    let server = TestServer::default();
    server.answer(200, secret());
    let (content, date) = read_from(&server).await.unwrap();
    assert_eq!(date, "2025-11-24T10:00:00Z".parse().unwrap());
    assert_eq!(content.reading().unwrap().resource_version.as_ref(), "42");
    let expected = key().key_digest(&id(), "password", b"hunter2");
    assert_eq!(content.get("password").unwrap().1, expected);
    let asked = server.asked();
    assert_eq!(asked[0].path, "/api/v1/namespaces/shop/secrets/web");
    // Without a resourceVersion: the newest one.
    assert_eq!(asked[0].query, "");
}

#[tokio::test]
async fn a_config_map_is_read_at_its_own_path() {
    let server = TestServer::default();
    server.answer(500, "");
    let id = SourceId::new(SourceKind::CONFIG_MAP, "shop", "web");
    reader(&server).read(&id, None).await.unwrap_err();
    assert_eq!(
        server.asked()[0].path,
        "/api/v1/namespaces/shop/configmaps/web"
    );
}

#[tokio::test]
async fn only_the_api_servers_own_word_is_absence() {
    let server = TestServer::default();
    server.answer(404, status(404, "NotFound", "secrets \"web\" not found"));
    assert_eq!(read_from(&server).await.unwrap().0, SourceContent::Absent);

    let other = status(404, "NotFound", "namespaces \"x\" not found");
    let other = json!({"details": {"name": "x"}, "reason": other["reason"]});
    for body in [other, json!("404 page not found"), json!({}), Value::Null] {
        server.answer(404, &body);
        let error = read_from(&server).await.unwrap_err();
        let expected = ReadError::Status {
            object: id(),
            status: StatusCode::NOT_FOUND,
        };
        assert_eq!(error, expected, "{body}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_object_and_the_status() {
    let server = TestServer::default();
    for code in [401, 403, 429, 500, 503] {
        server.answer(code, status(code, "Forbidden", "hunter2"));
        let error = read_from(&server).await.unwrap_err().to_string();
        assert!(
            error.starts_with("Secret shop/web can't be read: "),
            "{error}"
        );
        assert!(error.contains(&code.to_string()), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// Answers of every malformed kind that a server or something in between could give.
#[tokio::test]
async fn a_malformed_answer_never_shows_in_the_error() {
    let mut bodies = vec![
        "aHVudGVyMg==".to_owned(),
        "\"aHVudGVyMg==\"".to_owned(),
        "<html>aHVudGVyMg==</html>".to_owned(),
        "{\"data\": aHVudGVyMg==".to_owned(),
        json!({"kind": "aHVudGVyMg=="}).to_string(),
    ];
    let whole = secret().to_string();
    bodies.extend(
        (1..whole.len())
            .step_by(7)
            .map(|end| whole[..end].to_owned()),
    );
    for (pointer, value) in [
        ("/data", json!("aHVudGVyMg==")),
        ("/data", json!(["aHVudGVyMg=="])),
        ("/data/password", json!("aHVudGVyMg=!")),
        ("/data/password", json!({"aHVudGVyMg==": 1})),
        ("/metadata/creationTimestamp", json!("aHVudGVyMg==")),
        ("/metadata/uid", json!(["aHVudGVyMg=="])),
        ("/metadata/name", json!("aHVudGVyMg==")),
    ] {
        let mut secret = secret();
        *secret.pointer_mut(pointer).unwrap() = value;
        bodies.push(secret.to_string());
    }
    let server = TestServer::default();
    for body in bodies {
        server.answer(200, &body);
        let error = read_from(&server).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("web"), "{text}");
        for leak in ["aHVudGVyMg", "hunter2", "html"] {
            assert!(!text.contains(leak), "{text}");
        }
    }
}

#[tokio::test]
async fn an_answer_older_than_what_the_watch_has_shown_is_none() {
    let server = TestServer::default();
    for (version, stale) in [("41", true), ("x", true), ("42", false), ("100", false)] {
        let mut secret = secret();
        secret["metadata"]["resourceVersion"] = json!(version);
        server.answer(200, &secret);
        let expected = stale.then(|| ReadError::Stale { object: id() });
        assert_eq!(read_from(&server).await.err(), expected, "{version}");
    }
    // Where no version is a number, none can be compared.
    let mut secret = secret();
    secret["metadata"]["resourceVersion"] = json!("x");
    server.answer(200, &secret);
    let answer = reader(&server).read(&id(), None).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn an_answer_without_a_date_is_none() {
    let server = TestServer::default();
    server.answer_raw(Response::new(Body::from(secret().to_string().into_bytes())));
    let error = read_from(&server).await.unwrap_err();
    assert_eq!(error, ReadError::NoDate { object: id() });
}

#[tokio::test]
async fn an_answer_without_end_is_not_taken() {
    let server = TestServer::default();
    server.answer(200, " ".repeat(LIMIT + 1));
    let error = read_from(&server).await.unwrap_err().to_string();
    assert!(error.contains("larger than 4194304 bytes"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_read_ends_in_time() {
    let server = TestServer::default();
    let error = read_from(&server).await.unwrap_err().to_string();
    assert_eq!(error, "Secret shop/web can't be read: no answer within 5s");
}
