//! What the operator asked of the API server, from the audit log.
//!
//! The log is written before a request is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use jiff::Timestamp;
use testkit::{AuditLog, Request};

use crate::manifests::NAMESPACE;

/// A change that somebody else made to a ConfigMap.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) name: String,
    /// When it was answered, by the API server.
    pub(crate) answered: Timestamp,
}

/// Follows the log.
pub(crate) struct Audit {
    log: AuditLog,
    /// The operator's user.
    user: String,
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
        Ok(Self {
            log: AuditLog::follow(log)?,
            user: user.to_owned(),
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
        let edits = |line: &str| {
            line.contains(r#""verb":"patch""#) && line.contains(r#""resource":"configmaps""#)
        };
        let wanted = |line: &str| line.contains(&self.user) || edits(line);
        for request in self.log.read(wanted)? {
            if request.user == self.user {
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
        self.all.iter().filter(|one| !is_rest(one)).count()
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

/// What goes on at rest.
fn is_rest(request: &Request) -> bool {
    request.verb == "watch" || request.resource == "leases"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: &str, resource: &str, code: u16) -> Request {
        Request {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: NAMESPACE.to_owned(),
            code,
            ..Request::default()
        }
    }

    #[test]
    fn what_failed_counts_only_as_a_failure() {
        let all = [
            request("watch", "pods", 200),
            request("get", "secrets", 200),
            request("patch", "deployments", 409),
            request("patch", "deployments", 200),
        ];
        let seen = Requests {
            all: &all,
            edits: &[],
        };
        assert_eq!((seen.rolls(), seen.failures(), seen.reads()), (1, 1, 1));
        assert_eq!((seen.others(), seen.is_rest()), (3, false));
        let tally = seen.tally();
        assert_eq!(tally["patch deployments"], 1);
        assert_eq!(tally["patch deployments (409)"], 1);
    }
}
