//! The API server: what the operator asks of it, answered from the store.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http::header::DATE;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::service_fn;

use super::cluster::Cluster;
use super::faults::{Fault, Target};
use super::objects::Kind;
use crate::api::names::REVISION_ANNOTATION;

/// The most milliseconds that a request takes to come, and its answer to go.
const LATENCY: u64 = 40;

struct Answer {
    code: u16,
    body: Value,
}

/// A service that answers as the API server does.
pub(super) fn service(
    cluster: Arc<Mutex<Cluster>>,
) -> impl tower::Service<
    Request<Body>,
    Response = Response<Body>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
> + Clone
+ Send
+ 'static {
    service_fn(move |request: Request<Body>| {
        // What has been sent is done, whatever becomes of the sender.
        let done = tokio::spawn(serve(cluster.clone(), request));
        async move { Ok(done.await.unwrap()) }
    })
}

async fn serve(cluster: Arc<Mutex<Cluster>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (there, back) = {
        let mut cluster = cluster.lock();
        (cluster.millis(1, LATENCY), cluster.millis(1, LATENCY))
    };
    sleep(there).await;
    let path: Vec<&str> = head.uri.path().split('/').collect();
    let answer = cluster.lock().answer(&head.method, &path, &body);
    let Some(answer) = answer else {
        return pending().await;
    };
    let date = Timestamp::from_second(cluster.lock().second()).unwrap();
    sleep(back).await;
    Response::builder()
        .status(answer.code)
        .header(
            DATE,
            rfc2822::to_string(&date.to_zoned(jiff::tz::TimeZone::UTC)).unwrap(),
        )
        .body(Body::from(answer.body.to_string().into_bytes()))
        .unwrap()
}

/// The API server's word that something went wrong.
fn status(code: u16, reason: &str, name: &str) -> Option<Answer> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": reason, "details": {"name": name},
    });
    Some(Answer { code, body })
}

fn metadata(object: &Value) -> Option<Answer> {
    let body = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    });
    Some(Answer { code: 200, body })
}

impl Cluster {
    /// Answers a request, or never does.
    fn answer(&mut self, method: &Method, path: &[&str], body: &Value) -> Option<Answer> {
        let Some(after) = path.iter().position(|part| *part == "namespaces") else {
            let body = json!({});
            return Some(Answer { code: 200, body });
        };
        let [_, _, plural, name, rest @ ..] = &path[after..] else {
            panic!("not a path of an object: {path:?}");
        };
        let kind = Kind::of_path(plural).unwrap();
        let target = match kind {
            Kind::ConfigMap | Kind::Secret => Target::Reads,
            Kind::Projection | Kind::SyncPolicy => Target::Reports,
            _ => Target::Rolls,
        };
        let fault = self.faults.take(target);
        if let Some(fault) = fault {
            self.note(format!("{method} {plural}/{name}: {fault:?}"));
            self.slow(0);
            if target == Target::Reads {
                let second = self.second();
                self.model.failed_reads(second - 3..=second + 35);
            }
        }
        match fault {
            Some(Fault::Error) => return status(500, "InternalError", name),
            Some(Fault::Conflict) => return status(409, "Conflict", name),
            Some(Fault::Hang) => return None,
            Some(Fault::Lost) | None => {}
        }
        let answer = match (method, kind, rest) {
            (&Method::GET, ..) => self.get(kind, name),
            (&Method::DELETE, ..) => self.delete(kind, name),
            (_, Kind::SyncPolicy, ["status"]) => self.patch_status(name, body),
            (_, Kind::Projection, _) => self.patch_projection(name, body),
            _ => self.patch_workload(kind, name, body),
        };
        if fault == Some(Fault::Lost) {
            if target == Target::Rolls {
                self.model.answer_lost(name);
            }
            return None;
        }
        answer
    }

    fn stored(&self, kind: Kind, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&(kind, name.to_owned())).cloned()
    }

    fn get(&mut self, kind: Kind, name: &str) -> Option<Answer> {
        match self.stored(kind, name) {
            Some(object) => Some(Answer {
                code: 200,
                body: (*object).clone(),
            }),
            None => status(404, "NotFound", name),
        }
    }

    fn delete(&mut self, kind: Kind, name: &str) -> Option<Answer> {
        if self.stored(kind, name).is_none() {
            return status(404, "NotFound", name);
        }
        self.note(format!("the operator deletes {kind:?} {name}"));
        self.commit(kind, name, None);
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
        Some(Answer { code: 200, body })
    }

    fn patch_status(&mut self, name: &str, body: &Value) -> Option<Answer> {
        let Some(object) = self.stored(Kind::SyncPolicy, name) else {
            return status(404, "NotFound", name);
        };
        let mut changed = (*object).clone();
        changed["status"] = body["status"].clone();
        self.put_changed(Kind::SyncPolicy, name, &object, changed)
    }

    /// Stores what differs from before.
    fn put_changed(
        &mut self,
        kind: Kind,
        name: &str,
        before: &Value,
        object: Value,
    ) -> Option<Answer> {
        if object != *before {
            self.commit(kind, name, Some(object));
        }
        metadata(&self.stored(kind, name).unwrap())
    }

    fn patch_projection(&mut self, name: &str, body: &Value) -> Option<Answer> {
        let workload = body["spec"]["workload"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        let mut object = body.clone();
        let before = self.stored(Kind::Projection, name);
        let uid = match &before {
            Some(before) => before["metadata"]["uid"].clone(),
            None => self.identity(name).uid.into(),
        };
        object["metadata"]["uid"] = uid;
        let before = before.unwrap_or_default();
        object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
        let status = &object["status"];
        self.note(format!(
            "Projection of {workload}: {} {} last={}",
            status["pods"], status["decision"]["reason"], status["lastInSync"]["time"]
        ));
        if let Some(work) = self.works.get(&workload) {
            let uid = body["spec"]["workload"]["uid"].as_str().unwrap().to_owned();
            let written = (self.second(), (uid, work.template.shape));
            self.projected.insert(workload, written);
        }
        self.put_changed(Kind::Projection, name, &before, object)
    }

    fn patch_workload(&mut self, kind: Kind, name: &str, body: &Value) -> Option<Answer> {
        let Some(work) = self.works.get(name).filter(|work| work.kind.kind() == kind) else {
            return status(404, "NotFound", name);
        };
        let meant = &body["metadata"];
        let annotations = &body["spec"]["template"]["metadata"]["annotations"];
        let revision = annotations[REVISION_ANNOTATION]
            .as_str()
            .unwrap()
            .to_owned();
        let version = work.rv.to_string();
        if meant["uid"] != *work.identity.uid || meant["resourceVersion"] != *version {
            self.note(format!("{name} is patched in another version"));
            return status(409, "Conflict", name);
        }
        if work.template.revision.as_ref() != Some(&revision) {
            let (second, known) = (self.second(), self.known());
            self.note(format!("{name} is rolled: {revision}"));
            let judged = self.model.rolled(name, self.rv + 1, second, known);
            let work = self.works.get_mut(name).unwrap();
            work.template.revision = Some(revision);
            work.generation += 1;
            self.put_work(name);
            if let Err(broken) = judged {
                self.break_promise(broken);
            }
        }
        let body = (*self.stored(kind, name).unwrap()).clone();
        Some(Answer { code: 200, body })
    }
}

/// How long the operator waits for an answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
