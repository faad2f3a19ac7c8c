//! Reads what lags behind: one read of a source serves all references to it.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use crate::api::reasons::Reason;
use crate::cluster::read::read;
use crate::core::content::SourceContent;
use crate::core::history::record::Version;
use crate::core::state::Need;
use crate::kinds::{Rv, SourceId};
use crate::operator::context::Context;
use crate::operator::queue::Outcome;
use crate::telemetry::metrics;

/// When a source is looked at again that a read found absent and whose DELETED
/// event has not come.
const RECHECK: Duration = Duration::from_secs(5);

/// Brings all references to a source to its newest version.
pub async fn reconcile(context: Arc<Context>, id: SourceId) -> Outcome {
    let (need, shown) = {
        let mut state = context.state.lock();
        if !state.synced {
            return Outcome::Done;
        }
        let shown = Version::of_source(state.index.source(&id)).rv;
        (state.need(&id), shown)
    };
    match need {
        Need::Nothing => {
            plan_users(&context, &id);
            Outcome::Done
        }
        Need::Absence => {
            let clock = context.now();
            let users =
                context
                    .state
                    .lock()
                    .take_in(&id, &SourceContent::Absent, clock.server, clock.now);
            users.into_iter().for_each(|id| context.workloads.add(id));
            Outcome::Done
        }
        Need::Read => read_source(&context, &id, shown).await,
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
            let now = context.clock.now();
            let users = context.state.lock().take_in(id, &content, date, now);
            users.into_iter().for_each(|id| context.workloads.add(id));
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

fn plan_users(context: &Context, id: &SourceId) {
    let users = context.state.lock().index.users(id);
    users.into_iter().for_each(|id| context.workloads.add(id));
}
