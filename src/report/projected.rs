//! The references of a workload, with Projsync's knowledge of them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::age::ago;
use super::name::SourceName;
use super::objects::Workload;
use super::output::{Line, Tone};
use super::uses::OneUse;
use crate::kinds::Class;

/// All uses of one source and one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Projected {
    /// The source.
    pub source: SourceName,
    /// Whether running containers see changes.
    pub class: Class,
    /// Uses of the source.
    pub uses: Vec<OneUse>,
    /// True if the source or a required key of it doesn't exist.
    pub missing: bool,
    /// True if the workload's policy excludes the source.
    pub excluded: bool,
    /// Time from which the current content is in force, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Keys that changed at that time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl Projected {
    /// The references of a workload, by source and class; if keys are given, only those that see
    /// them.
    #[must_use]
    pub fn of(workload: &Workload, keys: &[String]) -> Vec<Self> {
        let managed = workload.status().is_some();
        let projected = workload.all_uses().map(|uses| {
            let uses = &*uses;
            let record = workload.record(uses);
            let newest = record.and_then(|record| record.timeline.last());
            Self {
                source: uses.source.clone(),
                class: uses.class,
                uses: uses.uses.iter().filter_map(|one| one.only(keys)).collect(),
                missing: record.is_some_and(|record| record.missing),
                excluded: managed && record.is_none(),
                since: newest.and_then(|entry| entry.since.time.clone()),
                changed: newest.map_or_else(Vec::new, |entry| entry.changed.clone()),
            }
        });
        projected.filter(|one| !one.uses.is_empty()).collect()
    }

    /// A problem of the source, or a note that the policy excludes it.
    #[must_use]
    pub fn trouble(&self) -> Line {
        match (self.missing, self.excluded) {
            (true, _) => missing(),
            (false, true) => Line::of(Tone::Faint, "excluded by the policy"),
            (false, false) => Line::default(),
        }
    }

    /// That note, or the time from which the current content is in force.
    #[must_use]
    pub fn content(&self, now: Timestamp) -> Line {
        let trouble = self.trouble();
        let Some(since) = self.since.as_ref().filter(|_| trouble.is_empty()) else {
            return trouble;
        };
        let keys = match self.changed.as_slice() {
            [] => "changed".to_owned(),
            keys => format!("{} changed", keys.join(", ")),
        };
        Line::of(Tone::Faint, format!("{keys} {}", ago(since, now)))
    }
}

/// Note on a source of which nothing else is known.
pub(super) fn missing() -> Line {
    Line::of(Tone::Bad, "does not exist, or lacks a required key")
}
