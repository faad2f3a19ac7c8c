use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::*;

const PODS: &str = "/api/v1/pods?watch=true";

/// A client whose server ends each watch after this time.
fn client(lasts: Duration) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let server = service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let end = Instant::now() + lasts;
        let silence = futures::stream::once(async move {
            sleep_until(end).await;
            Ok::<_, Infallible>(Bytes::new())
        });
        let body = axum::body::Body::from_stream(silence);
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let client = Client::new(PaceLayer::default().layer(server), "default");
    (client, asked)
}

/// The status of an answer, and how long it and its body took.
async fn get(client: &Client, path: &str) -> (u16, Duration) {
    let begun = Instant::now();
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (head, body) = client.send(request).await.unwrap().into_parts();
    body.collect_bytes().await.unwrap();
    (head.status.as_u16(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_begin_once_a_second_and_then_fail() {
    let (client, asked) = client(Duration::ZERO);
    assert_eq!(get(&client, PODS).await, (200, Duration::ZERO));
    // Others don't wait for it.
    let secrets = "/api/v1/secrets?a=b&watch=true";
    assert_eq!(get(&client, secrets).await, (200, Duration::ZERO));
    for _ in 0..2 {
        let list = "/api/v1/pods?limit=500";
        assert_eq!(get(&client, list).await, (200, Duration::ZERO));
    }
    assert_eq!(get(&client, PODS).await, (200, SHORT));
    assert_eq!(get(&client, PODS).await, (200, SHORT));
    let before = asked.load(Ordering::Relaxed);
    assert_eq!(get(&client, PODS).await, (410, Duration::ZERO));
    assert_eq!(asked.load(Ordering::Relaxed), before, "it was asked");
    // Each that is short is followed by a failure, until one is not.
    assert_eq!(get(&client, PODS).await, (200, SHORT));
    assert_eq!(get(&client, PODS).await, (410, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn watches_that_last_begin_at_once() {
    let (client, _) = client(SHORT);
    for _ in 0..10 {
        assert_eq!(get(&client, PODS).await, (200, SHORT));
    }
}
