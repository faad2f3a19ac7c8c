//! The state itself, and how it follows the cluster's objects.

use std::collections::HashMap;
use std::time::Duration;

use crate::api::reasons::Reason;
use crate::api::rules::Floors;
use crate::core::content::digest::DigestKey;
use crate::core::fleet::Fleet;
use crate::core::history::record::Record;
use crate::core::index::{Affected, Index};
use crate::core::policy::{PolicyId, Selected};
use crate::core::state::gaps::Gaps;
use crate::core::state::managed::Managed;
use crate::core::state::policy_status::PolicyMeta;
use crate::core::time::Mono;
use crate::kinds::WorkloadId;

/// Settings of the operator, fixed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Key of all digests.
    pub key: DigestKey,
    /// Whether resourceVersions of sources and Pods can be compared.
    pub comparable: bool,
    /// Time that the kubelet may take to refresh a mounted directory.
    pub refresh_bound: Duration,
    /// Whether all namespaces are watched.
    pub cluster_wide: bool,
    /// The least durations of policies.
    pub floors: Floors,
    /// How many workloads may be rolled at a time; `None` for any number.
    pub max_rolls: Option<usize>,
}

/// The index, and what is remembered of each managed workload.
#[derive(Debug)]
pub struct State {
    /// The newest view of all objects.
    pub index: Index,
    /// Whether every watch has finished its first list, or is left out.
    pub synced: bool,
    /// Generation and status of each policy.
    pub policies: HashMap<PolicyId, PolicyMeta>,
    /// When the policies' status is next compared with what it should be.
    pub(super) policies_after: Mono,
    pub(super) settings: Settings,
    /// Boxed, as most room in a large table is empty.
    pub(in crate::core) managed: HashMap<WorkloadId, Box<Managed>>,
    /// Workloads that ask to be managed but can't be, and why.
    pub(super) refused: HashMap<WorkloadId, Reason>,
    /// What can't be listed.
    pub(super) gaps: Gaps,
    /// Whose turn it is.
    pub fleet: Fleet,
}

// === impl State ===

impl State {
    /// Makes an empty state.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let max_rolls = settings.max_rolls;
        Self {
            index: Index::new(settings.floors),
            synced: false,
            policies: HashMap::new(),
            policies_after: Mono::default(),
            settings,
            managed: HashMap::new(),
            refused: HashMap::new(),
            gaps: Gaps::default(),
            fleet: Fleet::new(max_rolls),
        }
    }

    /// Whether resourceVersions of sources and Pods can be compared.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        self.settings.comparable
    }

    /// Takes in a change of the cluster's objects. Returns the sources and workloads to look
    /// at: none before the first lists are complete, because then all are looked at.
    pub fn change(&mut self, now: Mono, change: impl FnOnce(&mut Self) -> Affected) -> Affected {
        let affected = change(self);
        if !self.synced {
            return Affected::default();
        }
        for id in &affected.workloads {
            self.align(id, now);
        }
        affected
    }

    /// Takes in that every watch has finished its first list. Only now can records be
    /// brought in line: before, a workload may lack its policy, and a stored
    /// reference would be dropped for it.
    pub fn start(&mut self, now: Mono) {
        self.synced = true;
        let all: Vec<WorkloadId> = self.index.workloads().collect();
        for id in &all {
            self.align(id, now);
        }
    }

    /// Takes in that the cluster is in another history than before. Nothing is decided until
    /// everything is listed anew ([`State::start`]).
    pub fn forget_versions(&mut self) {
        self.synced = false;
        self.index.forget_versions();
        for managed in self.managed.values_mut() {
            managed.forget_versions();
        }
    }

    /// All sources and workloads. They are looked at when the first lists are complete, and
    /// when this replica starts to lead.
    #[must_use]
    pub fn everything(&self) -> Affected {
        Affected {
            sources: self.index.used_sources().collect(),
            workloads: (self.index.workloads())
                .chain(self.managed.keys().cloned())
                .collect(),
            ..Affected::default()
        }
    }

    /// Every workload of which something is remembered.
    #[must_use]
    pub fn remembered(&self) -> Vec<WorkloadId> {
        self.managed.keys().cloned().collect()
    }

    /// Brings the record of a workload in line with what the index says.
    fn align(&mut self, id: &WorkloadId, now: Mono) {
        let view = self.index.view(id);
        if self.gaps.of_record(id).is_some() {
            // Stored references would be dropped for a policy that is not seen. What is
            // told of the workload meanwhile is that.
            if let (Some(_), Some(managed)) = (view, self.managed.get_mut(id)) {
                managed.retired = None;
            }
            return;
        }
        let managed = view.filter(|view| matches!(view.selected, Selected::Managed(_)));
        match managed {
            Some(view) => {
                let managed = self.managed.entry(id.clone()).or_insert_with(|| {
                    let record = Record::new(view.workload.uid.clone());
                    Box::new(Managed::new(record))
                });
                let resumed = managed.retired.take().is_some();
                (managed.record).align(view.workload, view.references, resumed);
            }
            None => {
                if let Some(managed) = self.managed.get_mut(id) {
                    managed.retire(now);
                }
            }
        }
    }
}
