//! Reads one ConfigMap or Secret and keeps its digests.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use kube::Client;
use kube::api::GetParams;
use kube::core::Request;

use crate::cluster::client::exchange::{NoAnswer, exchange};
use crate::core::content::digest::DigestKey;
use crate::core::content::{DecodeError, SourceContent, decode_source};
use crate::core::time::ServerTime;
use crate::kinds::{Rv, SourceId};

/// Maximum length of an answer, in bytes. Stored objects have up to 1 MiB; in JSON binary data
/// grows by a third, and managedFields are added.
const LIMIT: usize = 4 << 20;

/// Reason why a source could not be read. It says nothing about the content, not even that
/// there is none. No message holds a byte of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The API server refused.
    #[error("{object} can't be read: the API server answered {status}{}", hint(*.status))]
    Status {
        /// The source.
        object: SourceId,
        /// The API server's answer.
        status: StatusCode,
    },
    /// There was no answer.
    #[error("{object} can't be read: {why}")]
    NoAnswer {
        /// The source.
        object: SourceId,
        /// The cause.
        why: String,
    },
    /// The answer has no time.
    #[error("{object} can't be read: the answer has no valid Date header; is a proxy in between?")]
    NoDate {
        /// The source.
        object: SourceId,
    },
    /// The answer has an older version than the one that was shown.
    #[error(
        "{object} can't be read: the answer is older than what the watch has shown; is a cache in between?"
    )]
    Stale {
        /// The source.
        object: SourceId,
    },
    /// The answer is not the requested object.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Interpretation of an HTTP status.
fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "; may the operator's role get it?",
        StatusCode::UNAUTHORIZED => "; are the operator's credentials valid?",
        _ => "",
    }
}

/// Reads sources.
#[derive(Clone)]
pub struct Reader {
    client: Client,
    key: DigestKey,
    timeout: Duration,
}

impl Reader {
    /// Makes a reader that uses this client and makes digests with this key.
    #[must_use]
    pub fn new(client: Client, key: DigestKey, timeout: Duration) -> Self {
        Self {
            client,
            key,
            timeout,
        }
    }

    /// Reads the newest version of a source, with the server's time of the answer.
    /// `shown` is the version that the watch has shown last.
    ///
    /// # Errors
    /// If there is no answer in time, or the answer is neither the object, in that version or a
    /// later one, nor the API server's statement that there is none.
    pub async fn read(
        &self,
        id: &SourceId,
        shown: Option<Rv>,
    ) -> Result<(SourceContent, ServerTime), ReadError> {
        let url = id.kind.api.path(id.namespace.as_deref());
        let request = Request::new(url).get(&id.name, &GetParams::default());
        let request = request.map(|mut request| {
            request.extensions_mut().insert("get");
            request
        });
        let answer = exchange(&self.client, request, self.timeout, LIMIT)
            .await
            .map_err(|error: NoAnswer| ReadError::NoAnswer {
                object: id.clone(),
                why: error.to_string(),
            })?;
        let absent = answer.is_absence_of(&id.name);
        if answer.status != StatusCode::OK && !absent {
            return Err(ReadError::Status {
                object: id.clone(),
                status: answer.status,
            });
        }
        let date = answer
            .date
            .ok_or_else(|| ReadError::NoDate { object: id.clone() })?;
        let content = if absent {
            SourceContent::Absent
        } else {
            let reading = decode_source(id, &answer.body, &self.key)?;
            if reading.rv() < shown {
                return Err(ReadError::Stale { object: id.clone() });
            }
            SourceContent::Present(reading)
        };
        Ok((content, date))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
