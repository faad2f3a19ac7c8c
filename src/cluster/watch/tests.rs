use std::convert::Infallible as Never;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream;
use http::header::ACCEPT;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::advance;
use tower::{Layer, service_fn};

use super::*;
use crate::cluster::views::{AnySource, View};
use crate::kinds::SourceKind;

type SecretView = View<AnySource>;

/// What was told, one word each.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take_in(&self, change: Change<SecretView>) {
        let line = match change {
            Change::Listing => "listing".to_owned(),
            Change::Listed(object) => format!("listed {}", Key::of(&object)),
            Change::Synced(keys) => {
                let mut keys: Vec<_> = keys.iter().map(Key::to_string).collect();
                keys.sort_unstable();
                format!("synced {}", keys.join(" "))
            }
            Change::Applied(object) => format!("applied {}", Key::of(&object)),
            Change::Deleted(object) => format!("deleted {}", Key::of(&object)),
            Change::Denied(denial) => format!("denied {denial:?}"),
            Change::Undone => "undone".to_owned(),
        };
        self.0.lock().push(line);
    }

    fn sink(&self) -> impl FnMut(Change<SecretView>) + Send + use<> {
        let told = self.clone();
        move |change| told.take_in(change)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

fn object(name: &str, version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {
            "namespace": "shop", "name": name, "uid": name, "resourceVersion": version,
            "creationTimestamp": "2025-11-24T10:00:00Z",
        },
    })
}

fn view(name: &str) -> SecretView {
    serde_json::from_value(object(name, "7")).unwrap()
}

/// A watch whose API server only says in which version it is.
fn idle(optional: bool) -> Watch<SecretView> {
    let list = json!({
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "9"}, "items": [],
    });
    let server = service_fn(move |_: Request<Body>| {
        let answer = Response::new(Body::from(list.to_string().into_bytes()));
        async move { Ok::<_, Never>(answer) }
    });
    let api = Api::all_with(Client::new(server, "default"), &SourceKind::SECRET);
    let options = WatchOptions {
        optional,
        ..WatchOptions::default()
    };
    Watch::new(
        "Secret",
        api,
        &PulseLayer::default(),
        &History::default(),
        options,
    )
}

fn refused(code: u16) -> watcher::Error {
    watcher::Error::InitialListFailed(denied(code, "InternalError"))
}

fn denied(code: u16, reason: &str) -> kube::Error {
    let mut status = kube::core::Status::failure("made up", reason);
    status.code = code;
    kube::Error::Api(Box::new(status))
}

/// Follows a stream to its end.
async fn follow(
    watch: &Watch<SecretView>,
    items: Vec<watcher::Result<Event<SecretView>>>,
) -> Vec<String> {
    let told = Told::default();
    let mut retry = Retry::default();
    watch
        .follow(
            stream::iter(items),
            &mut watch.history.follow(),
            &mut retry,
            &mut told.sink(),
        )
        .await;
    told.take()
}

