//! The status of policies: what each is in force for, and what is wrong with it.

use std::time::Duration;

use tracing::{debug, warn};

use crate::cluster::write::{self, Patched};
use crate::core::state::{POLICIES_INTERVAL, PolicyStep};
use crate::operator::context::Context;
use crate::operator::queue::Outcome;
use crate::telemetry::metrics;

/// How long news of workloads is collected before the policies' status tells of it.
pub const POLICIES_DELAY: Duration = Duration::from_secs(1);

/// Writes the status of each policy whose status is not as it should be.
pub async fn report(context: &Context) -> Outcome {
    let step = context.state.lock().policy_statuses(context.now());
    let wanted = match step {
        PolicyStep::After(wait) => return Outcome::After(wait),
        PolicyStep::Write(wanted) => wanted,
    };
    let mut written = false;
    for (id, status) in wanted {
        let client = context.clients.requests.clone();
        match write::policy_status(client, &id, &status, context.timeout).await {
            Patched::Done { .. } => {
                context.metrics.wrote_status(metrics::Outcome::Success);
                context.state.lock().policy_reported(&id, status);
            }
            Patched::Gone => {}
            Patched::Conflict => context.metrics.wrote_status(metrics::Outcome::Conflict),
            Patched::Refused { message } => {
                context.metrics.wrote_status(metrics::Outcome::Refused);
                debug!(policy = %id, message, "the API server refuses its status");
            }
            Patched::Failed { message } => {
                context.metrics.wrote_status(metrics::Outcome::Failure);
                warn!(policy = %id, message, "its status can't be written");
            }
        }
        written = true;
    }
    match written {
        true => Outcome::After(POLICIES_INTERVAL),
        false => Outcome::Done,
    }
}
