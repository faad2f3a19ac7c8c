//! Writes Projections and the status of policies, behind the patches and coalesced.

use std::sync::Arc;

use tracing::{debug, warn};

use crate::api::names::projection_name;
use crate::cluster::write::{self, Patched};
use crate::core::state::{Pace, ProjectionStep};
use crate::kinds::WorkloadId;
use crate::operator::context::{Context, Subject};
use crate::operator::loops::policies::{self, POLICIES_DELAY};
use crate::operator::queue::Outcome;
use crate::telemetry::metrics;

/// Writes what a subject's object should be.
pub async fn reconcile(context: Arc<Context>, subject: Subject) -> Outcome {
    if !context.is_leading() {
        return Outcome::Done;
    }
    match subject {
        Subject::Workload(id) => projection(&context, &id, Pace::Coalesced).await,
        Subject::Policies => policies::report(&context).await,
    }
}

/// Writes what a workload's Projection should be, without waiting for more.
pub async fn remember(context: Arc<Context>, id: WorkloadId) {
    if context.is_leading() {
        projection(&context, &id, Pace::AtOnce).await;
    }
}

async fn projection(context: &Context, id: &WorkloadId, pace: Pace) -> Outcome {
    let step = context.state.lock().report(id, context.now(), pace);
    let client = context.clients.requests.clone();
    let name = projection_name(id.kind, &id.name);
    let (outcome, done) = match step {
        ProjectionStep::Rest => return Outcome::Done,
        ProjectionStep::After(delay) => return Outcome::After(delay),
        ProjectionStep::Delete { version } => {
            let outcome =
                write::delete_projection(client, &id.namespace, &name, version, context.timeout)
                    .await;
            let done = matches!(outcome, Patched::Done { .. } | Patched::Gone);
            if done {
                context.state.lock().forget(id);
            }
            (outcome, done)
        }
        ProjectionStep::Write(report) => {
            let owner = write::Owner {
                kind: id.kind,
                name: &id.name,
                uid: &report.spec.workload.uid,
            };
            let projection = write::projection(
                &id.namespace,
                &name,
                report.version,
                owner,
                &report.spec,
                &report.status,
            );
            let outcome =
                write::apply_projection(client, &id.namespace, &name, &projection, context.timeout)
                    .await;
            let done = matches!(outcome, Patched::Done { .. });
            if let Patched::Done { rv, .. } = outcome {
                let now = context.clock.now();
                context.state.lock().reported(id, &report, rv, now);
                context.reports.add_after(Subject::Policies, POLICIES_DELAY);
            }
            (outcome, done)
        }
    };
    if done {
        context.metrics.wrote_status(metrics::Outcome::Success);
        return Outcome::Done;
    }
    match outcome {
        // Its namespace is gone or going: so is the workload.
        Patched::Gone => Outcome::Done,
        Patched::Done { .. } => Outcome::Done,
        Patched::Conflict => {
            context.metrics.wrote_status(metrics::Outcome::Conflict);
            debug!(workload = %id, "its Projection is written by somebody else too; it is tried again");
            Outcome::Retry
        }
        Patched::Refused { message } => {
            context.metrics.wrote_status(metrics::Outcome::Refused);
            warn!(workload = %id, message, "the API server refuses its Projection");
            Outcome::Retry
        }
        Patched::Failed { message } => {
            context.metrics.wrote_status(metrics::Outcome::Failure);
            warn!(workload = %id, message, "its Projection can't be written; it is tried again");
            Outcome::Retry
        }
    }
}
