//! Results of writes.

use http::StatusCode;
use serde::Deserialize;

use crate::cluster::client::exchange::{Answer, NoAnswer};
use crate::core::time::ServerTime;
use crate::kinds::Rv;
use crate::telemetry::metrics::Outcome;

/// Result of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// The write was made.
    Done {
        /// The resulting version of the object.
        rv: Option<Rv>,
        /// The API server's time of the write.
        date: ServerTime,
    },
    /// The object, or its version, is not the one that was meant.
    Conflict,
    /// The object doesn't exist, or its namespace is gone.
    Gone,
    /// The write was not sent, since this replica doesn't lead.
    NotLeading,
    /// The API server refused the write. Trying again is useless until something changes.
    Refused {
        /// The API server's reason.
        message: String,
    },
    /// The API server accepted the write, but its answer is without what was written: a
    /// mutating webhook removed or replaced that in the same request.
    WithoutEffect,
    /// The write may have failed. Trying again may help.
    Failed {
        /// The cause.
        message: String,
    },
}

impl Written {
    /// Outcome for metrics, if the write was sent.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Done { .. } => Some(Outcome::Success),
            Self::Conflict => Some(Outcome::Conflict),
            Self::Gone => Some(Outcome::Absent),
            Self::NotLeading => None,
            Self::Refused { .. } | Self::WithoutEffect => Some(Outcome::Refused),
            Self::Failed { .. } => Some(Outcome::Failure),
        }
    }

    /// Returns whether to try again, with the state known by then.
    #[must_use]
    pub fn is_to_be_retried(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Gone | Self::NotLeading => false,
            Self::Conflict | Self::Refused { .. } | Self::WithoutEffect | Self::Failed { .. } => {
                true
            }
        }
    }
}

impl From<Result<Answer, NoAnswer>> for Written {
    fn from(answer: Result<Answer, NoAnswer>) -> Self {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let message = error.to_string();
                return Self::Failed { message };
            }
        };
        match answer.status {
            status if status.is_success() => Self::Done {
                rv: resource_version(&answer.body),
                // Every API server sends a Date; without one the write was made too.
                date: answer.date.unwrap_or(ServerTime::UNIX_EPOCH),
            },
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::NOT_FOUND => Self::Gone,
            StatusCode::UNAUTHORIZED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Self::Failed {
                message: answer.refusal(),
            },
            status if status.is_client_error() => Self::Refused {
                message: answer.refusal(),
            },
            _ => Self::Failed {
                message: answer.refusal(),
            },
        }
    }
}

/// The version in a body, if that is an object.
fn resource_version(body: &[u8]) -> Option<Rv> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        resource_version: String,
    }
    #[derive(Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    let object: Object = serde_json::from_slice(body).ok()?;
    Rv::parse(&object.metadata.resource_version)
}
