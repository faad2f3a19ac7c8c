//! What a roll writes, and what caused it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::health::baseline;
use crate::core::index::SourceName;
use crate::core::plan::facts::ManagedFacts;

/// What a roll writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The value of `projsync.dev/revision`.
    pub revision: Arc<str>,
    /// The digest in it, without the counter that may follow.
    pub base: String,
    /// `ConfigMap/app: key1, key2`, one a source.
    pub causes: Vec<String>,
    /// How many outdated Pods it replaces.
    pub outdated: usize,
    /// How many Pods are not ready before it; `None` where it will tell nothing of its content.
    pub unready: Option<u32>,
}

/// How many keys of a source are named.
const NAMED: usize = 10;

// === impl Plan ===

impl Plan {
    /// What brings all outdated Pods up to date; none while a source is unread.
    pub(in crate::core::plan) fn of(facts: &ManagedFacts<'_>) -> Option<Self> {
        let base = base(facts)?;
        Some(Self {
            revision: revision(facts, &base).into(),
            base,
            causes: causes(facts),
            outdated: facts.outdated().count(),
            unready: baseline(facts.record, facts.view, facts.now.server),
        })
    }
}

/// The digest of everything that the workload projects now.
pub(in crate::core::plan) fn base(facts: &ManagedFacts<'_>) -> Option<String> {
    let digests = facts.record.newest()?;
    Some(facts.key.revision(&digests).to_string())
}

/// The digest, with a counter after it where the template, or any revision with a
/// live outdated Pod, already carries it: the value must be new to start a roll.
fn revision(facts: &ManagedFacts<'_>, base: &str) -> String {
    let template = facts.view.workload.template.revision.as_deref();
    let carried: BTreeSet<&str> = facts
        .outdated()
        .filter_map(|pod| pod.revision.as_deref())
        .chain(template)
        .collect();
    if !carried.contains(base) {
        return base.to_owned();
    }
    let mut counter = 1_u64;
    loop {
        let candidate = format!("{base}.{counter}");
        if !carried.contains(candidate.as_str()) {
            return candidate;
        }
        counter += 1;
    }
}

/// Sources and keys that changed since the outdated Pods started.
fn causes(facts: &ManagedFacts<'_>) -> Vec<String> {
    let mut changed: BTreeMap<&SourceName, BTreeSet<&Arc<str>>> = BTreeMap::new();
    for (key, lacks) in facts.to_replace().flat_map(|pod| &pod.outdated) {
        let keys = changed.entry(&key.source).or_default();
        let track = facts.record.tracks.get(key);
        let timeline = track.and_then(|track| track.timeline.as_ref());
        for entry in timeline
            .iter()
            .flat_map(|line| line.entries().iter().skip(*lacks))
        {
            keys.extend(&entry.changed);
        }
    }
    changed
        .into_iter()
        .map(|((kind, name), keys)| match keys.len() {
            0 => format!("{kind}/{name}"),
            count => {
                let mut named: Vec<&str> = keys.iter().take(NAMED).map(|key| &***key).collect();
                if count > NAMED {
                    named.push("…");
                }
                format!("{kind}/{name}: {}", named.join(", "))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
