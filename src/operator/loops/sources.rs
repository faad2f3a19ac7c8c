//! Reads what lags behind: one read of a source serves all references to it.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use crate::api::reasons::Reason;
use crate::cluster::read::read;
use crate::core::content::SourceContent;
use crate::core::state::SourceStep;
use crate::core::time::Moment;
use crate::kinds::{Rv, SourceId, WorkloadId};
use crate::operator::context::Context;
use crate::operator::queue::Outcome;
use crate::telemetry::metrics;

/// When a source is looked at again that a read found absent and whose DELETED
/// event has not come.
const RECHECK: Duration = Duration::from_secs(5);

/// Brings all references to a source to its newest version.
pub async fn reconcile(context: Arc<Context>, id: SourceId) -> Outcome {
    let step = context.state.lock().look_at(&id, context.now());
    match step {
        SourceStep::Read { shown } => read_source(&context, &id, shown).await,
        SourceStep::Plan(users) => {
            context.plan(users);
            Outcome::Done
        }
    }
}

async fn read_source(context: &Context, id: &SourceId, shown: Option<Rv>) -> Outcome {
    let kind = id.kind.as_str();
    let client = context.clients.requests.clone();
    match read(client, id, shown, &context.key, context.timeout).await {
        Ok((SourceContent::Absent, _)) => {
            // The watch still has it: its DELETED event is on the way and tells
            // since when it is absent.
            context.metrics.read_source(kind, metrics::Outcome::Absent);
            debug!(source = %id, "read ahead of the watch: it does not exist");
            Outcome::After(RECHECK)
        }
        Ok((content, date)) => {
            context.metrics.read_source(kind, metrics::Outcome::Success);
            let answered = Moment {
                mono: context.clock.now(),
                server: date,
            };
            let users = context.state.lock().take_in(id, &content, answered);
            context.plan(users);
            Outcome::Done
        }
        Err(error) => {
            // An error is an error: never taken for a change or for absence.
            context.metrics.read_source(kind, metrics::Outcome::Failure);
            warn!(source = %id, %error, "a source can't be read; it is tried again");
            let users = context.state.lock().index.users(id);
            for user in users {
                context.workloads.add(user.clone());
                context.post(&user, Reason::ReadFailed, "Read", error.to_string());
            }
            Outcome::Retry
        }
    }
}

impl Context {
    fn plan(&self, workloads: Vec<WorkloadId>) {
        workloads.into_iter().for_each(|id| self.workloads.add(id));
    }
}
