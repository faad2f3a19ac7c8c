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

/// The most bytes of an answer. Objects of up to 1 MiB are stored; binary data
/// grows by a third and managedFields come on top.
const LIMIT: usize = 4 << 20;

/// A source could not be read. That tells nothing of its content, not even that
/// there is none. No message holds a byte of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The API server refused.
    #[error("{object} can't be read: the API server answered {status}{}", hint(*.status))]
    Status {
        /// What was to be read.
        object: SourceId,
        /// The answer.
        status: StatusCode,
    },
    /// No answer came.
    #[error("{object} can't be read: {why}")]
    NoAnswer {
        /// What was to be read.
        object: SourceId,
        /// What happened instead.
        why: String,
    },
    /// The answer can't be placed in time.
    #[error("{object} can't be read: the answer has no valid Date header; is a proxy in between?")]
    NoDate {
        /// What was to be read.
        object: SourceId,
    },
    /// Not the version that was asked for, or a later one.
    #[error(
        "{object} can't be read: the answer is older than what the watch has shown; is a cache in between?"
    )]
    Stale {
        /// What was to be read.
        object: SourceId,
    },
    /// The answer is no such object.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What to do about a status.
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
    /// A reader that asks with this client, and makes digests with this key.
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
    /// Where there is no answer in time, or it is neither the object, in that version
    /// or a later one, nor the API server's word that there is none.
    pub async fn read(
        &self,
        id: &SourceId,
        shown: Option<Rv>,
    ) -> Result<(SourceContent, ServerTime), ReadError> {
        let url = id.kind.api.path(Some(&id.namespace));
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
