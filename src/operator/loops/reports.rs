//! The loop that writes Projections and the status of policies, coalesced and after patches.

use std::sync::Arc;

use crate::cluster::write::Written;
use crate::core::state::{Pace, ProjectionStep};
use crate::kinds::WorkloadId;
use crate::operator::context::{Context, Subject};
use crate::operator::loops::policies::{self, POLICIES_DELAY};
use crate::operator::queue::Next;

/// Writes the object of a subject as it should be.
pub async fn reconcile(context: Arc<Context>, subject: Subject) -> Next {
    if !context.is_leading() {
        return stand_by(&context, &subject);
    }
    match subject {
        Subject::Workload(id) => projection(&context, &id, Pace::Coalesced).await,
        Subject::Policies => policies::report(&context).await,
    }
}

fn stand_by(context: &Context, subject: &Subject) -> Next {
    let Subject::Workload(id) = subject else {
        return Next::Done;
    };
    let again = context.state.lock().stand_by(id, context.clock.now());
    again.map_or(Next::Done, Next::After)
}

/// Writes a workload's Projection as it should be, without waiting for more changes.
pub async fn remember(context: Arc<Context>, id: WorkloadId) {
    if context.is_leading() {
        projection(&context, &id, Pace::AtOnce).await;
    }
}

async fn projection(context: &Context, id: &WorkloadId, pace: Pace) -> Next {
    let step = context.state.lock().report(id, context.now(), pace);
    let writer = &context.cluster.writer;
    match step {
        ProjectionStep::Rest => Next::Done,
        ProjectionStep::After(delay) => Next::After(delay),
        ProjectionStep::Delete { version } => {
            let written = writer.delete_projection(id, version).await;
            if matches!(written, Written::Done { .. } | Written::Gone) {
                context.state.lock().forget(id);
            }
            Next::after(&written)
        }
        ProjectionStep::Write(report) => {
            let (spec, status) = (&report.spec, &report.status);
            let written = writer.projection(id, spec, status, report.version).await;
            if let Written::Done { rv, .. } = written {
                let now = context.clock.now();
                context.state.lock().reported(id, &report, rv, now);
                context.reports.add_after(Subject::Policies, POLICIES_DELAY);
            }
            // If the namespace is gone or terminating, so is the workload.
            Next::after(&written)
        }
    }
}
