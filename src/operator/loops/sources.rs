//! The loop that reads sources. One read of a source serves all references to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;
use tracing::{debug, warn};

use crate::api::reasons::Reason;
use crate::core::content::SourceContent;
use crate::core::state::{Read, SourceStep};
use crate::core::time::Moment;
use crate::kinds::{Rv, SourceId, WorkloadId};
use crate::operator::context::Context;
use crate::operator::queue::Next;
use crate::telemetry::metrics::Outcome;

/// Time after which a source is looked at again that a read found absent although its
/// DELETED event has not come.
const RECHECK: Duration = Duration::from_secs(5);

/// Time for which changes of a workload's sources are collected, for each reference that it has: many
/// times what planning it takes.
const PLAN_OF_REFERENCE: Duration = Duration::from_micros(200);

/// The longest time for which they are collected.
const COLLECT: Duration = Duration::from_secs(1);

/// Number of workloads for which a source is taken in at a time.
const AT_A_TIME: usize = 50;

/// Brings all references to a source to its newest version.
pub async fn reconcile(context: Arc<Context>, id: SourceId) -> Next {
    let step = context.state.lock().look_at(&id, context.now());
    match step {
        SourceStep::Read { shown } => read_source(&context, &id, shown).await,
        SourceStep::Plan(users) => {
            context.plan(users);
            Next::Done
        }
    }
}

async fn read_source(context: &Context, id: &SourceId, shown: Option<Rv>) -> Next {
    let count = |outcome: Outcome| {
        let values = [id.kind.as_str(), outcome.as_str()];
        context.metrics.source_reads.count(values);
    };
    match context.cluster.reader.read(id, shown).await {
        Ok((SourceContent::Absent, _)) => {
            // The watch still has the source. Its DELETED event is on the way and says since
            // when it is absent.
            count(Outcome::Absent);
            debug!(source = %id, "read ahead of the watch: it does not exist");
            Next::After(RECHECK)
        }
        Ok((content, date)) => {
            count(Outcome::Success);
            let answered = Moment {
                mono: context.clock.now(),
                server: date,
            };
            take_in(context, &mut Read::new(id, &content, answered), id).await;
            Next::Done
        }
        Err(error) => {
            // An error is neither a change nor absence.
            count(Outcome::Failure);
            warn!(source = %id, %error, "a source can't be read; it is tried again");
            let users = context.state.lock().index.users(id);
            for user in users {
                context.workloads.add(user.clone());
                context.post(&user, Reason::ReadFailed, "Read", error.to_string());
            }
            Next::Retry
        }
    }
}

/// Takes in what was read. Of many workloads only some at a time, so that others are served between.
async fn take_in(context: &Context, read: &mut Read<'_>, id: &SourceId) {
    let users = context.state.lock().index.users(id);
    for some in users.chunks(AT_A_TIME) {
        context.state.lock().take_in_for(some, read);
        yield_now().await;
    }
    context.state.lock().taken_in(read);
    context.plan(users);
}

impl Context {
    /// Plans workloads of which a source has changed. A plan looks at all references, so what changes
    /// at a time in many of one workload is collected.
    fn plan(&self, workloads: Vec<WorkloadId>) {
        for id in workloads {
            let references = self.state.lock().index.reference_count(&id);
            let references = u32::try_from(references).unwrap_or(u32::MAX);
            let collect = PLAN_OF_REFERENCE.saturating_mul(references).min(COLLECT);
            self.workloads.add_after(id, collect);
        }
    }
}
