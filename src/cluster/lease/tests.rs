//! Candidates against a small API server in memory that holds one Lease, checks
//! resourceVersions as the real one does, and misbehaves on demand. On paused time.

use super::*;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

type Answer = Response<axum::body::Body>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fault {
    #[default]
    None,
    /// No answer, and nothing is done.
    Silent,
    /// The request is carried out, the answer lost.
    AnswerLost,
    /// An error of the server.
    Unavailable,
}

#[derive(Debug, Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
    watchers: Vec<mpsc::UnboundedSender<Bytes>>,
    faults: HashMap<&'static str, Fault>,
    no_watch: bool,
    /// Requests by who and verb.
    requests: BTreeMap<(&'static str, &'static str), usize>,
    /// Accepted writes: when, by whom, the holder then.
    writes: Vec<(Instant, &'static str, Option<String>)>,
}

type Shared = Arc<Mutex<Server>>;

fn client(server: &Shared, who: &'static str) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request| answer(Arc::clone(&server), who, request));
    Client::new(service, "ns")
}

async fn answer(
    server: Shared,
    who: &'static str,
    request: Request<Body>,
) -> Result<Answer, Infallible> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let path = request.uri().path().to_owned();
    let verb = match (request.method(), query.contains("watch=true")) {
        (&Method::GET, true) => "watch",
        (&Method::GET, false) if path.ends_with("/leases") => "list",
        (&Method::GET, false) => "get",
        (&Method::POST, _) => "create",
        _ => "update",
    };
    let fault = {
        let mut server = server.lock();
        *server.requests.entry((who, verb)).or_default() += 1;
        server.faults.get(who).copied().unwrap_or_default()
    };
    match fault {
        Fault::Silent => std::future::pending().await,
        Fault::Unavailable => return Ok(status(500, "InternalError")),
        Fault::None | Fault::AnswerLost => {}
    }
    let body = request
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let answer = server.lock().carry_out(who, verb, &body);
    if fault == Fault::AnswerLost && verb != "get" {
        std::future::pending().await
    }
    Ok(answer)
}

impl Server {
    fn carry_out(&mut self, who: &'static str, verb: &str, body: &[u8]) -> Answer {
        match verb {
            "get" => match &self.lease {
                Some(lease) => ok(&json!(lease)),
                None => status(404, "NotFound"),
            },
            "list" => ok(&json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "LeaseList",
                "metadata": {"resourceVersion": self.version.to_string()},
                "items": self.lease.iter().collect::<Vec<_>>(),
            })),
            "watch" if self.no_watch => status(403, "Forbidden"),
            "watch" => {
                let (sender, receiver) = mpsc::unbounded_channel();
                self.watchers.push(sender);
                let lines = futures::stream::unfold(receiver, |mut receiver| async move {
                    let line = receiver.recv().await?;
                    Some((Ok::<_, Infallible>(line), receiver))
                });
                Response::new(axum::body::Body::from_stream(lines))
            }
            "create" if self.lease.is_some() => status(409, "AlreadyExists"),
            _ => {
                let lease: Lease = serde_json::from_slice(body).expect("a Lease");
                let current = self
                    .lease
                    .as_ref()
                    .and_then(|l| l.metadata.resource_version.clone());
                if lease.metadata.resource_version != current {
                    return status(409, "Conflict");
                }
                let holder = lease
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.holder_identity.clone());
                self.writes.push((Instant::now(), who, holder));
                self.store(lease);
                ok(&json!(self.lease))
            }
        }
    }

    fn store(&mut self, mut lease: Lease) {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.tell("MODIFIED", &json!(lease));
        self.lease = Some(lease);
    }

    fn delete(&mut self) {
        self.version += 1;
        let lease = self.lease.take();
        self.tell("DELETED", &json!(lease));
    }

    fn tell(&self, kind: &str, object: &Value) {
        let line = Bytes::from(format!("{}\n", json!({"type": kind, "object": object})));
        for watcher in &self.watchers {
            watcher.send(line.clone()).ok();
        }
    }

    fn holder(&self) -> Option<String> {
        self.lease.as_ref()?.spec.as_ref()?.holder_identity.clone()
    }

    fn transitions(&self) -> Option<i32> {
        self.lease.as_ref()?.spec.as_ref()?.lease_transitions
    }
}

fn ok(body: &Value) -> Answer {
    Response::new(body.to_string().into())
}

fn status(code: u16, reason: &str) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason});
    let mut response = ok(&body);
    *response.status_mut() = StatusCode::from_u16(code).expect("a code");
    response
}

struct Replica {
    leadership: watch::Receiver<Leadership>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

fn start(server: &Shared, who: &'static str) -> Replica {
    let config = LeaseConfig::new("ns", "projsync", who);
    let (candidate, leadership) =
        Candidate::new(client(server, who), config).expect("sound durations");
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(candidate.run(async {
        stopped.await.ok();
    }));
    Replica {
        leadership,
        stop: Some(stop),
        task,
    }
}

impl Replica {
    fn leads(&self) -> bool {
        self.leadership.borrow().is_leading(Instant::now())
    }

