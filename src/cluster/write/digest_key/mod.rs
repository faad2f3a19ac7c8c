//! The secret key of all digests, in a Secret beside the operator.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use kube::api::{GetParams, PostParams};
use kube::core::request::Error as BuildError;
use kube::core::{ObjectMeta, Request};
use serde::Deserialize;

use super::writer::Writer;
use crate::api::names::{FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL};
use crate::cluster::client::exchange::{Answer, NoAnswer, exchange, metadata_only};
use crate::core::content::digest::DigestKey;

/// Name of the Secret.
pub const SECRET_NAME: &str = "projsync-digest-key";

/// Key in `data` that holds the digest key.
const ENTRY: &str = "key";

/// Maximum length of an answer, in bytes.
const LIMIT: usize = 1 << 20;

/// Number of attempts if the Secret is created and deleted meanwhile.
const ATTEMPTS: usize = 5;

/// Reason why there is no digest key. No message holds a byte of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The API server refused.
    #[error(
        "Secret {namespace}/{SECRET_NAME} can't be had: the API server answered {status}; \
         the operator must get and create Secrets in its namespace"
    )]
    Status {
        /// The operator's namespace.
        namespace: String,
        /// The answer.
        status: StatusCode,
    },
    /// The operator's namespace does not exist.
    #[error(
        "namespace {namespace} does not exist; create it or name another by --operator-namespace"
    )]
    NoNamespace {
        /// The operator's namespace.
        namespace: String,
    },
    /// There was no answer.
    #[error("Secret {namespace}/{SECRET_NAME} can't be had: {why}")]
    NoAnswer {
        /// The operator's namespace.
        namespace: String,
        /// The cause.
        why: String,
    },
    /// The Secret holds no key.
    #[error(
        "Secret {namespace}/{SECRET_NAME} has no key of 32 bytes in data.{ENTRY}; \
         delete it to have one made: everything is then read anew and nothing rolls"
    )]
    Malformed {
        /// The operator's namespace.
        namespace: String,
    },
    /// The Secret was created and deleted by others meanwhile.
    #[error("Secret {namespace}/{SECRET_NAME} is created and deleted by turns")]
    Unstable {
        /// The operator's namespace.
        namespace: String,
    },
    /// The system has no randomness.
    #[error("no randomness for a digest key: {0}")]
    Randomness(String),
}

impl KeyError {
    /// Returns whether only a person can mend this.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Malformed { .. })
    }
}

impl Writer {
    /// Reads the key or creates it. This is the only write that a standby makes too: it needs
    /// the key before anything else. If two replicas create it, the first wins.
    ///
    /// # Errors
    /// If it can neither be read nor created, or is no key.
    pub async fn digest_key(&self, namespace: &str) -> Result<DigestKey, KeyError> {
        let no_answer = |error: NoAnswer| KeyError::NoAnswer {
            namespace: namespace.to_owned(),
            why: error.to_string(),
        };
        let refused = |status| KeyError::Status {
            namespace: namespace.to_owned(),
            status,
        };
        let secrets = Request::new(Secret::url_path(&(), Some(namespace)));
        for _ in 0..ATTEMPTS {
            let request = secrets.get(SECRET_NAME, &GetParams::default());
            let answer = self.ask(request).await;
            let answer = answer.map_err(no_answer)?;
            if answer.status == StatusCode::OK {
                return stored(&answer).ok_or_else(|| KeyError::Malformed {
                    namespace: namespace.to_owned(),
                });
            }
            if !answer.is_absence_of(SECRET_NAME) {
                return Err(refused(answer.status));
            }
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(|error| KeyError::Randomness(error.to_string()))?;
            let request = secrets.create(&created_by_us(), body(namespace, &bytes));
            let answer = self.ask(metadata_only(request, "create")).await;
            let answer = answer.map_err(no_answer)?;
            match answer.status {
                _ if answer.is_absence_of(namespace) => {
                    return Err(KeyError::NoNamespace {
                        namespace: namespace.to_owned(),
                    });
                }
                status if status.is_success() => return Ok(DigestKey::new(&bytes)),
                // Another replica was faster, so use its key.
                StatusCode::CONFLICT => {}
                status => return Err(refused(status)),
            }
        }
        Err(KeyError::Unstable {
            namespace: namespace.to_owned(),
        })
    }

    async fn ask(
        &self,
        request: Result<http::Request<Vec<u8>>, BuildError>,
    ) -> Result<Answer, NoAnswer> {
        exchange(&self.client, request, self.timeout, LIMIT).await
    }
}

fn created_by_us() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn body(namespace: &str, key: &[u8; 32]) -> Vec<u8> {
    let secret = Secret {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            name: Some(SECRET_NAME.to_owned()),
            labels: Some([(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some([(ENTRY.to_owned(), ByteString(key.to_vec()))].into()),
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    // Maps of strings always serialize; the API server would refuse an empty body.
    serde_json::to_vec(&secret).unwrap_or_default()
}

/// The key in a Secret.
fn stored(answer: &Answer) -> Option<DigestKey> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        data: Entry<'a>,
    }
    #[derive(Deserialize)]
    struct Entry<'a> {
        key: &'a str,
    }
    let secret: Stored<'_> = serde_json::from_slice(&answer.body).ok()?;
    let bytes = BASE64.decode(secret.data.key).ok()?;
    let key: [u8; 32] = bytes.try_into().ok()?;
    Some(DigestKey::new(&key))
}

#[cfg(test)]
mod tests;
