use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use kube::Client;
use kube::client::Body;
use tokio::time::sleep;
use tower::service_fn;

use super::*;

/// Asks for paths at once. Returns the most answers that were under way at a time.
async fn most_at_a_time(paths: [&str; 4]) -> usize {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (now.clone(), most.clone());
    let server = service_fn(move |_: Request<Body>| {
        let (count, peak) = (count.clone(), peak.clone());
        async move {
            peak.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            sleep(Duration::from_secs(1)).await;
            count.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Response::new(Body::from(b"{}".to_vec())))
        }
    });
    let client = Client::new(ListLayer::default().layer(server), "default");
    let get = |path: &str| {
        let request = Request::get(path).body(Vec::new()).unwrap();
        let client = client.clone();
        async move { client.request_text(request).await.unwrap() }
    };
    join_all(paths.map(get)).await;
    most.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn pages_come_one_at_a_time() {
    let pages = [
        "/api/v1/pods?&limit=50",
        "/api/v1/configmaps?&limit=50",
        "/api/v1/pods?&limit=50&continue=x",
        "/apis/apps/v1/deployments?&limit=50",
    ];
    assert_eq!(most_at_a_time(pages).await, 1);
}

#[tokio::test(start_paused = true)]
async fn watches_wait_for_nobody() {
    let others = [
        "/api/v1/pods?&watch=true&timeoutSeconds=80",
        "/api/v1/configmaps?&watch=true",
        "/api/v1/namespaces/shop/configmaps/app",
        "/apis/apps/v1/deployments?&watch=true",
    ];
    assert_eq!(most_at_a_time(others).await, 4);
}

/// As long as a body is not read to its end, the next one waits, but not for ever.
#[tokio::test(start_paused = true)]
async fn a_page_that_hangs_holds_others_up_for_a_while() {
    let server =
        service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let mut service = ListLayer::default().layer(server);
    let mut page = || {
        let request = Request::get("/api/v1/pods?limit=50").body(Body::empty());
        service.call(request.unwrap())
    };
    let begin = tokio::time::Instant::now();
    let hangs = page().await.unwrap();
    page().await.unwrap();
    assert_eq!(begin.elapsed(), PATIENCE);
    drop(hangs);
    page().await.unwrap();
    assert_eq!(begin.elapsed(), PATIENCE);
}
