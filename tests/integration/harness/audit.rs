//! What the operator asked of the API server, from the audit log.
//!
//! The log is written before a request is answered, so once the operator's
//! queues are idle everything it did is in there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

use super::Result;

/// A request that was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// As RBAC has it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub(crate) verb: String,
    /// `<resource>[/<subresource>]`.
    pub(crate) resource: String,
    pub(crate) namespace: String,
    /// Empty for `list`, `watch` and `create`.
    pub(crate) name: String,
    /// The HTTP status.
    pub(crate) code: u16,
    /// Of which token: [`super::Operator::credential`] of the replica that asked.
    pub(crate) credential: String,
    /// When it reached the API server.
    pub(crate) at: Timestamp,
}

impl Request {
    pub(crate) fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether it was not for want of a right or of a working API server that it
    /// failed, if it did.
    pub(crate) fn allowed(&self) -> bool {
        self.code < 500 && ![0, 401, 403].contains(&self.code)
    }

    /// Whether the same rule grants both.
    pub(crate) fn asks_the_same_as(&self, other: &Self) -> bool {
        (&self.verb, &self.resource, &self.namespace)
            == (&other.verb, &other.resource, &other.namespace)
    }

    pub(crate) fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Follows the log for one user.
pub(super) struct Audit {
    log: PathBuf,
    user: String,
    offset: u64,
    /// The beginning of a line whose rest is not there yet.
    partial: Vec<u8>,
    seen: Vec<Request>,
}

impl Audit {
    /// From the end of the log on.
    pub(super) fn follow(log: PathBuf, user: String) -> Result<Self> {
        let offset = std::fs::metadata(&log)?.len();
        Ok(Self {
            log,
            user,
            offset,
            partial: Vec::new(),
            seen: Vec::new(),
        })
    }

    /// All requests of the user so far, in the order of their answers.
    pub(super) fn requests(&mut self) -> Result<&[Request]> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.offset))?;
        self.offset += file.read_to_end(&mut self.partial)? as u64;
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(&self.seen);
        };
        let rest = self.partial.split_off(end + 1);
        let lines = std::mem::replace(&mut self.partial, rest);
        let text = String::from_utf8_lossy(&lines);
        for line in text.lines().filter(|line| line.contains(&self.user)) {
            let event: Event = serde_json::from_str(line)?;
            if event.user.username == self.user && event.counts() {
                self.seen.extend(event.request());
            }
        }
        Ok(&self.seen)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    request_received_timestamp: Timestamp,
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    resource: String,
    subresource: Option<String>,
    namespace: String,
    name: String,
}

impl Event {
    /// A watch is told of when it begins, and again when it ends.
    fn counts(&self) -> bool {
        self.stage == "ResponseStarted" || self.verb != "watch" || self.response_status.code != 200
    }

    /// `None` where it was about no object, such as `/version`.
    fn request(self) -> Option<Request> {
        let object = self.object_ref?;
        Some(Request {
            verb: self.verb,
            resource: match object.subresource {
                Some(part) => format!("{}/{part}", object.resource),
                None => object.resource,
            },
            namespace: object.namespace,
            name: object.name,
            code: self.response_status.code,
            at: self.request_received_timestamp,
            credential: self
                .user
                .extra
                .get("authentication.kubernetes.io/credential-id")
                .map(|ids| ids.concat())
                .unwrap_or_default(),
        })
    }
}
