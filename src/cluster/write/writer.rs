//! Sends writes, and counts and logs their results.

use std::fmt;
use std::time::Duration;

use http::Request;
use kube::Client;
use kube::api::PatchParams;
use kube::core::request::Error as BuildError;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::written::Written;
use crate::api::names::FIELD_MANAGER;
use crate::cluster::client::exchange::{Answer, NoAnswer, exchange, metadata_only};
use crate::cluster::lease::{Leadership, lapse};
use crate::telemetry::metrics::{Metrics, Outcome};

/// Maximum length of an answer, in bytes: an object, or its metadata where that is enough.
const LIMIT: usize = 4 << 20;

/// Writes to the API server while this replica leads.
///
/// Each write is one request, which ends after a timeout, and at the latest with the
/// leadership. The writer counts and logs the result.
#[derive(Clone)]
pub struct Writer {
    pub(super) client: Client,
    pub(super) timeout: Duration,
    leadership: watch::Receiver<Leadership>,
    metrics: Metrics,
}

/// Object or field that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The revision on the Pod template of a workload of this kind.
    Roll(&'static str),
    Projection,
    Status,
}

impl Writer {
    /// Makes a writer that sends with this client.
    #[must_use]
    pub fn new(
        client: Client,
        leadership: watch::Receiver<Leadership>,
        timeout: Duration,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            timeout,
            leadership,
            metrics,
        }
    }

    /// Sends a write concerning `object`.
    pub(super) async fn write(
        &self,
        subject: Subject,
        object: &impl fmt::Display,
        verb: &'static str,
        request: Result<Request<Vec<u8>>, BuildError>,
    ) -> Written {
        let request = metadata_only(request, verb);
        let written = self.send(request, Written::from).await;
        self.tell(subject, object, &written);
        written
    }

    /// Counts and logs the result of a write.
    pub(super) fn tell(&self, subject: Subject, object: &impl fmt::Display, written: &Written) {
        if let Some(outcome) = written.outcome().map(Outcome::as_str) {
            match subject {
                Subject::Roll(kind) => self.metrics.rolls.count([kind, outcome]),
                Subject::Projection | Subject::Status => {
                    self.metrics.status_writes.count([outcome])
                }
            }
        }
        match written {
            Written::Done { .. } | Written::Gone | Written::NotLeading => {}
            Written::Conflict => {
                debug!(%object, "the {subject} meets another write; it is made anew");
            }
            Written::Refused { message } => {
                warn!(%object, message, "the API server refuses the {subject}");
            }
            Written::WithoutEffect => {
                warn!(%object, "the API server accepts the {subject}, but a webhook undoes it");
            }
            Written::Failed { message } => {
                warn!(%object, message, "the {subject} failed; it is tried again");
            }
        }
    }

    /// Sends a request, and takes its answer for what `read` says.
    pub(super) async fn send(
        &self,
        request: Result<Request<Vec<u8>>, BuildError>,
        read: impl FnOnce(Result<Answer, NoAnswer>) -> Written,
    ) -> Written {
        if !self.leadership.borrow().is_leading(Instant::now()) {
            return Written::NotLeading;
        }
        tokio::select! {
            answer = exchange(&self.client, request, self.timeout, LIMIT) => read(answer),
            () = lapse(self.leadership.clone()) => Written::Failed {
                message: "the leadership ended before an answer came".to_owned(),
            },
        }
    }
}

/// Forces the apply: Projsync is the only writer of these fields.
pub(super) fn forced() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Roll(_) => "roll",
            Self::Projection => "write of the Projection",
            Self::Status => "write of the status",
        })
    }
}
