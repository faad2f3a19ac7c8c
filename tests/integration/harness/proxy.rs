//! Something between the operator and the API server: sees what is asked for,
//! holds back answers, gives others.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request as Incoming, State};
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderName, StatusCode};
use http_body_util::BodyExt as _;
use kube::{Client, Config};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Cluster, Result};

/// Makes another answer of one: status and body.
pub(crate) type Falsify = Arc<dyn Fn(u16, Vec<u8>) -> (u16, Vec<u8>) + Send + Sync>;

/// What is done with a request.
#[derive(Clone, Default)]
pub(crate) enum Act {
    /// It is passed on, and so is the answer.
    #[default]
    Pass,
    /// It waits until the rule gives something else.
    Hold,
    /// It is passed on as if nothing but whole objects had been asked for.
    Whole,
    /// It is passed on, and its answer falsified.
    Falsify(Falsify),
    /// It is not passed on, and answered with this.
    Answer(u16, Vec<u8>),
}

type Rule = Arc<dyn Fn(&Parts) -> Act + Send + Sync>;

/// A proxy, over plain HTTP and with the credentials of who asks.
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// A request that came by.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) path: String,
    pub(crate) accept: String,
}

struct Shared {
    server: Client,
    rule: watch::Sender<Rule>,
    passed: Mutex<Vec<Passed>>,
}

impl Proxy {
    /// One that passes everything on.
    pub(crate) async fn start(cluster: &Cluster) -> Result<Self> {
        let plane = cluster.plane();
        let mut config = Config::new(plane.server().parse()?);
        config.root_cert = Some(certificates(&std::fs::read_to_string(plane.ca())?)?);
        config.default_retry = false;
        let pass: Rule = Arc::new(|_| Act::Pass);
        let shared = Arc::new(Shared {
            server: Client::try_from(config)?,
            rule: watch::Sender::new(pass),
            passed: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass_on).with_state(shared.clone());
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, task })
    }

    /// What to do with each request from now on.
    pub(crate) fn rule(&self, rule: impl Fn(&Parts) -> Act + Send + Sync + 'static) {
        let rule: Rule = Arc::new(rule);
        self.shared.rule.send_replace(rule);
    }

    /// All requests so far.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        self.shared.passed.lock().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Incoming) -> Response {
    match shared.answer(request).await {
        Ok(answer) => answer,
        Err(error) => answer(
            StatusCode::BAD_GATEWAY.as_u16(),
            error.to_string().into_bytes(),
        ),
    }
}

impl Shared {
    async fn answer(&self, request: Incoming) -> Result<Response> {
        let (mut head, body) = request.into_parts();
        self.passed.lock().push(Passed {
            path: head.uri.to_string(),
            accept: header(&head, ACCEPT),
        });
        let mut rules = self.rule.subscribe();
        let act = loop {
            let rule = rules.borrow_and_update().clone();
            match rule(&head) {
                Act::Hold => rules.changed().await?,
                act => break act,
            }
        };
        if let Act::Answer(status, body) = act {
            return Ok(answer(status, body));
        }
        if matches!(act, Act::Whole) {
            head.headers.remove(ACCEPT);
        }
        let body = body.collect().await?.to_bytes();
        for name in [HOST, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
        let request = http::Request::from_parts(head, body.into());
        let (head, body) = self.server.send(request).await?.into_parts();
        if let Act::Falsify(falsify) = act {
            let body = body.collect_bytes().await?.to_vec();
            let (status, body) = falsify(head.status.as_u16(), body);
            let mut falsified = Response::from_parts(head, axum::body::Body::from(body));
            *falsified.status_mut() = StatusCode::from_u16(status)?;
            falsified.headers_mut().remove(CONTENT_LENGTH);
            return Ok(falsified);
        }
        Ok(Response::from_parts(head, axum::body::Body::new(body)))
    }
}

fn answer(status: u16, body: Vec<u8>) -> Response {
    let mut answer = Response::new(axum::body::Body::from(body));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    answer
}

fn header(head: &Parts, name: HeaderName) -> String {
    let value = head.headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// The certificates of a PEM file, as DER.
fn certificates(pem: &str) -> Result<Vec<Vec<u8>>> {
    use base64::Engine as _;
    let parts = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    parts
        .map(|part| {
            let text: String = part
                .split("-----END")
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
        })
        .collect()
}
