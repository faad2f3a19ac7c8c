//! What becomes of a write, and what follows from it.

use http::StatusCode;
use serde::Deserialize;

use crate::cluster::client::exchange::{Answer, NoAnswer};
use crate::core::time::ServerTime;
use crate::kinds::Rv;
use crate::telemetry::metrics::Outcome;

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Done {
        /// The version that it gave.
        rv: Option<Rv>,
        /// When, by the API server.
        date: ServerTime,
    },
    /// The object is not the one, or not in the version, that was meant.
    Conflict,
    /// There is no such object, or its namespace is gone.
    Gone,
    /// Nothing was sent, since this replica does not lead.
    NotLeading,
    /// The API server understood and refuses: trying again is of no use until
    /// something changes.
    Refused {
        /// Its reason.
        message: String,
    },
    /// It may not have been made: trying again may help.
    Failed {
        /// What happened.
        message: String,
    },
}

impl Written {
    /// How it is counted, if it was sent.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Done { .. } => Some(Outcome::Success),
            Self::Conflict => Some(Outcome::Conflict),
            Self::Gone => Some(Outcome::Absent),
            Self::NotLeading => None,
            Self::Refused { .. } => Some(Outcome::Refused),
            Self::Failed { .. } => Some(Outcome::Failure),
        }
    }

    /// Whether it is to be tried again, from what is known by then.
    #[must_use]
    pub fn is_to_be_retried(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Gone | Self::NotLeading => false,
            Self::Conflict | Self::Refused { .. } | Self::Failed { .. } => true,
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
                // Every API server sends a Date; without one the write is made all the same.
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

/// The version of an object, if the body is one.
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
