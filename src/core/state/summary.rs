//! Counts over all workloads, for metrics and the debug endpoint.

use std::collections::HashMap;

use crate::api::reasons::Reason;
use crate::core::history::record::{TrackKey, Version};
use crate::core::plan::Tally;
use crate::core::policy::Selected;
use crate::core::state::changes::State;

// === impl State ===

impl State {
    /// Counts of managed workloads by kind and state, and of their Pods, for metrics.
    #[must_use]
    pub fn totals(&self) -> (HashMap<(&'static str, &'static str), u32>, Tally) {
        let mut workloads = HashMap::new();
        let mut pods = Tally::default();
        for (id, managed) in self.managed.iter().filter(|(_, one)| one.retired.is_none()) {
            let tally = Tally::of(&managed.pods);
            let reason = managed.decision.as_ref().map(|decision| decision.reason);
            let state = match reason {
                Some(Reason::InSync) => "in_sync",
                Some(_) => "out_of_sync",
                None => "unplanned",
            };
            *workloads.entry((id.kind.as_str(), state)).or_default() += 1;
            pods.total += tally.total;
            pods.fresh += tally.fresh;
            pods.stale += tally.stale;
            pods.refreshing += tally.refreshing;
            pods.unknown += tally.unknown;
        }
        (workloads, pods)
    }

    /// How many managed workloads a policy of the cluster keeps from being rolled.
    #[must_use]
    pub fn stopped(&self) -> usize {
        let selected = self.managed.keys().filter_map(|id| self.index.selected(id));
        let stopped = |selected: &&Selected| match selected {
            Selected::Managed(policy) => policy.stopped.is_some(),
            Selected::NotManaged { .. } => false,
        };
        selected.filter(stopped).count()
    }

    /// The state for `/debug/index`: names and versions, no digests.
    #[must_use]
    pub fn dump(&self) -> serde_json::Value {
        let sources: serde_json::Map<_, _> = self
            .index
            .used_sources()
            .map(|id| {
                let version = Version::of_source(self.index.source(&id));
                let seen = self.index.users(&id).iter().all(|user| {
                    self.managed.get(user).is_some_and(|managed| {
                        let keys = TrackKey::of_source(&(id.kind, id.name.clone()));
                        let tracks = &managed.record.tracks;
                        keys.iter()
                            .filter_map(|key| tracks.get(key))
                            .all(|track| track.read.as_ref() == Some(&version))
                    })
                });
                let value = serde_json::json!({
                    "resourceVersion": version.rv.map(|rv| rv.0),
                    "read": seen,
                    "workloads": self.index.users(&id).len(),
                });
                (id.to_string(), value)
            })
            .collect();
        let workloads: serde_json::Map<_, _> = self
            .managed
            .iter()
            .map(|(id, managed)| {
                let decision = managed.decision.as_ref();
                let view = self.index.view(id);
                let value = serde_json::json!({
                    "reason": decision.map(|decision| decision.reason.as_str()),
                    "message": decision.map(|decision| decision.message.as_str()),
                    "resourceVersion": view
                        .as_ref()
                        .and_then(|view| view.workload.rv)
                        .map(|rv| rv.0),
                    "generation": view.as_ref().map(|view| view.workload.generation),
                    "pods": managed.pods.len(),
                    "outdated": managed.pods.iter().filter(|pod| pod.is_outdated()).count(),
                    "unknown": Tally::of(&managed.pods).unknown,
                    "retired": managed.retired.is_some(),
                    "onlyJudges": managed.only_judges(),
                });
                (id.to_string(), value)
            })
            .collect();
        serde_json::json!({
            "synced": self.synced,
            "sources": sources,
            "workloads": workloads,
        })
    }
}
