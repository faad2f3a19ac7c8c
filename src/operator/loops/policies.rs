//! The status of policies: what each is in force for, and what is wrong with it.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tracing::{debug, warn};

use crate::api::conditions::{ACCEPTED, Statement, set};
use crate::api::policy::PolicyStatus;
use crate::api::reasons::Reason;
use crate::cluster::write::{self, Patched};
use crate::core::policy::PolicyId;
use crate::core::state::{PolicyCounts, State};
use crate::core::time::ServerTime;
use crate::operator::context::Context;
use crate::operator::queue::Outcome;
use crate::telemetry::metrics;

/// How long news of workloads is collected before the policies' status tells of it.
pub const POLICIES_DELAY: Duration = Duration::from_secs(1);

/// The least time between two looks at the policies' status: it counts all workloads.
const INTERVAL: Duration = Duration::from_secs(5);

/// Writes the status of each policy whose status is not as it should be.
pub async fn report(context: &Context) -> Outcome {
    let clock = context.now();
    let wanted = {
        let mut state = context.state.lock();
        let wait = state.policies_after.since(clock.now);
        if !wait.is_zero() {
            return Outcome::After(wait);
        }
        state.policies_after = clock.now + INTERVAL;
        if !state.is_planned() {
            // Before that there is nothing to count.
            return Outcome::After(INTERVAL);
        }
        wanted(&state, clock.server)
    };
    let mut written = false;
    for (id, status) in wanted {
        let client = context.clients.requests.clone();
        match write::policy_status(client, &id, &status, context.timeout).await {
            Patched::Done { .. } => {
                context.metrics.wrote_status(metrics::Outcome::Success);
                let mut state = context.state.lock();
                if let Some(meta) = state.policies.get_mut(&id) {
                    meta.status = status;
                }
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
        true => Outcome::After(INTERVAL),
        false => Outcome::Done,
    }
}

fn wanted(state: &State, now: ServerTime) -> Vec<(PolicyId, PolicyStatus)> {
    let counts: HashMap<PolicyId, PolicyCounts> = state.policy_counts();
    let policies = state.index.policies();
    policies
        .iter()
        .filter(|(id, _)| state.reports_on(id))
        .filter_map(|(id, valid)| {
            let meta = state.policies.get(&id)?;
            let counts = counts.get(&id).copied().unwrap_or_default();
            let (status, reason, message) = match valid {
                Ok(()) => (true, Reason::Accepted, "The policy is in force.".to_owned()),
                Err(error) => (false, error.reason(), error.to_string()),
            };
            let mut conditions: Vec<Condition> = meta.status.conditions.clone();
            set(
                &mut conditions,
                Statement {
                    type_: ACCEPTED,
                    status: Some(status),
                    reason,
                    message,
                    observed_generation: Some(meta.generation),
                },
                now,
            );
            let status = PolicyStatus {
                observed_generation: Some(meta.generation),
                workloads: counts.workloads,
                overridden: counts.overridden,
                pods: counts.pods,
                stale_pods: counts.stale,
                conditions,
            };
            (status != meta.status).then_some((id, status))
        })
        .collect()
}
