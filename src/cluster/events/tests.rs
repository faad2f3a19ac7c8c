use super::*;
use crate::api::reasons::EventType;
use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;

/// How the API server answers, in turn; the last goes on.
type Script = Arc<Mutex<Vec<u16>>>;
type Seen = Arc<Mutex<Vec<(String, String, Value)>>>;

fn server(script: &[u16]) -> (Client, Seen, Script) {
    let script: Script = Arc::new(Mutex::new(script.to_vec()));
    let seen = Seen::default();
    let (answers, log) = (Arc::clone(&script), Arc::clone(&seen));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (answers, log) = (Arc::clone(&answers), Arc::clone(&log));
        async move {
            let (method, path) = (
                request.method().to_string(),
                request.uri().path().to_owned(),
            );
            let body = request
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            let code = {
                let mut answers = answers.lock();
                if answers.len() > 1 {
                    answers.remove(0)
                } else {
                    answers[0]
                }
            };
            log.lock().push((method, path, body.clone()));
            if code == 0 {
                std::future::pending::<()>().await;
            }
            let answer = if code < 300 {
                json!({"metadata": {"name": "x"}, "eventTime": null})
            } else {
                json!({"kind": "Status", "code": code, "reason": "Unknown", "status": "Failure"})
            };
            let mut response = Response::new(axum::body::Body::from(answer.to_string()));
            *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
            Ok::<_, Infallible>(response)
        }
    });
    (Client::new(service, "ns"), seen, script)
}

fn notice(note: &str) -> Notice {
    let regarding = Regarding {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
        uid: "u-1".into(),
        resource_version: Some("7".into()),
    };
    Notice {
        regarding,
        event_type: EventType::Warning,
        reason: "SourceMissing",
        action: "Hold",
        note: note.into(),
    }
}

/// Posts all and returns the requests and the counts.
async fn post(script: &[u16], notices: Vec<Notice>) -> (Vec<(String, String, Value)>, Vec<String>) {
    let (client, seen, _) = server(script);
    let mut registry = Registry::default();
    let metrics = crate::telemetry::metrics::register(&mut registry);
    let (sender, poster) = events(client, "projsync-0", Duration::from_secs(5), &metrics);
    for notice in notices {
        sender.post(notice);
    }
    drop(sender);
    poster.run().await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("encodes");
    let counts = text
        .lines()
        .filter_map(|l| l.strip_prefix("projsync_events_total"))
        .map(str::to_owned)
        .collect();
    let seen = seen.lock().clone();
    (seen, counts)
}

#[tokio::test(start_paused = true)]
async fn an_event_has_all_the_api_server_asks_for() {
    let (seen, counts) = post(&[201], vec![notice("key a\nof b\u{7}")]).await;
    let [(method, path, body)] = seen.as_slice() else {
        panic!("one request, not {seen:?}");
    };
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events")
    );
    assert_eq!(body["apiVersion"], "events.k8s.io/v1");
    assert_eq!(body["kind"], "Event");
    assert_eq!(body["metadata"]["namespace"], "shop");
    let name = body["metadata"]["name"].as_str().expect("a name");
    assert!(
        name.starts_with("web.") && name.len() == "web.".len() + 16,
        "{name}"
    );
    assert_eq!(
        body["regarding"],
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "u-1", "resourceVersion": "7"})
    );
    assert_eq!(body["type"], "Warning");
    assert_eq!(body["reason"], "SourceMissing");
    assert_eq!(body["action"], "Hold");
    assert_eq!(body["note"], "key a of b ");
    assert_eq!(body["reportingController"], REPORTING_CONTROLLER);
    assert_eq!(body["reportingInstance"], "projsync-0");
    assert!(body["eventTime"].is_string());
    assert_eq!(counts, [r#"{outcome="success"} 1"#]);
}

#[tokio::test(start_paused = true)]
async fn a_repetition_patches_the_series_and_another_note_does_not() {
    let (seen, _) = post(
        &[201],
        vec![notice("a"), notice("a"), notice("b"), notice("a")],
    )
    .await;
    let methods: Vec<&str> = seen.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "POST", "PATCH"]);
    let first = seen[0].2["metadata"]["name"].as_str().expect("a name");
    assert!(seen[1].1.ends_with(first) && seen[3].1.ends_with(first));
    assert_eq!(seen[1].2["series"]["count"], 2);
    assert_eq!(seen[3].2["series"]["count"], 3);
    assert!(seen[1].2["series"]["lastObservedTime"].is_string());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_expired_is_created_anew() {
    let (seen, counts) = post(
        &[201, 404, 201, 200],
        vec![notice("a"), notice("a"), notice("a")],
    )
    .await;
    let methods: Vec<&str> = seen.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "POST", "PATCH"]);
    assert_eq!(seen[3].2["series"]["count"], 2);
    assert_eq!(counts, [r#"{outcome="success"} 3"#]);
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_and_lasting_ones_are_not() {
    let table: [(&[u16], usize, &str); 6] = [
        (&[503, 429, 201], 3, "success"),
        (&[500], 4, "failure"),
        (&[403], 1, "refused"),
        (&[422], 1, "refused"),
        (&[0, 201], 2, "success"),
        // The answer to the first try was lost; the second finds it there.
        (&[0, 409], 2, "success"),
    ];
    for (script, requests, outcome) in table {
        let begin = Instant::now();
        let (seen, counts) = post(script, vec![notice("a")]).await;
        assert_eq!(seen.len(), requests, "{script:?}");
        assert_eq!(
            counts,
            [format!("{{outcome=\"{outcome}\"}} 1")],
            "{script:?}"
        );
        let names: std::collections::HashSet<_> = seen
            .iter()
            .map(|(.., body)| body["metadata"]["name"].clone())
            .collect();
        assert_eq!(names.len(), 1, "one name for all tries");
        assert!(begin.elapsed() < Duration::from_secs(25), "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_counts() {
    let notices = (0..QUEUED + 5).map(|i| notice(&i.to_string())).collect();
    let (seen, counts) = post(&[201], notices).await;
    assert_eq!(seen.len(), QUEUED);
    assert!(
        counts.contains(&r#"{outcome="dropped"} 5"#.to_owned()),
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn notes_and_names_keep_to_their_limits() {
    let mut long = notice(&"ü".repeat(2000));
    long.regarding.name = format!("{}.b", "a".repeat(NAME_LIMIT - 2));
    let (seen, _) = post(&[201], vec![long]).await;
    assert_eq!(
        seen[0].2["note"].as_str().expect("a note").len(),
        NOTE_LIMIT
    );
    assert!(
        seen[0].2["metadata"]["name"]
            .as_str()
            .expect("a name")
            .len()
            <= NAME_LIMIT
    );
    assert_eq!(event_name("a-.b", "0").as_str(), "a-.b.0");
    let cut = event_name(&format!("{}.-b", "a".repeat(250)), "0123456789abcdef");
    assert_eq!(cut, format!("{}.0123456789abcdef", "a".repeat(236)));
    let at_dot = format!("{}--.{}", "a".repeat(233), "b".repeat(50));
    assert_eq!(
        event_name(&at_dot, "0123456789abcdef"),
        format!("{}.0123456789abcdef", "a".repeat(233))
    );
}

#[tokio::test(start_paused = true)]
async fn events_about_cluster_scoped_objects_go_to_default() {
    let mut policy = notice("a");
    policy.regarding.namespace = String::new();
    let (seen, _) = post(&[201], vec![policy]).await;
    assert!(seen[0].1.contains("/namespaces/default/"));
    assert!(seen[0].2["regarding"].get("namespace").is_none());
}
