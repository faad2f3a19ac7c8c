//! Something between the operator and the API server: sees what is asked for,
//! holds back answers, gives others, and fails in the ways in which networks and
//! servers do.

mod act;
mod tls;

use std::sync::Arc;

use anyhow::{Context as _, bail};
use http::HeaderName;
use http::header::{ACCEPT, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

pub(crate) use self::act::{Act, Falsify, Line, status};
pub(crate) use self::tls::Authority;
use testkit::{Cluster, Result};

/// An error here ends the connection, as a reset does.
type Failure = anyhow::Error;
type Body = UnsyncBoxBody<Bytes, Failure>;
type Response = http::Response<Body>;
type Rule = Arc<dyn Fn(&Parts) -> Act + Send + Sync>;

/// A proxy, with the credentials of who asks.
pub(crate) struct Proxy {
    pub(crate) url: String,
    /// Whose certificates it shows, if it does.
    pub(crate) authority: Option<Arc<Authority>>,
    shared: Arc<Shared>,
    port: u16,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// A request that came by.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) accept: String,
    /// The status of its answer, once there is one.
    pub(crate) code: Option<u16>,
}

struct Shared {
    server: Client,
    authority: Option<Arc<Authority>>,
    rule: watch::Sender<Rule>,
    passed: Mutex<Vec<Passed>>,
}

impl Proxy {
    /// One that passes everything on, over plain HTTP.
    pub(crate) async fn start(cluster: &Cluster) -> Result<Self> {
        Self::with(cluster, None).await
    }

    /// One that speaks TLS.
    pub(crate) async fn secure(cluster: &Cluster, authority: Authority) -> Result<Self> {
        Self::with(cluster, Some(Arc::new(authority))).await
    }

    async fn with(cluster: &Cluster, authority: Option<Arc<Authority>>) -> Result<Self> {
        let plane = cluster.plane();
        let mut config = Config::new(plane.server().parse()?);
        config.root_cert = Some(certificates(&std::fs::read_to_string(plane.ca())?)?);
        config.default_retry = false;
        let pass: Rule = Arc::new(|_| Act::Pass);
        let shared = Arc::new(Shared {
            server: Client::try_from(config)?,
            authority: authority.clone(),
            rule: watch::Sender::new(pass),
            passed: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let scheme = if authority.is_some() { "https" } else { "http" };
        let proxy = Self {
            url: format!("{scheme}://127.0.0.1:{port}"),
            authority,
            shared,
            port,
            accepting: Mutex::default(),
        };
        proxy.accept(listener);
        Ok(proxy)
    }

    fn accept(&self, listener: TcpListener) {
        let task = tokio::spawn(accept(listener, self.shared.clone()));
        *self.accepting.lock() = Some(task);
    }

    /// Refuses connections from now on, and ends those that there are.
    pub(crate) async fn close(&self) {
        let task = self.accepting.lock().take();
        if let Some(task) = task {
            task.abort();
            // Cancelled: that is what was asked for.
            let _ = task.await;
        }
    }

    /// Accepts connections again.
    pub(crate) async fn open(&self) -> Result {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.accept(listener);
        Ok(())
    }

    /// Ends all connections there are, and accepts others.
    pub(crate) async fn cut(&self) -> Result {
        self.close().await;
        self.open().await
    }

    /// What to do with each request from now on; one that is held is asked of again.
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
        if let Some(task) = self.accepting.lock().take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // What breaks off does so by a reset, not by an end that looks orderly.
        let _ = stream.set_zero_linger();
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(stream, shared.clone()));
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let Some(authority) = &shared.authority else {
        return talk(stream, shared).await;
    };
    // A handshake that fails is the other side's to tell of.
    if let Ok(stream) = authority.acceptor().accept(stream).await {
        talk(stream, shared).await;
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { shared.answer(request).await }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // It fails where it is told to.
    let _ = served.await;
}

impl Shared {
    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> Result<Response> {
        let (head, body) = request.into_parts();
        let rule = self.rule.borrow().clone();
        let on_the_way = matches!(rule(&head), Act::HoldOnTheWay);
        let number = {
            let mut passed = self.passed.lock();
            passed.push(Passed {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                accept: header(&head, ACCEPT),
                code: None,
            });
            passed.len() - 1
        };
        let body = body.collect().await?.to_bytes();
        let answered = async move {
            let answer = self.act(head, body).await?;
            self.passed.lock()[number].code = Some(answer.status().as_u16());
            Ok(answer)
        };
        match on_the_way {
            true => tokio::spawn(answered).await?,
            false => answered.await,
        }
    }

    async fn act(&self, mut head: Parts, body: Bytes) -> Result<Response> {
        let mut rules = self.rule.subscribe();
        let act = loop {
            let rule = rules.borrow_and_update().clone();
            match rule(&head) {
                Act::Hold | Act::HoldOnTheWay => rules.changed().await?,
                act => break act,
            }
        };
        match &act {
            Act::Answer(status, body) => return act::answer(*status, &[], body.clone()),
            Act::Throttle(seconds) => return act::throttle(*seconds),
            Act::Drop => bail!("dropped"),
            Act::Late(time) => sleep(*time).await,
            Act::Whole => {
                head.headers.remove(ACCEPT);
            }
            Act::Ask(change) => change(&mut head),
            _ => {}
        }
        for name in [HOST, TRANSFER_ENCODING] {
            head.headers.remove(name);
        }
        let request = http::Request::from_parts(head, body.into());
        let (mut head, body) = self.server.send(request).await?.into_parts();
        if let Act::Dated(seconds) = act {
            act::dated(&mut head.headers, seconds)?;
        }
        match act {
            Act::Lose => bail!("the answer is lost"),
            Act::Falsify(falsify) => {
                let body = body.collect_bytes().await?.to_vec();
                let (status, body) = falsify(head.status.as_u16(), body);
                head.status = status.try_into()?;
                head.headers.remove(CONTENT_LENGTH);
                Ok(Response::from_parts(head, act::whole(body)))
            }
            Act::Break(bytes) => Ok(Response::from_parts(head, act::broken(body, bytes))),
            Act::Lines(change) => Ok(Response::from_parts(head, act::lines(body, change))),
            _ => Ok(Response::from_parts(head, act::boxed(body))),
        }
    }
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
                .context("no end")?
                .split_whitespace()
                .collect();
            Ok(base64::engine::general_purpose::STANDARD.decode(text)?)
        })
        .collect()
}
