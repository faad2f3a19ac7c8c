//! What the operator asked of the API server, from the audit log.
//!
//! The log is written before a request is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use serde::Deserialize;

use crate::manifests::NAMESPACE;

/// A request of the operator's that was answered.
#[derive(Clone, Debug)]
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
    /// When it came, by the API server.
    pub(crate) received: Timestamp,
    /// When it was answered, by the API server.
    pub(crate) answered: Timestamp,
}

/// A change that somebody else made to a ConfigMap.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) name: String,
    /// When it was answered, by the API server.
    pub(crate) answered: Timestamp,
}

/// Follows the log.
pub(crate) struct Audit {
    log: PathBuf,
    /// The operator's user.
    user: String,
    offset: u64,
    /// The beginning of a line whose rest is not there yet.
    partial: Vec<u8>,
    requests: Vec<Request>,
    edits: Vec<Edit>,
}

/// A moment, as the number of requests before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    request: usize,
    edit: usize,
}

/// The requests of some time.
#[derive(Clone, Copy)]
pub(crate) struct Requests<'a> {
    pub(crate) all: &'a [Request],
    pub(crate) edits: &'a [Edit],
}

impl Audit {
    /// From the end of the log on.
    pub(crate) fn follow(log: PathBuf, user: &str) -> Result<Self> {
        let offset = std::fs::metadata(&log)?.len();
        Ok(Self {
            log,
            user: user.to_owned(),
            offset,
            partial: Vec::new(),
            requests: Vec::new(),
            edits: Vec::new(),
        })
    }

    /// Now.
    pub(crate) fn mark(&mut self) -> Result<Mark> {
        self.read()?;
        Ok(Mark {
            request: self.requests.len(),
            edit: self.edits.len(),
        })
    }

    /// What was asked since.
    pub(crate) fn since(&mut self, mark: Mark) -> Result<Requests<'_>> {
        self.read()?;
        Ok(Requests {
            all: &self.requests[mark.request..],
            edits: &self.edits[mark.edit..],
        })
    }

    fn read(&mut self) -> Result<()> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.offset))?;
        self.offset += file.read_to_end(&mut self.partial)? as u64;
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let rest = self.partial.split_off(end + 1);
        let lines = std::mem::replace(&mut self.partial, rest);
        let text = String::from_utf8_lossy(&lines);
        let edits = |line: &str| {
            line.contains(r#""verb":"patch""#) && line.contains(r#""resource":"configmaps""#)
        };
        for line in text
            .lines()
            .filter(|line| line.contains(&self.user) || edits(line))
        {
            let event: Event = serde_json::from_str(line)?;
            let own = event.user.username == self.user;
            let Some(request) = event.request() else {
                continue;
            };
            if own {
                self.requests.push(request);
            } else if request.resource == "configmaps" {
                self.edits.push(Edit {
                    name: request.name,
                    answered: request.answered,
                });
            }
        }
        Ok(())
    }
}

