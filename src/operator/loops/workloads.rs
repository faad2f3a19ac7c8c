//! Plans a workload from current state, and rolls it.

use std::sync::Arc;

use tracing::{debug, info, warn};

use crate::api::reasons::{Quality, Reason};
use crate::cluster::events::{Notice, Regarding};
use crate::cluster::write::{self, Patched};
use crate::core::history::record::Roll;
use crate::core::plan::{Act, Plan, Verdict};
use crate::core::projection::digests_lost;
use crate::core::state::{Order, Planned, WorkloadStep};
use crate::kinds::WorkloadId;
use crate::operator::context::{Context, Subject};
use crate::operator::loops::policies::POLICIES_DELAY;
use crate::operator::queue::Outcome;
use crate::telemetry::metrics;

/// Plans one workload and acts on it.
pub async fn reconcile(context: Arc<Context>, id: WorkloadId) -> Outcome {
    let now = context.now();
    let settled = context.clock.settled();
    let leading = context.is_leading();
    let planned = context.state.lock().plan(&id, now, settled);
    announce(&context, &id, &planned, leading);
    if leading {
        announce_loss(&context, &id);
    }
    if leading && (planned.news || planned.uid.is_none()) {
        context.reports.add_after(Subject::Policies, POLICIES_DELAY);
    }
    if let Some(delay) = planned.report.filter(|_| leading) {
        context
            .reports
            .add_after(Subject::Workload(id.clone()), delay);
    }
    match planned.step {
        WorkloadStep::Rest => Outcome::Done,
        WorkloadStep::At(time) => Outcome::After(time.since(now.mono)),
        WorkloadStep::Act(_) if !leading => Outcome::Done,
        WorkloadStep::Act(order) => match &order.act {
            Act::Roll(plan) => roll(&context, &id, &order, plan).await,
        },
    }
}

/// Tells of a decision that is another than the one before.
fn announce(context: &Context, id: &WorkloadId, planned: &Planned, leading: bool) {
    if !planned.news || planned.uid.is_none() {
        return;
    }
    let decision = &planned.decision;
    let (kind, reason) = (id.kind.as_str(), decision.reason.as_str());
    context.metrics.decided(kind, reason);
    debug!(workload = %id, reason, message = decision.message, "decided");
    if leading && (decision.verdict == Verdict::Hold || decision.reason.is(Quality::Refusal)) {
        context.post(id, decision.reason, "Hold", decision.message.clone());
    }
}

/// Tells that stored digests are of no use any more.
fn announce_loss(context: &Context, id: &WorkloadId) {
    let lost = context.state.lock().tell_of_loss(id);
    if let Some(pods) = lost {
        let note = digests_lost(pods);
        warn!(workload = %id, note);
        context.post(id, Reason::StateUnknown, "Observe", note);
    }
}

async fn roll(context: &Context, id: &WorkloadId, order: &Order, plan: &Plan) -> Outcome {
    let kind = id.kind.as_str();
    let target = write::Target {
        id,
        uid: &order.uid,
        resource_version: &order.resource_version,
    };
    let client = context.clients.requests.clone();
    let patched = write::roll(client, target, &plan.revision, context.timeout).await;
    let now = context.clock.now();
    let latency = now.since(order.changed);
    let counted = |outcome| context.metrics.rolled(kind, outcome, latency);
    match patched {
        Patched::Done { rv, date } => {
            counted(metrics::Outcome::Success);
            let causes = plan.causes.join("; ");
            info!(workload = %id, revision = %plan.revision, causes, "rolled");
            let roll = Roll {
                revision: plan.revision.clone(),
                time: date,
                rv,
                causes: plan.causes.clone(),
            };
            context.state.lock().rolled(id, roll, &plan.base, now);
            context.post(
                id,
                Reason::ContentChanged,
                "Roll",
                format!("Rolled: {causes} changed ({} outdated)", plan.outdated),
            );
            context.workloads.add(id.clone());
            context.reports.add(Subject::Workload(id.clone()));
            Outcome::Done
        }
        Patched::Conflict => {
            // It was changed, deleted or recreated: the watch brings it, and the
            // plan is made anew.
            counted(metrics::Outcome::Conflict);
            debug!(workload = %id, "changed since it was planned; planning anew");
            Outcome::Retry
        }
        Patched::Gone => {
            counted(metrics::Outcome::Absent);
            Outcome::Done
        }
        Patched::Refused { message } => {
            counted(metrics::Outcome::Refused);
            warn!(workload = %id, message, "the API server refuses the roll");
            let note = format!("The API server refuses the roll: {message}");
            let report = context.state.lock().refused(id, note.clone(), now);
            if let Some(delay) = report {
                context
                    .reports
                    .add_after(Subject::Workload(id.clone()), delay);
            }
            context.post(id, Reason::RollFailed, "Roll", note);
            Outcome::Retry
        }
        Patched::Failed { message } => {
            counted(metrics::Outcome::Failure);
            warn!(workload = %id, message, "the roll failed; it is tried again");
            Outcome::Retry
        }
    }
}

impl Context {
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
        self.events.post(Notice {
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
