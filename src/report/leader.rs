//! Whether an operator leads, and has seen the sources as they are now.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use serde::Serialize;

use super::name::SourceName;
use crate::api::Projection;
use crate::api::projection::ReferenceRecord;
use crate::kinds::{Rv, SourceKind};

/// The replica that leads, as the Lease tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Leader {
    /// The replica of this name leads.
    Leads(String),
    /// No replica leads.
    Nobody,
    /// The Lease can't be read.
    #[default]
    Untold,
}

/// The newest version of each source that the user may see.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// Kinds that the user may list.
    pub readable: BTreeSet<SourceKind>,
    /// The `metadata.resourceVersion` of each, by namespace and name.
    pub newest: BTreeMap<(String, SourceName), String>,
}

// === impl Leader ===

impl Leader {
    /// Tells who leads from a Lease. A holder that has not renewed it in time doesn't lead, unless
    /// it was seen to renew (`renewed`): then its clock is wrong.
    #[must_use]
    pub fn of(lease: Option<&Lease>, renewed: bool, now: Timestamp) -> Self {
        let Some(spec) = lease.and_then(|lease| lease.spec.as_ref()) else {
            return Self::Nobody;
        };
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.unwrap_or_default();
        let valid = SignedDuration::from_secs(i64::from(seconds));
        let near = |at: Timestamp| now.duration_since(at).abs() <= valid;
        let renewal = spec.renew_time.as_ref();
        match renewed || renewal.is_some_and(|at| near(at.0)) {
            true if !holder.is_empty() => Self::Leads(holder.to_owned()),
            _ => Self::Nobody,
        }
    }

    /// A sentence for the beginning of a report; `None` if a replica leads.
    #[must_use]
    pub fn warning(&self, lease: &str) -> Option<String> {
        match self {
            Self::Leads(_) => None,
            Self::Nobody => Some(format!(
                "No operator leads (Lease {lease}): what is said here may be out of date, and nothing is rolled. Is the operator running, and in this namespace (--operator-namespace)?"
            )),
            Self::Untold => Some(format!(
                "Whether an operator leads can't be told: you may not read Lease {lease}."
            )),
        }
    }
}

// === impl Versions ===

impl Versions {
    /// The first source of which a Projection tells of no version as new as these. A source that the user
    /// may not see counts as one, unless a leader is known: that one reports what it sees.
    #[must_use]
    pub fn unseen(&self, projection: &Projection, leader: &Leader) -> Option<SourceName> {
        let namespace = projection.metadata.namespace.clone().unwrap_or_default();
        let references = projection.status.iter().flat_map(|it| &it.references);
        let mut named = references.map(|one| (SourceName::new(one.kind, &*one.name), one));
        let seen = |name: &SourceName, one: &ReferenceRecord| {
            if !self.readable.contains(&name.kind) {
                return matches!(leader, Leader::Leads(_));
            }
            let newest = self.newest.get(&(namespace.clone(), name.clone()));
            is_as_new(one.source_resource_version.as_ref(), newest)
        };
        named
            .find(|(name, one)| !seen(name, one))
            .map(|(name, _)| name)
    }
}

/// Whether what the operator has seen of a source is as new as what the user sees.
fn is_as_new(seen: Option<&String>, newest: Option<&String>) -> bool {
    let parse = |version: Option<&String>| version.and_then(|text| Rv::parse(text));
    match (parse(seen), parse(newest)) {
        (Some(seen), Some(newest)) => seen >= newest,
        _ => seen == newest,
    }
}

#[cfg(test)]
mod tests;
