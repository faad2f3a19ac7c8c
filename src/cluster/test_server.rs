//! An API server for tests: answers what it was given, and keeps what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use http::header::DATE;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::service_fn;

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: String,
    pub(super) accept: String,
    pub(super) body: Value,
}

/// Answers in the order in which they are given.
#[derive(Clone, Default)]
pub(super) struct TestServer {
    answers: Arc<Mutex<VecDeque<Response<Body>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

const DATE_OF_ALL: &str = "Mon, 24 Nov 2025 10:00:00 GMT";

/// A `Status`, as the API server gives it.
pub(super) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
        "details": {"name": "web", "kind": "secrets"},
    })
}

impl TestServer {
    pub(super) fn answer(&self, code: u16, body: impl ToString) {
        let answer = Response::builder()
            .status(code)
            .header(DATE, DATE_OF_ALL)
            .body(Body::from(body.to_string().into_bytes()))
            .unwrap();
        self.answer_raw(answer);
    }

    pub(super) fn answer_raw(&self, answer: Response<Body>) {
        self.answers.lock().push_back(answer);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock())
    }

    /// A client of it. Without an answer left it never answers.
    pub(super) fn client(&self) -> Client {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let header = |name| {
                    let value = head.headers.get(name);
                    value.map_or("", |value| value.to_str().unwrap()).to_owned()
                };
                server.asked.lock().push(Asked {
                    path: head.uri.path().to_owned(),
                    query: head.uri.query().unwrap_or_default().to_owned(),
                    content_type: header(http::header::CONTENT_TYPE),
                    accept: header(http::header::ACCEPT),
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                    method: head.method,
                });
                let answer = server.answers.lock().pop_front();
                match answer {
                    Some(answer) => Ok::<_, Infallible>(answer),
                    None => std::future::pending().await,
                }
            }
        });
        Client::new(service, "default")
    }
}
