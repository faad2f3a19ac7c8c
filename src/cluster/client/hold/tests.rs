use std::convert::Infallible;

use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::*;

/// Asks two times, the first of which is refused like this. Returns how long the
/// second took.
async fn second(status: StatusCode, retry_after: &'static str) -> Duration {
    let mut refused = false;
    let server = service_fn(move |_: Request<Body>| {
        let mut answer = Response::new(Body::empty());
        if !std::mem::replace(&mut refused, true) {
            *answer.status_mut() = status;
            let told = http::HeaderValue::from_static(retry_after);
            answer.headers_mut().insert(RETRY_AFTER, told);
        }
        async { Ok::<_, Infallible>(answer) }
    });
    let client = Client::new(HoldLayer::default().layer(server), "default");
    let get = |path| client.send(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/api/v1/pods").await.unwrap().status(), status);
    let begun = Instant::now();
    assert_eq!(get("/api/v1/secrets").await.unwrap().status(), 200);
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_time_that_was_told() {
    let told = second(StatusCode::TOO_MANY_REQUESTS, "7").await;
    assert!(told >= Duration::from_secs(7), "{told:?}");
    assert!(told < Duration::from_secs(8), "{told:?}");
    let bounded = second(StatusCode::TOO_MANY_REQUESTS, "86400").await;
    assert!(bounded < LONGEST + Duration::from_secs(1), "{bounded:?}");
}

#[tokio::test(start_paused = true)]
async fn others_answers_hold_nothing_back() {
    let moment = Duration::from_millis(1);
    assert!(second(StatusCode::TOO_MANY_REQUESTS, "soon").await < moment);
    assert!(second(StatusCode::SERVICE_UNAVAILABLE, "7").await < moment);
}
