use std::convert::Infallible;
use std::pin::pin;

use futures::StreamExt as _;
use http::{Request, Response};
use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use kube::core::Status;
use kube::{Api, Client};
use tower::service_fn;

use super::*;

const SECRET: &str = "hunter2";

#[test]
fn api_errors_keep_the_servers_message() {
    let status = Status::failure("deployments.apps \"a\" not\nfound", "NotFound").with_code(404);
    let text = describe(&kube::Error::Api(status.boxed()));
    assert_eq!(text, "404 NotFound: deployments.apps \"a\" not found");
}

#[test]
fn bodies_are_never_repeated() {
    let json = serde_json::from_str::<std::collections::BTreeMap<String, u32>>(&format!(
        r#"{{"a":"{SECRET}"}}"#
    ))
    .expect_err("not a number");
    assert!(
        json.to_string().contains(SECRET),
        "else this test shows nothing"
    );
    let utf8 = String::from_utf8([SECRET.as_bytes(), &[0xff]].concat()).expect_err("not UTF-8");
    let io = std::io::Error::other(
        serde_json::from_str::<u32>(&format!("\"{SECRET}\"")).expect_err("not a number"),
    );
    let errors = [
        // kube makes such a Status from an answer that is none.
        kube::Error::Api(
            Status::failure(SECRET, "Failed to parse error data")
                .with_code(502)
                .boxed(),
        ),
        kube::Error::Api(Status::failure(SECRET, "").with_code(500).boxed()),
        kube::Error::SerdeError(json),
        kube::Error::FromUtf8(utf8),
    ];
    for error in errors {
        let text = describe(&error);
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.is_empty());
        let text = describe_watch(&watcher::Error::WatchFailed(error));
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(io.to_string().contains(SECRET));
}

/// The errors of the real watcher, whose answers it can't decode.
#[tokio::test]
async fn no_failure_of_a_watch_repeats_a_body() {
    let bodies = [
        (200, format!(r#"{{"items":[{{"metadata":"{SECRET}"}}]}}"#)),
        (500, format!("{SECRET} no Status")),
    ];
    for (status, body) in bodies {
        let service = service_fn(move |_: Request<Body>| {
            let mut answer = Response::new(Body::from(body.clone().into_bytes()));
            *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status");
            async { Ok::<_, Infallible>(answer) }
        });
        let secrets: Api<Secret> = Api::namespaced(Client::new(service, "ns"), "ns");
        let events = pin!(watcher::watcher(secrets, watcher::Config::default()));
        let failures = events.filter_map(async |event| event.err());
        let failure = pin!(failures).next().await.expect("a failure");
        let said = describe_watch(&failure);
        assert!(!said.contains(SECRET), "{said}");
        assert!(format!("{failure:?}").contains(SECRET), "{failure:?}");
    }
}

#[test]
fn causes_are_named_once() {
    let inner = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
    let outer = std::io::Error::other(inner);
    let text = describe(&kube::Error::Service(Box::new(outer)));
    assert_eq!(text.matches("connection refused").count(), 1, "{text}");
}

#[test]
fn long_messages_are_cut_between_characters() {
    let status = Status::failure(&"ü".repeat(1000), "Invalid").with_code(422);
    let text = describe(&kube::Error::Api(status.boxed()));
    assert!(text.len() < 600 && text.ends_with('ü'));
    assert_eq!(truncate("aü", 2), "a");
    assert_eq!(truncate("aü", 3), "aü");
    assert_eq!(truncate("ü", 0), "");
}