    /// Waits until it leads; how long that took.
    async fn until_leading(&mut self) -> Duration {
        let begin = Instant::now();
        let wait = self
            .leadership
            .wait_for(|leadership| leadership.is_leading(Instant::now()));
        let led = tokio::time::timeout(Duration::from_secs(600), wait).await;
        assert!(led.is_ok_and(|wait| wait.is_ok()), "never leads");
        begin.elapsed()
    }

    async fn until_standby(&mut self) {
        let wait = self
            .leadership
            .wait_for(|l| matches!(l, Leadership::Standby { holder: Some(_) }));
        assert!(
            tokio::time::timeout(Duration::from_secs(600), wait)
                .await
                .is_ok_and(|w| w.is_ok())
        );
    }

    async fn stop(&mut self) {
        self.stop
            .take()
            .expect("stopped once")
            .send(())
            .expect("runs");
        (&mut self.task).await.expect("no panic");
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Two replicas: "a" leads, "b" stands by.
async fn pair() -> (Shared, Replica, Replica) {
    let server = Shared::default();
    let mut a = start(&server, "a");
    a.until_leading().await;
    let mut b = start(&server, "b");
    b.until_standby().await;
    (server, a, b)
}

#[tokio::test(start_paused = true)]
async fn the_first_creates_the_lease_and_renews_it() {
    let server = Shared::default();
    let mut a = start(&server, "a");
    assert_eq!(*a.leadership.borrow(), Leadership::Unknown);
    assert!(a.until_leading().await < Duration::from_millis(100));
    pass(60).await;
    assert!(a.leads());
    let server = server.lock();
    assert_eq!(
        (server.holder().as_deref(), server.transitions()),
        (Some("a"), Some(0))
    );
    let renewals = server.requests[&("a", "update")];
    assert!(
        (29..=31).contains(&renewals),
        "{renewals} renewals in a minute"
    );
    assert_eq!(server.requests[&("a", "get")], 1, "renewing needs no read");
}

#[tokio::test(start_paused = true)]
async fn of_two_one_leads_and_the_other_costs_little() {
    let (server, a, b) = pair().await;
    for _ in 0..600 {
        pass(1).await;
        assert!(a.leads() && !b.leads());
    }
    assert_eq!(
        *b.leadership.borrow(),
        Leadership::Standby {
            holder: Some("a".into())
        }
    );
    let server = server.lock();
    let reads: usize = server
        .requests
        .iter()
        .filter(|((who, _), _)| *who == "b")
        .map(|(_, n)| n)
        .sum();
    assert!(reads < 320, "{reads} requests of a standby in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_clean_handover_takes_moments() {
    let (server, mut a, mut b) = pair().await;
    pass(30).await;
    a.stop().await;
    assert_eq!(*a.leadership.borrow(), Leadership::Standby { holder: None });
    let took = b.until_leading().await;
    assert!(took < Duration::from_millis(300), "{took:?}");
    assert_eq!(server.lock().transitions(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn twenty_handovers_in_a_row() {
    let (server, mut leader, mut standby) = pair().await;
    for turn in 0..20 {
        leader.stop().await;
        let took = standby.until_leading().await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        leader = standby;
        standby = start(&server, ["a", "b"][turn % 2]);
        standby.until_standby().await;
    }
    assert_eq!(server.lock().transitions(), Some(20));
}

#[tokio::test(start_paused = true)]
async fn without_a_watch_the_standby_polls() {
    let server = Shared::default();
    server.lock().no_watch = true;
    let mut a = start(&server, "a");
    a.until_leading().await;
    let mut b = start(&server, "b");
    b.until_standby().await;
    pass(30).await;
    a.stop().await;
    let took = b.until_leading().await;
    assert!(took <= Duration::from_millis(4500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_killed_leader_is_succeeded_after_the_lease_duration() {
    let (server, a, mut b) = pair().await;
    pass(30).await;
    a.task.abort();
    let took = b.until_leading().await;
    assert!(
        took > Duration::from_secs(12) && took <= Duration::from_secs(17),
        "{took:?}"
    );
    let server = server.lock();
    let last_of_a = server
        .writes
        .iter()
        .rev()
        .find(|(_, who, _)| *who == "a")
        .expect("wrote")
        .0;
    let first_of_b = server
        .writes
        .iter()
        .find(|(_, who, _)| *who == "b")
        .expect("wrote")
        .0;
    assert!(
        first_of_b - last_of_a >= Duration::from_secs(15),
        "{:?}",
        first_of_b - last_of_a
    );
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_leader_stops_before_another_starts() {
    for fault in [Fault::Silent, Fault::Unavailable, Fault::AnswerLost] {
        let (server, a, b) = pair().await;
        pass(30).await;
        server.lock().faults.insert("a", fault);
        if fault == Fault::AnswerLost {
            // The record is renewed once more, and then each write is a
            // conflict or lost as well: never two at once.
            for _ in 0..600 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(!(a.leads() && b.leads()));
            }
        } else {
            let cut = Instant::now();
            while !b.leads() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(!(a.leads() && b.leads()), "{fault:?}");
                assert!(cut.elapsed() <= Duration::from_secs(18), "{fault:?}");
            }
            assert!(
                matches!(*a.leadership.borrow(), Leadership::Standby { .. }),
                "{fault:?}"
            );
        }
        // Once it is back there is one leader.
        server.lock().faults.clear();
        pass(60).await;
        assert!(a.leads() ^ b.leads(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_no_leadership() {
    let (server, a, b) = pair().await;
    pass(30).await;
    server.lock().faults = HashMap::from([("a", Fault::Silent), ("b", Fault::Silent)]);
    pass(5).await;
    server.lock().faults.clear();
    for _ in 0..30 {
        assert!(a.leads() && !b.leads());
        pass(1).await;
    }
    assert_eq!(server.lock().transitions(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_an_acquisition_is_recovered() {
    let server = Shared::default();
    server.lock().faults.insert("a", Fault::AnswerLost);
    let mut a = start(&server, "a");
    pass(3).await;
    assert_eq!(
        server.lock().holder().as_deref(),
        Some("a"),
        "it was carried out"
    );
    assert!(!a.leads(), "but that is not known");
    server.lock().faults.clear();
    assert!(a.until_leading().await < Duration::from_secs(8));
    assert_eq!(server.lock().transitions(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_edit_of_the_lease_costs_a_conflict_only() {
    let (server, a, _b) = pair().await;
    pass(10).await;
    {
        let mut server = server.lock();
        let mut lease = server.lease.clone().expect("there");
        lease.metadata.labels = Some([("x".to_owned(), "y".to_owned())].into());
        server.store(lease);
    }
    pass(3).await;
    assert!(a.leads());
    let server = server.lock();
    assert_eq!(server.transitions(), Some(0));
    let lease = server.lease.as_ref().expect("there");
    assert!(lease.metadata.labels.is_some(), "the label is kept");
}

#[tokio::test(start_paused = true)]
async fn a_lease_taken_or_deleted_by_hand_is_noticed_at_the_next_renewal() {
    let (server, mut a, _b) = pair().await;
    {
        let mut server = server.lock();
        let mut lease = server.lease.clone().expect("there");
        lease.spec.as_mut().expect("a spec").holder_identity = Some("admin".into());
        server.store(lease);
    }
    a.until_standby().await;
    let (server, a, b) = pair().await;
    server.lock().delete();
    pass(5).await;
    assert!(a.leads() ^ b.leads());
}

#[tokio::test(start_paused = true)]
async fn a_restarted_process_of_the_same_identity_goes_on_at_once() {
    let (server, a, _b) = pair().await;
    a.task.abort();
    let mut again = start(&server, "a");
    assert!(again.until_leading().await < Duration::from_millis(100));
    assert_eq!(server.lock().transitions(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_in_time_though_the_server_is_silent() {
    let (server, mut a, mut b) = pair().await;
    server.lock().faults = HashMap::from([("a", Fault::Silent), ("b", Fault::Silent)]);
    pass(1).await;
    let begin = Instant::now();
    a.stop().await;
    b.stop().await;
    assert!(
        begin.elapsed() <= Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    assert!(!a.leads());
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_stops_leaves_the_lease_alone() {
    let (server, a, mut b) = pair().await;
    b.stop().await;
    assert!(a.leads());
    assert!(server.lock().writes.iter().all(|(_, who, _)| *who == "a"));
}

#[tokio::test]
async fn unsafe_durations_are_refused() {
    let sound = LeaseConfig::new("ns", "projsync", "a");
    let server = Shared::default();
    let unsound = [
        LeaseConfig {
            identity: String::new(),
            ..sound.clone()
        },
        LeaseConfig {
            lease_duration: sound.renew_deadline,
            ..sound.clone()
        },
        LeaseConfig {
            renew_deadline: Duration::from_secs(2),
            ..sound.clone()
        },
        LeaseConfig {
            retry_period: Duration::ZERO,
            ..sound.clone()
        },
        LeaseConfig {
            request_timeout: Duration::ZERO,
            ..sound.clone()
        },
        LeaseConfig {
            request_timeout: Duration::from_secs(11),
            ..sound.clone()
        },
    ];
    for config in unsound {
        let message = Candidate::new(client(&server, "a"), config.clone())
            .expect_err("unsound")
            .to_string();
        assert!(!message.is_empty(), "{config:?}");
    }
}
