//! Events about decisions.

use tracing::{debug, warn};

use crate::api::reasons::{Quality, Reason};
use crate::cluster::events::{Notice, Regarding};
use crate::core::plan::Verdict;
use crate::core::projection::{digests_lost, sync_undone};
use crate::core::state::Planned;
use crate::kinds::WorkloadId;
use crate::operator::context::Context;

impl Context {
    /// Announces a decision that differs from the one before.
    pub fn announce(&self, id: &WorkloadId, planned: &Planned) {
        if !planned.news || planned.uid.is_none() {
            return;
        }
        let decision = &planned.decision;
        let (kind, reason) = (id.kind.as_str(), decision.reason.as_str());
        self.metrics.decisions.count([kind, reason]);
        debug!(workload = %id, reason, message = decision.message, "decided");
        if decision.verdict == Verdict::Hold || decision.reason.is(Quality::Refusal) {
            self.post(id, decision.reason, "Hold", decision.message.clone());
        }
    }

    /// Announces that an undo has changed `projsync.dev/sync`.
    pub fn announce_undone(&self, id: &WorkloadId) {
        let undone = {
            let mut state = self.state.lock();
            let before = state.index.take_undone(id);
            let now = state.index.view(id).map(|view| view.workload.sync.clone());
            before.zip(now)
        };
        if let Some((before, now)) = undone {
            let note = sync_undone(before.as_deref(), now.as_deref());
            self.post(id, Reason::AnnotationsUndone, "Observe", note);
        }
    }

    /// Announces that stored digests can't be used any more.
    pub fn announce_loss(&self, id: &WorkloadId) {
        let lost = self.state.lock().tell_of_loss(id);
        if let Some(pods) = lost {
            let note = digests_lost(pods);
            warn!(workload = %id, note);
            self.post(id, Reason::StateUnknown, "Observe", note);
        }
    }

    /// Announces on each managed workload that the cluster has gone back to an earlier state.
    pub fn announce_restore(&self) {
        let managed = self.state.lock().remembered();
        for id in managed {
            let note = "The API server has gone back to an earlier state, as when etcd is restored; what Pods have is told by times";
            self.post(&id, Reason::ServerRestored, "Observe", note.to_owned());
        }
    }

    /// Posts an Event on a workload, if this replica leads.
    pub fn post(&self, id: &WorkloadId, reason: Reason, action: &'static str, note: String) {
        if !self.is_leading() {
            return;
        }
        let workload = {
            let state = self.state.lock();
            state.index.view(id).map(|view| view.workload.clone())
        };
        let Some(workload) = workload else {
            return;
        };
        self.cluster.events.post(Notice {
            regarding: Regarding {
                api_version: id.kind.api.api_version().into_owned(),
                kind: id.kind.to_string(),
                namespace: id.namespace.to_string(),
                name: id.name.to_string(),
                uid: workload.uid.to_string(),
                resource_version: workload.rv.map(|rv| rv.to_string()),
            },
            event_type: reason.event_type(),
            reason: reason.as_str(),
            action,
            note,
        });
    }
}
