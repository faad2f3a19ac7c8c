//! The status of policies: the workloads that each is in force for, and its error.

use std::time::Duration;

use crate::cluster::write::Written;
use crate::core::state::{POLICIES_INTERVAL, PolicyStep};
use crate::operator::context::Context;
use crate::operator::queue::Next;

/// Time for which changes of workloads are collected before the status of policies is written.
pub const POLICIES_DELAY: Duration = Duration::from_secs(1);

/// Writes the status of each policy that is not as it should be.
pub async fn report(context: &Context) -> Next {
    let step = context.state.lock().policy_statuses(context.now());
    let wanted = match step {
        PolicyStep::After(wait) => return Next::After(wait),
        PolicyStep::Write(wanted) if wanted.is_empty() => return Next::Done,
        PolicyStep::Write(wanted) => wanted,
    };
    for (id, status) in wanted {
        let written = context.cluster.writer.policy_status(&id, &status).await;
        if matches!(written, Written::Done { .. }) {
            context.state.lock().policy_reported(&id, status);
        }
    }
    Next::After(POLICIES_INTERVAL)
}
