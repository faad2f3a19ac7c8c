//! Requests whose answers only Projsync's own decoders see.
//!
//! The typed requests of the client library log the body of an answer that they can't
//! decode. Here the body stays bytes, and their number is limited.

use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::core::request::Error as BuildError;
use kube::{Client, Error};
use serde::Deserialize;
use tokio::time::timeout;

use crate::cluster::client::error::describe;
use crate::cluster::client::pulse;
use crate::core::time::ServerTime;

/// Content type that asks for only the metadata of an object.
const METADATA_ONLY: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");

/// Answer of the API server.
pub(in crate::cluster) struct Answer {
    pub(in crate::cluster) status: StatusCode,
    /// The API server's time of the answer.
    pub(in crate::cluster) date: Option<ServerTime>,
    pub(in crate::cluster) body: Vec<u8>,
}

/// Reason why no answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cluster) enum NoAnswer {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("{0}")]
    Failed(String),
}

/// Sends a request and returns the answer with any status, up to `limit` bytes.
pub(in crate::cluster) async fn exchange(
    client: &Client,
    request: Result<Request<Vec<u8>>, BuildError>,
    within: Duration,
    limit: usize,
) -> Result<Answer, NoAnswer> {
    let request = request.map_err(|error| NoAnswer::Failed(error.to_string()))?;
    let exchange = async {
        let failed = |error: &Error| NoAnswer::Failed(describe(error));
        let answer = client.send(request.map(Into::into)).await;
        let (head, body) = answer.map_err(|error| failed(&error))?.into_parts();
        let body = Limited::new(body, limit).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<Error>() {
            _ if error.is::<LengthLimitError>() => NoAnswer::TooLarge(limit),
            Some(error) => failed(error),
            None => NoAnswer::Failed("the answer broke off".to_owned()),
        })?;
        Ok(Answer {
            status: head.status,
            date: pulse::date(&head.headers),
            body: body.to_bytes().into(),
        })
    };
    timeout(within, exchange)
        .await
        .unwrap_or(Err(NoAnswer::TimedOut(within)))
}

/// Marks a request for metrics.
pub(in crate::cluster) fn marked(
    request: Result<Request<Vec<u8>>, BuildError>,
    verb: &'static str,
) -> Result<Request<Vec<u8>>, BuildError> {
    let mut request = request?;
    request.extensions_mut().insert(verb);
    Ok(request)
}

/// Marks a request for metrics, and asks for only metadata in the answer.
pub(in crate::cluster) fn metadata_only(
    request: Result<Request<Vec<u8>>, BuildError>,
    verb: &'static str,
) -> Result<Request<Vec<u8>>, BuildError> {
    let mut request = marked(request, verb)?;
    request.headers_mut().insert(ACCEPT, METADATA_ONLY);
    Ok(request)
}

// === impl Answer ===

impl Answer {
    /// Returns whether the API server itself says that an object of this name doesn't
    /// exist. A 404 without that may come from a proxy.
    pub(in crate::cluster) fn is_absence_of(&self, name: &str) -> bool {
        #[derive(Deserialize)]
        struct Status {
            reason: String,
            details: Details,
        }
        #[derive(Deserialize)]
        struct Details {
            name: String,
        }
        self.status == StatusCode::NOT_FOUND
            && serde_json::from_slice(&self.body).is_ok_and(|status: Status| {
                status.reason == "NotFound" && status.details.name == name
            })
    }

    /// The API server's reason for a refusal, as one line of limited length.
    pub(in crate::cluster) fn refusal(&self) -> String {
        let status = serde_json::from_slice::<kube::core::Status>(&self.body);
        let mut status = status.unwrap_or_default();
        status.code = self.status.as_u16();
        describe(&Error::Api(status.boxed()))
    }
}