impl Requests<'_> {
    fn of<'a>(&'a self, verb: &'a str, resource: &'a str) -> impl Iterator<Item = &'a Request> {
        self.all
            .iter()
            .filter(move |one| one.verb == verb && one.resource == resource && one.succeeded())
    }

    /// Reads of the content of sources; the digest key is elsewhere.
    pub(crate) fn reads(&self) -> usize {
        self.sources_read().count()
    }

    /// Resource and name of each source that was read.
    pub(crate) fn sources_read(&self) -> impl Iterator<Item = (&str, &str)> {
        let config_maps = self.of("get", "configmaps");
        let reads = config_maps.chain(self.of("get", "secrets"));
        let sources = reads.filter(|one| one.namespace == NAMESPACE);
        sources.map(|one| (one.resource.as_str(), one.name.as_str()))
    }

    /// Patches of workloads: as only the revision is patched, these are the rolls.
    pub(crate) fn rolls(&self) -> usize {
        self.of("patch", "deployments").count()
    }

    /// Writes of Projections.
    pub(crate) fn projections(&self) -> usize {
        self.of("patch", "projections").count()
    }

    /// Names of the Projections that were written.
    pub(crate) fn projection_names(&self) -> BTreeSet<&str> {
        let names = self.of("patch", "projections");
        names.map(|request| request.name.as_str()).collect()
    }

    /// Events posted.
    pub(crate) fn events(&self) -> usize {
        self.of("create", "events").count() + self.of("patch", "events").count()
    }

    /// Lists, of anything.
    pub(crate) fn lists(&self) -> usize {
        self.all.iter().filter(|one| one.verb == "list").count()
    }

    /// Requests that the API server did not carry out.
    pub(crate) fn failures(&self) -> usize {
        self.all.iter().filter(|one| !one.succeeded()).count()
    }

    /// Whether all of it is what goes on at rest: watches and the lease.
    pub(crate) fn is_rest(&self) -> bool {
        self.others() == 0
    }

    /// What does not go on at rest.
    pub(crate) fn others(&self) -> usize {
        self.all.iter().filter(|one| !one.is_rest()).count()
    }

    /// How many there were, by verb and resource.
    pub(crate) fn tally(&self) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for one in self.all {
            let what = match one.succeeded() {
                true => format!("{} {}", one.verb, one.resource),
                false => format!("{} {} ({})", one.verb, one.resource, one.code),
            };
            *tally.entry(what).or_default() += 1;
        }
        tally
    }
}

impl Request {
    fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }

    fn is_rest(&self) -> bool {
        self.verb == "watch" || self.resource == "leases"
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
        Some(Request {
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

    const USER: &str = "system:serviceaccount:projsync-system:projsync";

    fn line(stage: &str, user: &str, verb: &str, resource: &str, code: u16) -> String {
        let event = serde_json::json!({
            "stage": stage, "verb": verb, "user": {"username": user},
            "objectRef": {"resource": resource, "namespace": NAMESPACE, "name": "app"}, "responseStatus": {"code": code},
            "requestReceivedTimestamp": "2026-01-01T00:00:00.000001Z",
            "stageTimestamp": "2026-01-01T00:00:00.002001Z",
        });
        event.to_string()
    }

    #[test]
    fn each_request_counts_once() {
        let folder = std::env::temp_dir().join(format!("bench-audit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("audit.log");
        let complete = "ResponseComplete";
        let before = line(complete, USER, "get", "secrets", 200);
        std::fs::write(&log, format!("{before}\n")).unwrap();
        let mut audit = Audit::follow(log.clone(), USER).unwrap();
        let mark = audit.mark().unwrap();
        let half = line(complete, USER, "get", "secrets", 200);
        let text = [
            before,
            line("ResponseStarted", USER, "watch", "pods", 200),
            line(complete, USER, "watch", "pods", 200),
            line(complete, USER, "patch", "deployments", 409),
            line(complete, USER, "patch", "deployments", 200),
            line(complete, "admin", "patch", "configmaps", 200),
            half[..40].to_owned(),
        ];
        std::fs::write(&log, text.join("\n")).unwrap();
        let seen = audit.since(mark).unwrap();
        assert_eq!((seen.rolls(), seen.failures(), seen.reads()), (1, 1, 0));
        assert_eq!((seen.edits.len(), seen.others()), (1, 2));
        std::fs::write(&log, [&text[..6], &[half]].concat().join("\n") + "\n").unwrap();
        let seen = audit.since(mark).unwrap();
        assert_eq!((seen.reads(), seen.all.len()), (1, 4));
        let tally = [
            ("get secrets", 1),
            ("patch deployments", 1),
            ("patch deployments (409)", 1),
        ];
        let tally = tally.map(|(what, count)| (what.to_owned(), count));
        assert!(
            tally
                .iter()
                .all(|one| seen.tally().get(&one.0) == Some(&one.1))
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
