//! The loop that plans workloads from current state and rolls them.

use std::sync::Arc;

use tracing::info;

use crate::api::reasons::Reason;
use crate::cluster::write::{Target, Written};
use crate::core::history::record::{Health, Roll};
use crate::core::plan::{Act, Plan};
use crate::core::state::{Order, RETIRE_AFTER, WorkloadStep};
use crate::core::time::ServerTime;
use crate::kinds::{Rv, WorkloadId};
use crate::operator::context::{Context, Subject};
use crate::operator::loops::policies::POLICIES_DELAY;
use crate::operator::queue::Next;

/// What is told of a roll that a webhook has undone.
const UNDONE: &str = "The API server accepted the roll, but the Pod template has not changed: a mutating webhook or policy removes or replaces projsync.dev/revision in the same request. Have it leave that annotation alone.";

/// Plans a workload and acts on it.
pub async fn reconcile(context: Arc<Context>, id: WorkloadId) -> Next {
    let now = context.now();
    let watched_until = context.clock.watched_until();
    let leading = context.is_leading();
    let planned = context.state.lock().plan(&id, now, watched_until);
    context.announce(&id, &planned);
    context.announce_undone(&id);
    if leading {
        context.announce_loss(&id);
    }
    if leading && (planned.news || planned.uid.is_none()) {
        context.reports.add_after(Subject::Policies, POLICIES_DELAY);
    }
    // Who does not lead has to forget what is no longer managed.
    let retired = planned.report == Some(RETIRE_AFTER);
    if let Some(delay) = planned.report.filter(|_| leading || retired) {
        context
            .reports
            .add_after(Subject::Workload(id.clone()), delay);
    }
    for other in planned.next {
        context.workloads.add(other);
    }
    match planned.step {
        WorkloadStep::Rest => Next::Done,
        WorkloadStep::At(time) => Next::After(time.since(now.mono)),
        WorkloadStep::Act(_) if !leading => Next::Done,
        WorkloadStep::Act(order) => act(&context, &id, order).await,
    }
}

async fn act(context: &Context, id: &WorkloadId, order: Order) -> Next {
    let target = Target {
        id,
        uid: &order.uid,
        resource_version: &order.resource_version,
    };
    let Act::Roll(plan) = order.act;
    let written = context.cluster.writer.roll(target, &plan.revision).await;
    let next = Next::after(&written);
    if !matches!(written, Written::Done { .. }) {
        // Who comes after it need not wait until it is tried again.
        let instead = context.state.lock().not_rolled(id);
        instead
            .into_iter()
            .for_each(|other| context.workloads.add(other));
    }
    match written {
        Written::Done { rv, date } => {
            let latency = context.clock.now().since(order.changed);
            let latency = latency.as_secs_f64();
            context.metrics.change_to_patch.observe(latency);
            rolled(context, id, plan, rv, date);
        }
        Written::Refused { message } => {
            refused(
                context,
                id,
                format!("The API server refuses the roll: {message}"),
            );
        }
        Written::WithoutEffect => {
            let mut state = context.state.lock();
            state.undone_at_once(id, &plan.revision, &plan.base);
            drop(state);
            refused(context, id, UNDONE.to_owned());
        }
        // The workload has changed. The watch brings the change, and a new plan is made.
        _ => {}
    }
    next
}

fn rolled(context: &Context, id: &WorkloadId, plan: Plan, rv: Option<Rv>, date: ServerTime) {
    let causes = plan.causes.join("; ");
    info!(workload = %id, revision = %plan.revision, causes, "rolled");
    let roll = Roll {
        revision: plan.revision,
        time: date,
        rv,
        causes: plan.causes,
        health: Health {
            unready: plan.unready,
            ..Health::default()
        },
    };
    let now = context.clock.now();
    context.state.lock().rolled(id, roll, &plan.base, now);
    let note = format!("Rolled: {causes} changed ({} outdated)", plan.outdated);
    context.post(id, Reason::ContentChanged, "Roll", note);
    context.workloads.add(id.clone());
    context.reports.add(Subject::Workload(id.clone()));
}

fn refused(context: &Context, id: &WorkloadId, note: String) {
    let now = context.clock.now();
    let report = context.state.lock().refused(id, note.clone(), now);
    if let Some(delay) = report {
        let subject = Subject::Workload(id.clone());
        context.reports.add_after(subject, delay);
    }
    context.post(id, Reason::RollFailed, "Roll", note);
}
