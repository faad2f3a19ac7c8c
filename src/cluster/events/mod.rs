//! Kubernetes Events (`events.k8s.io/v1`) about workloads and policies.
//!
//! kube's `Recorder` repeats the first note of a reason for six minutes. Projsync's notes
//! differ by the keys that changed, so it posts its Events itself. Only Events with the
//! same note become a series of one Event.

mod notice;
mod series;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Error};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

pub use self::notice::{Notice, Regarding};
use self::series::{Posting, Series};
use crate::cluster::client::error::{describe, truncate, without_control};
use crate::telemetry::metrics::{Metrics, Outcome};

/// `reportingController` of every Event.
pub const REPORTING_CONTROLLER: &str = "projsync.dev/projsync";

/// Maximum lengths that the API server accepts, in bytes.
const NOTE_LIMIT: usize = 1024;
const INSTANCE_LIMIT: usize = 128;
const NAME_LIMIT: usize = 253;

/// Maximum number of Events that wait to be posted; more are dropped and counted.
const QUEUED: usize = 1024;

/// Number of attempts to post an Event.
const TRIES: u32 = 4;

/// Queues Events without waiting. Clones share one queue.
#[derive(Debug, Clone)]
pub struct EventSender {
    queue: mpsc::Sender<(Notice, Timestamp)>,
    metrics: Metrics,
}

impl EventSender {
    /// Queues an Event. If the queue is full, the Event is dropped and counted. The caller
    /// checks whether this replica leads.
    pub fn post(&self, mut notice: Notice) {
        notice.note = truncate(&without_control(&notice.note), NOTE_LIMIT).to_owned();
        if self.queue.try_send((notice, Timestamp::now())).is_err() {
            self.metrics.events.count([Outcome::Dropped.as_str()]);
        }
    }
}

/// Posts the queued Events, one after the other.
pub struct EventPoster {
    client: Client,
    instance: String,
    write_timeout: Duration,
    metrics: Metrics,
    queue: mpsc::Receiver<(Notice, Timestamp)>,
    series: Series,
}

/// Makes a queue for Events and the poster that empties it.
#[must_use]
pub fn events(
    client: Client,
    identity: &str,
    write_timeout: Duration,
    metrics: &Metrics,
) -> (EventSender, EventPoster) {
    let (sender, queue) = mpsc::channel(QUEUED);
    let poster = EventPoster {
        client,
        instance: truncate(identity, INSTANCE_LIMIT).to_owned(),
        write_timeout,
        metrics: metrics.clone(),
        queue,
        series: Series::default(),
    };
    (
        EventSender {
            queue: sender,
            metrics: metrics.clone(),
        },
        poster,
    )
}

impl std::fmt::Debug for EventPoster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventPoster")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl EventPoster {
    /// Posts until every [`EventSender`] is gone and the queue is empty.
    pub async fn run(mut self) {
        while let Some((notice, at)) = self.queue.recv().await {
            let outcome = self.post(&notice, at).await;
            self.metrics.events.count([outcome.as_str()]);
        }
    }

    async fn post(&mut self, notice: &Notice, at: Timestamp) -> Outcome {
        if let Posting::Repeat { name, count } = self.series.step(notice, Instant::now()) {
            let series = json!({"series": {"count": count, "lastObservedTime": MicroTime(at)}});
            let api = self.api(notice);
            let write = || async {
                api.patch(&name, &PatchParams::default(), &Patch::Merge(&series))
                    .await
                    .map(|_| ())
            };
            match self.write(notice, write).await {
                // The Event expired or was deleted, so post a new one.
                Outcome::Absent => self.series.forget(notice),
                outcome => return outcome,
            }
        }
        let Ok(unique) = crate::random::hex16() else {
            return Outcome::Failure;
        };
        let event = event(
            notice,
            at,
            event_name(&notice.regarding.name, &unique),
            &self.instance,
        );
        let api = self.api(notice);
        let write = || async { api.create(&PostParams::default(), &event).await.map(|_| ()) };
        let outcome = match self.write(notice, write).await {
            // The name is unique, so an earlier attempt succeeded and its answer was lost.
            Outcome::Conflict => Outcome::Success,
            outcome => outcome,
        };
        if outcome == Outcome::Success {
            self.series.created(
                notice,
                event.metadata.name.unwrap_or_default(),
                Instant::now(),
            );
        }
        outcome
    }

    fn api(&self, notice: &Notice) -> Api<Event> {
        Api::namespaced(self.client.clone(), namespace(&notice.regarding))
    }

    /// Attempts a write up to [`TRIES`] times.
    async fn write<F>(&self, notice: &Notice, write: impl Fn() -> F) -> Outcome
    where
        F: Future<Output = kube::Result<()>>,
    {
        let mut delay = Duration::from_millis(250);
        let mut tries = 1;
        loop {
            let (outcome, problem) = match timeout(self.write_timeout, write()).await {
                Ok(Ok(())) => return Outcome::Success,
                Ok(Err(error)) => (outcome(&error), describe(&error)),
                Err(_) => (Outcome::Timeout, "no answer in time".to_owned()),
            };
            let transient = matches!(outcome, Outcome::Failure | Outcome::Timeout);
            if !transient || tries == TRIES {
                if outcome != Outcome::Conflict {
                    let Regarding {
                        kind,
                        namespace,
                        name,
                        ..
                    } = &notice.regarding;
                    tracing::warn!(
                        kind,
                        namespace,
                        name,
                        reason = notice.reason,
                        "can't post an event: {problem}"
                    );
                }
                return outcome;
            }
            sleep(delay.mul_f64(0.5 + 0.5 * crate::random::unit())).await;
            delay *= 4;
            tries += 1;
        }
    }
}

fn outcome(error: &Error) -> Outcome {
    match error {
        Error::Api(status) => match status.code {
            404 => Outcome::Absent,
            409 => Outcome::Conflict,
            // Code 0: the answer is no proper Status.
            0 | 429 | 500.. => Outcome::Failure,
            // For example 403 while the namespace is terminating.
            _ => Outcome::Refused,
        },
        // The write was carried out; only its answer is malformed.
        Error::SerdeError(_) | Error::FromUtf8(_) => Outcome::Success,
        _ => Outcome::Failure,
    }
}

/// Events about cluster-scoped objects live in `default`.
fn namespace(regarding: &Regarding) -> &str {
    if regarding.namespace.is_empty() {
        "default"
    } else {
        &regarding.namespace
    }
}

/// Name of an Event: `<object>.<unique>`, with the object's name cut if it is too long.
fn event_name(object: &str, unique: &str) -> String {
    // A name may not have a dot or dash before a dot.
    let object = truncate(object, NAME_LIMIT - 1 - unique.len()).trim_end_matches(['.', '-']);
    format!("{object}.{unique}")
}

fn event(notice: &Notice, at: Timestamp, name: String, instance: &str) -> Event {
    let regarding = &notice.regarding;
    let optional = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(namespace(regarding).to_owned()),
            ..ObjectMeta::default()
        },
        regarding: Some(ObjectReference {
            api_version: optional(&regarding.api_version),
            kind: optional(&regarding.kind),
            namespace: optional(&regarding.namespace),
            name: optional(&regarding.name),
            uid: optional(&regarding.uid),
            resource_version: regarding.resource_version.clone(),
            field_path: None,
        }),
        type_: Some(notice.event_type.as_str().to_owned()),
        reason: Some(notice.reason.to_owned()),
        action: Some(notice.action.to_owned()),
        note: Some(notice.note.clone()),
        event_time: Some(MicroTime(at)),
        reporting_controller: Some(REPORTING_CONTROLLER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests;
