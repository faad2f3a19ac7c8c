//! What the operator asked of the API server, from the audit log.
//!
//! The log is written before a request is answered, so once the operator's
//! queues are idle everything it did is in there.

use std::path::PathBuf;

use controlplane::AuditLog;
pub(crate) use controlplane::Request;

use super::Result;

pub(super) fn is_write(request: &Request) -> bool {
    !["get", "list", "watch"].contains(&request.verb.as_str())
}

/// Whether it was not for want of a right or of a working API server that it
/// failed, if it did.
pub(super) fn is_allowed(request: &Request) -> bool {
    request.code < 500 && ![0, 401, 403].contains(&request.code)
}

/// Whether the same rule grants both.
pub(super) fn ask_the_same(one: &Request, other: &Request) -> bool {
    (&one.verb, &one.resource, &one.namespace) == (&other.verb, &other.resource, &other.namespace)
}

/// Follows the log for one user.
pub(super) struct Audit {
    log: AuditLog,
    user: String,
    seen: Vec<Request>,
}

impl Audit {
    /// From the end of the log on.
    pub(super) fn follow(log: PathBuf, user: String) -> Result<Self> {
        Ok(Self {
            log: AuditLog::follow(log)?,
            user,
            seen: Vec::new(),
        })
    }

    /// All requests of the user so far, in the order of their answers.
    pub(super) fn requests(&mut self) -> Result<&[Request]> {
        let requests = self.log.read(|line| line.contains(&self.user))?;
        let own = requests.into_iter().filter(|one| one.user == self.user);
        self.seen.extend(own);
        Ok(&self.seen)
    }
}