#[tokio::test(start_paused = true)]
async fn a_complete_list_names_what_there_is() {
    let watch = idle(false);
    let told = follow(
        &watch,
        vec![
            Ok(Event::Init),
            Ok(Event::InitApply(view("a"))),
            Ok(Event::InitApply(view("b"))),
            Ok(Event::InitDone),
            Ok(Event::Apply(view("c"))),
            Ok(Event::Delete(view("a"))),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "listing",
            "listed shop/a",
            "listed shop/b",
            "synced shop/a shop/b",
            "applied shop/c",
            "deleted shop/a",
        ]
    );
    let report = watch.health().report();
    assert!(report.synced && !report.listing);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_breaks_off_counts_for_nothing() {
    let watch = idle(false);
    let told = follow(
        &watch,
        vec![
            Ok(Event::Init),
            Ok(Event::InitApply(view("a"))),
            Err(refused(500)),
            Ok(Event::Init),
            Ok(Event::InitApply(view("b"))),
            Ok(Event::InitDone),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "listing",
            "listed shop/a",
            "listing",
            "listed shop/b",
            "synced shop/b"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_though_each_try_begins_a_list() {
    let watch = idle(false);
    let start = Instant::now();
    let tries = (0..8).flat_map(|_| [Ok(Event::Init), Err(refused(500))]);
    follow(&watch, tries.collect()).await;
    // 0.8 s, doubled up to 30 s.
    assert!(
        start.elapsed() > Duration::from_secs(80),
        "{:?}",
        start.elapsed()
    );
    let report = watch.health().report();
    assert_eq!(report.errors, 8);
    assert_eq!(
        report.failure.as_deref(),
        Some("list failed: 500 InternalError: made up")
    );
    assert!(!report.synced);
}

/// Listing again and again costs the API server more than anything else.
#[tokio::test(start_paused = true)]
async fn lists_that_nothing_follows_back_off() {
    let watch = idle(false);
    let start = Instant::now();
    let gone = || {
        let status = kube::core::Status::failure("too old", "Expired").with_code(410);
        watcher::Error::WatchError(status.boxed())
    };
    let tries = (0..8).flat_map(|_| [Ok(Event::Init), Ok(Event::InitDone), Err(gone())]);
    follow(&watch, tries.collect()).await;
    assert!(
        start.elapsed() > Duration::from_secs(80),
        "{:?}",
        start.elapsed()
    );
}

/// An API server may say it by the status of its answer, too.
#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_is_not_asked_for_again() {
    let watch = idle(false);
    let status = kube::core::Status::failure("too old", "Expired").with_code(410);
    let gone = watcher::Error::WatchStartFailed(kube::Error::Api(status.boxed()));
    let items = vec![
        Ok(Event::Init),
        Ok(Event::InitDone),
        Err(gone),
        Ok(Event::Apply(view("never"))),
    ];
    let told = follow(&watch, items).await;
    assert_eq!(told, ["listing", "synced "]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_over_once_something_comes() {
    let watch = idle(false);
    follow(&watch, vec![Err(refused(500))]).await;
    assert_eq!(watch.health().report().errors, 1);
    // A bookmark, say, which the stream does not show.
    watch.pulse.show(b"");
    let report = watch.health().report();
    assert_eq!((report.errors, report.failure), (0, None));
    // But if the next comes at once it was not: an answer may break off, too.
    follow(&watch, vec![Err(refused(500))]).await;
    assert_eq!(watch.health().report().errors, 2);
    let later = stream::once(async {
        tokio::time::sleep(LASTING).await;
        Err(refused(500))
    });
    let mut retry = Retry::default();
    watch
        .follow(
            later,
            &mut watch.history.follow(),
            &mut retry,
            &mut Told::default().sink(),
        )
        .await;
    assert_eq!(watch.health().report().errors, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_left_out_until_it_is_listed() {
    for (code, reason, told) in [
        (403, "Forbidden", "denied Forbidden"),
        (404, "NotFound", "denied UnknownType"),
    ] {
        for optional in [false, true] {
            let watch = idle(optional);
            let refused = || watcher::Error::InitialListFailed(denied(code, reason));
            let mut tries = vec![Ok(Event::Init), Err(refused()), Err(refused())];
            let told: &[&str] = match optional {
                true => &["listing"],
                false => &["listing", told],
            };
            assert_eq!(follow(&watch, tries).await, told, "{code}");
            let report = watch.health().report();
            assert!(report.synced && report.left_out.is_some(), "{report:?}");

            tries = vec![Ok(Event::Init), Ok(Event::InitDone)];
            assert_eq!(follow(&watch, tries).await, ["listing", "synced "]);
            assert_eq!(watch.health().report().left_out, None);
        }
    }
}

/// An API server that has just started denies what it allows a moment later.
#[tokio::test(start_paused = true)]
async fn what_was_listed_is_left_out_only_where_it_stays_denied() {
    let watch = idle(false);
    let refused = || Err(watcher::Error::WatchStartFailed(denied(403, "Forbidden")));
    let listed = vec![Ok(Event::Init), Ok(Event::InitDone), refused(), refused()];
    assert_eq!(follow(&watch, listed).await, ["listing", "synced "]);
    assert_eq!(watch.health().report().left_out, None);
    // It is listed anew then, since nothing else says that it is there again.
    let told = follow(&watch, vec![refused(), Ok(Event::Init)]).await;
    assert_eq!(told, ["denied Forbidden"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_given_up() {
    let watch = idle(false);
    let start = Instant::now();
    let mut retry = Retry::default();
    watch
        .follow(
            stream::pending(),
            &mut watch.history.follow(),
            &mut retry,
            &mut Told::default().sink(),
        )
        .await;
    assert_eq!(start.elapsed(), Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_keep_a_quiet_watch_going() {
    let watch = idle(false);
    let start = Instant::now();
    let pulse = watch.pulse.clone();
    let told = Told::default();
    let bookmarks = async {
        for _ in 0..10 {
            advance(Duration::from_secs(60)).await;
            pulse.show(b"");
        }
    };
    let mut retry = Retry::default();
    let mut sink = told.sink();
    let mut history = watch.history.follow();
    let follow = watch.follow(stream::pending(), &mut history, &mut retry, &mut sink);
    tokio::join!(follow, bookmarks);
    assert_eq!(start.elapsed(), Duration::from_secs(720));
}

/// An API server that answers lists, in the version 9, and never anything to a watch.
fn server(lists: Arc<AtomicUsize>) -> impl Fn(Request<Body>) -> Response<axum::body::Body> + Clone {
    in_version(Arc::new(AtomicUsize::new(9)), lists)
}

/// The same in a version that may change.
fn in_version(
    version: Arc<AtomicUsize>,
    lists: Arc<AtomicUsize>,
) -> impl Fn(Request<Body>) -> Response<axum::body::Body> + Clone {
    move |request| {
        let accept = request.headers()[ACCEPT].to_str().unwrap();
        let query = request.uri().query().unwrap_or_default();
        assert_eq!(request.uri().path(), "/api/v1/namespaces/shop/secrets");
        if query.contains("watch=true") {
            assert!(accept.contains("as=PartialObjectMetadata;"), "{accept}");
            assert!(query.contains("timeoutSeconds=80"), "{query}");
            assert!(query.contains("allowWatchBookmarks=true"), "{query}");
            let silent = stream::pending::<Result<&str, Never>>();
            return Response::new(axum::body::Body::from_stream(silent));
        }
        assert!(accept.contains("as=PartialObjectMetadataList;"), "{accept}");
        // One that only asks for the version.
        if !query.contains("limit=1&") && !query.ends_with("limit=1") {
            lists.fetch_add(1, Ordering::SeqCst);
        }
        let version = version.load(Ordering::SeqCst).to_string();
        let list = json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"resourceVersion": version},
            "items": [object("a", "3"), {"metadata": {"name": "bad"}}],
        });
        Response::new(list.to_string().into())
    }
}

/// A watch of an API server that is in this version, and what it told.
fn watching(
    version: &Arc<AtomicUsize>,
    lists: &Arc<AtomicUsize>,
) -> (Watch<SecretView>, History, Told) {
    let answer = in_version(version.clone(), lists.clone());
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Never>(answer) }
    });
    let (pulses, history) = (PulseLayer::default(), History::default());
    let client = Client::new(pulses.layer(service), "default");
    let api: Api<SecretView> = Api::namespaced_with(client, "shop", &SourceKind::SECRET);
    let watch = Watch::new("Secret", api, &pulses, &history, WatchOptions::default());
    (watch, history, Told::default())
}

const LISTED: [&str; 4] = [
    "listing",
    "listed shop/a",
    "listed bad",
    "synced bad shop/a",
];

/// Not even bookmarks: where nothing of a kind is written, etcd tells of progress every ten
/// minutes.
#[tokio::test(start_paused = true)]
async fn a_watch_that_is_accepted_may_be_quiet_for_a_while() {
    let lists = Arc::new(AtomicUsize::new(0));
    let (watch, _, told) = watching(&Arc::new(AtomicUsize::new(9)), &lists);
    let health = watch.health();
    assert_eq!(health.to_string(), "Secret in shop");
    let task = tokio::spawn(watch.run(told.sink()));
    tokio::time::sleep(QUIET).await;
    assert!(!task.is_finished() && health.is_synced());
    assert_eq!(told.take(), LISTED);
    assert_eq!(lists.load(Ordering::SeqCst), 1);
    assert!(health.report().silence <= Duration::from_secs(120));
    // For ever it may not: it hangs.
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(lists.load(Ordering::SeqCst), 2);
    assert_eq!(health.report().stalls, 1);
    task.abort();
}

/// As after etcd was restored: the watch would go on from a version that does not exist any
/// more, and is accepted all the same.
#[tokio::test(start_paused = true)]
async fn a_version_below_one_that_was_seen_begins_another_history() {
    let version = Arc::new(AtomicUsize::new(9));
    let (watch, history, told) = watching(&version, &Arc::default());
    let health = watch.health();
    let task = tokio::spawn(watch.run(told.sink()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(told.take(), LISTED);
    version.store(5, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(121)).await;
    assert_eq!(told.take(), [&["undone"][..], &LISTED].concat());
    assert_eq!(history.number(), 1);
    assert!(health.is_synced_in(1) && !health.is_synced_in(0));
    // There it goes on.
    version.store(6, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(told.take(), [""; 0]);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_watch_asks_for_the_version_once_the_connection_was_lost() {
    let version = Arc::new(AtomicUsize::new(4));
    let (watch, history, told) = watching(&version, &Arc::default());
    let lost = || {
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        Err(watcher::Error::WatchFailed(kube::Error::Service(
            error.into(),
        )))
    };
    let mut seen = view("a");
    seen.meta_mut().resource_version = Some("5".to_owned());
    let items = vec![lost(), Ok(Event::Apply(seen)), lost(), Ok(Event::Init)];
    let items = stream::iter(items).chain(stream::pending());
    let mut follow = watch.history.follow();
    let mut retry = Retry::default();
    watch
        .follow(items, &mut follow, &mut retry, &mut told.sink())
        .await;
    assert_eq!(told.take(), ["applied shop/a", "undone"]);
    assert_eq!(history.number(), 1);
}

/// A watch whose version is undone lists anew, too, and says nothing more of it.
#[tokio::test(start_paused = true)]
async fn all_watches_list_in_another_history() {
    let (watch, history, told) = watching(&Arc::new(AtomicUsize::new(9)), &Arc::default());
    let health = watch.health();
    let task = tokio::spawn(watch.run(told.sink()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    history.begin_another();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told.take(), [LISTED, LISTED].concat());
    assert!(health.is_synced_in(1));
    task.abort();
}

/// The connection is dead: not even a new request is answered.
#[tokio::test(start_paused = true)]
async fn a_watch_whose_requests_hang_is_begun_anew() {
    let lists = Arc::new(AtomicUsize::new(0));
    let answer = server(lists.clone());
    let watches = Arc::new(AtomicUsize::new(0));
    let service = service_fn(move |request: Request<Body>| {
        let is_watch = request
            .uri()
            .query()
            .is_some_and(|query| query.contains("watch=true"));
        let hangs = is_watch && watches.fetch_add(1, Ordering::SeqCst) == 1;
        let answer = answer(request);
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok::<_, Never>(answer)
        }
    });
    let pulses = PulseLayer::default();
    let client = Client::new(pulses.layer(service), "default");
    let api: Api<SecretView> = Api::namespaced_with(client, "shop", &SourceKind::SECRET);
    let watch = Watch::new(
        "Secret",
        api,
        &pulses,
        &History::default(),
        WatchOptions::default(),
    );
    let health = watch.health();
    let task = tokio::spawn(watch.run(Told::default().sink()));
    tokio::time::sleep(Duration::from_secs(180)).await;
    task.abort();
    assert_eq!(lists.load(Ordering::SeqCst), 2);
    assert_eq!(health.report().stalls, 1);
}
