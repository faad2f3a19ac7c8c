//! An orderly end of the work.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::{interval, timeout};
use tracing::warn;

use crate::operator::context::Context;
use crate::operator::loops::reports;

/// Number of Projections that are written at a time.
const REMEMBERED_AT_ONCE: usize = 16;

/// Waits for running work after the queues have stopped, and writes the Projections that
/// wait to be written. `request` is the maximum duration of a request.
pub async fn drain(context: &Arc<Context>, request: Duration) {
    if timeout(request * 2, idle(context)).await.is_err() {
        warn!("some requests did not end in time and are given up");
    }
    if timeout(request, remember(context)).await.is_err() {
        warn!("some Projections could not be written in time");
    }
}

/// Resolves once no work is running.
async fn idle(context: &Context) {
    let running =
        || context.sources.running() + context.workloads.running() + context.reports.running();
    let mut tick = interval(Duration::from_millis(10));
    while running() > 0 {
        tick.tick().await;
    }
}

/// Writes the Projections that wait to be written, so that the next process doesn't have to
/// guess.
async fn remember(context: &Arc<Context>) {
    if !context.state.lock().synced {
        return;
    }
    let remembered = context.state.lock().remembered();
    let writes = remembered
        .into_iter()
        .map(|id| reports::remember(context.clone(), id));
    let mut writes = futures::stream::iter(writes).buffer_unordered(REMEMBERED_AT_ONCE);
    while writes.next().await.is_some() {}
}
