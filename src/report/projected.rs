//! What a workload projects, with what Projsync knows of it.

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
    /// How it is seen.
    pub uses: Vec<OneUse>,
    /// Whether it, or a required key of it, doesn't exist.
    pub missing: bool,
    /// Whether its policy leaves it out.
    pub excluded: bool,
    /// Since when its content is what it is, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The keys that changed then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl Projected {
    /// What a workload projects, by source and class; where keys are given, what sees them.
    #[must_use]
    pub fn of(workload: &Workload, keys: &[String]) -> Vec<Self> {
        let managed = workload.status().is_some();
        let projected = workload.uses.iter().map(|uses| {
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

    /// What is wrong with the source, or that the policy leaves it out.
    #[must_use]
    pub fn trouble(&self) -> Line {
        match (self.missing, self.excluded) {
            (true, _) => missing(),
            (false, true) => Line::of(Tone::Faint, "left out by the policy"),
            (false, false) => Line::default(),
        }
    }

    /// The same, or else since when its content is what it is.
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

/// Said of a source of which only that much is known.
pub(super) fn missing() -> Line {
    Line::of(Tone::Bad, "does not exist, or lacks a required key")
}
