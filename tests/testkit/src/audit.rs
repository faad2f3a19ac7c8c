//! What was asked of the API server, from its audit log.
//!
//! Each request is in the log before its answer is sent (`--audit-log-mode=blocking`), so
//! once an operator's queues are idle everything it did is in there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

use crate::Result;

/// A request that was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Name of the user who asked.
    pub user: String,
    /// Of which token (`authentication.kubernetes.io/credential-id`); empty where the
    /// API server doesn't tell.
    pub credential: String,
    /// As RBAC has it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// `<resource>[/<subresource>]`.
    pub resource: String,
    /// `metadata.namespace`; empty for what has none.
    pub namespace: String,
    /// Empty for `list`, `watch` and `create`.
    pub name: String,
    /// The HTTP status.
    pub code: u16,
    /// When it came, by the API server.
    pub received: Timestamp,
    /// When it was answered, or for a watch began to be, by the API server.
    pub answered: Timestamp,
}

/// The log, as far as it was read.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    offset: u64,
    /// The beginning of a line whose rest is not there yet.
    partial: Vec<u8>,
}

impl Request {
    /// Whether the API server did what was asked.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether it asks for a change.
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }
}

impl AuditLog {
    /// From the end of the log on.
    pub fn follow(path: PathBuf) -> Result<Self> {
        let offset = std::fs::metadata(&path)?.len();
        Ok(Self {
            path,
            offset,
            partial: Vec::new(),
        })
    }

    /// The requests since the last reading, in the order of their answers, of those
    /// lines that are `wanted`: most are others', and decoding is what takes long.
    pub fn read(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Vec<Request>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        self.offset += file.read_to_end(&mut self.partial)? as u64;
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.partial.split_off(end + 1);
        let lines = std::mem::replace(&mut self.partial, rest);
        let text = String::from_utf8_lossy(&lines);
        let mut requests = Vec::new();
        for line in text.lines().filter(|line| wanted(line)) {
            let event: Event = serde_json::from_str(line)?;
            requests.extend(event.request());
        }
        Ok(requests)
    }
}

/// Follows the log for one user.
#[derive(Debug)]
pub struct Audit {
    log: AuditLog,
    user: String,
    seen: Vec<Request>,
}

impl Audit {
    /// From the end of the log on.
    pub fn follow(log: PathBuf, user: String) -> Result<Self> {
        Ok(Self {
            log: AuditLog::follow(log)?,
            user,
            seen: Vec::new(),
        })
    }

    /// All requests of the user so far, in the order of their answers.
    pub fn requests(&mut self) -> Result<&[Request]> {
        let requests = self.log.read(|line| line.contains(&self.user))?;
        let own = requests.into_iter().filter(|one| one.user == self.user);
        self.seen.extend(own);
        Ok(&self.seen)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Status,
    request_received_timestamp: Timestamp,
    stage_timestamp: Timestamp,
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
    /// `None` where it was about no object, such as `/version`, and for the end of a
    /// watch, whose beginning was told of already.
    fn request(self) -> Option<Request> {
        let object = self.object_ref?;
        let watched = self.verb == "watch" && self.response_status.code == 200;
        if watched && self.stage != "ResponseStarted" {
            return None;
        }
        let credential = self
            .user
            .extra
            .get("authentication.kubernetes.io/credential-id");
        Some(Request {
            credential: credential.map(|ids| ids.concat()).unwrap_or_default(),
            user: self.user.username,
            verb: self.verb,
            resource: match object.subresource {
                Some(part) => format!("{}/{part}", object.resource),
                None => object.resource,
            },
            namespace: object.namespace,
            name: object.name,
            code: self.response_status.code,
            received: self.request_received_timestamp,
            answered: self.stage_timestamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stage: &str, verb: &str, resource: &str, code: u16) -> String {
        let event = serde_json::json!({
            "stage": stage, "verb": verb, "user": {"username": "operator"},
            "objectRef": {"resource": resource, "namespace": "shop", "name": "app"},
            "responseStatus": {"code": code},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000001Z",
            "stageTimestamp": "2026-01-01T00:00:00.002001Z",
        });
        event.to_string()
    }

    #[test]
    fn each_request_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let complete = "ResponseComplete";
        let read = line(complete, "get", "secrets", 200);
        std::fs::write(&path, format!("{read}\n")).unwrap();
        let mut log = AuditLog::follow(path.clone()).unwrap();
        let text = [
            read.clone(),
            line("ResponseStarted", "watch", "pods", 200),
            line(complete, "watch", "pods", 200),
            line(complete, "patch", "deployments", 409),
            line(complete, "delete", "nodes", 200),
            read[..40].to_owned(),
        ];
        let mut seen = |lines: &[String], end: &str| {
            std::fs::write(&path, lines.join("\n") + end).unwrap();
            let requests = log.read(|line| !line.contains("nodes")).unwrap();
            let told = requests.iter().map(|request| {
                let Request { verb, resource, .. } = request;
                format!("{verb} {resource} {}", request.succeeded())
            });
            told.collect::<Vec<_>>()
        };
        assert_eq!(
            seen(&text, ""),
            ["watch pods true", "patch deployments false"]
        );
        let whole = [&text[..5], &[read]].concat();
        assert_eq!(seen(&whole, "\n"), ["get secrets true"]);
        assert!(seen(&whole, "\n").is_empty());
    }
}
