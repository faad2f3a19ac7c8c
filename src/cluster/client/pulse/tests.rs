use std::convert::Infallible;

use futures::StreamExt;
use futures::channel::mpsc;
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::*;

fn answer(date: &'static str) -> Response<Body> {
    Response::builder()
        .header(DATE, date)
        .body(Body::from(b"{}".to_vec()))
        .unwrap()
}

async fn get(client: &Client, path: &str) {
    let request = Request::get(path).body(Vec::new()).unwrap();
    client.request_text(request).await.unwrap();
}

fn client(layer: &PulseLayer, date: &'static str) -> Client {
    let server =
        service_fn(move |_: Request<Body>| async move { Ok::<_, Infallible>(answer(date)) });
    Client::new(layer.layer(server), "default")
}

#[tokio::test(start_paused = true)]
async fn the_server_clock_goes_on_between_answers() {
    let layer = PulseLayer::default();
    let clock = layer.clock();
    assert_eq!(clock.now(), None);
    get(&client(&layer, "Mon, 24 Nov 2025 10:00:00 GMT"), "/version").await;
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(clock.now(), Some("2025-11-24T10:01:30Z".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn the_server_clock_is_that_of_most_of_the_last_answers() {
    let layer = PulseLayer::default();
    let (right, ahead) = (
        "Mon, 24 Nov 2025 10:00:00 GMT",
        "Tue, 25 Nov 2025 10:00:00 GMT",
    );
    for (date, now) in [
        (right, right),
        (right, right),
        // One server of several is a day ahead.
        (ahead, right),
        (ahead, right),
        (ahead, ahead),
        // It is set right.
        (right, ahead),
        (right, ahead),
        (right, right),
        // What is no date tells nothing.
        ("now", right),
        ("", right),
    ] {
        get(&client(&layer, date), "/version").await;
        let now = rfc2822::parse(now).unwrap().timestamp();
        assert_eq!(layer.clock().now(), Some(now), "{date}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pulse_beats_with_what_is_answered_on_its_path() {
    let layer = PulseLayer::default();
    let pulse = layer.pulse("/api/v1/pods");
    let client = client(&layer, "Mon, 24 Nov 2025 10:00:00 GMT");
    tokio::time::advance(Duration::from_secs(60)).await;
    get(&client, "/api/v1/namespaces/shop/pods").await;
    assert_eq!(pulse.silence(), Duration::from_secs(60));
    get(&client, "/api/v1/pods?watch=true").await;
    assert_eq!(pulse.silence(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_pulse_beats_with_each_part_of_a_body() {
    let layer = PulseLayer::default();
    let pulse = layer.pulse("/api/v1/pods");
    let (mut parts, body) = mpsc::channel::<Result<&str, Infallible>>(1);
    let body = Mutex::new(Some(axum::body::Body::from_stream(body)));
    let server = service_fn(move |_: Request<Body>| {
        let answer = Response::new(body.lock().take().unwrap());
        async move { Ok::<_, Infallible>(answer) }
    });
    let client = Client::new(layer.layer(server), "default");
    let request = Request::get("/api/v1/pods?watch=true").body(Body::empty());
    let answer = client.send(request.unwrap()).await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    // That the request was accepted is no life: a watch may hang from its begin.
    assert_eq!(pulse.silence(), Duration::from_secs(60));
    assert_eq!(pulse.answered().elapsed(), Duration::from_secs(60));
    let mut body = answer.into_body().into_data_stream();
    let line = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"42"}}}"#;
    for part in ["{}", line, "{}"] {
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(pulse.silence() >= Duration::from_secs(60));
        parts.try_send(Ok(part)).unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), part);
        assert_eq!(pulse.silence(), Duration::ZERO);
    }
    assert_eq!((pulse.take_bookmark(), pulse.take_bookmark()), (42, 0));
}
