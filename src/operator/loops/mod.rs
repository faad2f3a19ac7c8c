//! The reconcile loops, each in a file of its own.

pub mod policies;
pub mod reports;
pub mod sources;
pub mod workloads;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::cluster::write::Written;
use crate::operator::context::Context;
use crate::operator::leadership;
use crate::operator::queue::{self, Next};

/// Number of workloads worked on at a time for each Projection written at a time. In a mass
/// change rolls come first.
const REPORTING_SHARE: usize = 4;

/// Starts the loops, which run until `stop` becomes true. Each returns its name at its end.
pub fn loops(
    context: &Arc<Context>,
    concurrency: usize,
    stop: &watch::Sender<bool>,
) -> [BoxFuture<'static, &'static str>; 4] {
    let (read, work, report) = (context.clone(), context.clone(), context.clone());
    let sources = queue::run(
        context.sources.clone(),
        concurrency,
        move |id| sources::reconcile(read.clone(), id),
        stopped(stop),
    );
    let workloads = queue::run(
        context.workloads.clone(),
        concurrency,
        move |id| workloads::reconcile(work.clone(), id),
        stopped(stop),
    );
    let reports = queue::run(
        context.reports.clone(),
        concurrency.div_ceil(REPORTING_SHARE),
        move |subject| reports::reconcile(report.clone(), subject),
        stopped(stop),
    );
    [
        sources.map(|()| "the sources loop").boxed(),
        workloads.map(|()| "the workloads loop").boxed(),
        reports.map(|()| "the reports loop").boxed(),
        leadership::follow(context.clone())
            .map(|()| "leader election")
            .boxed(),
    ]
}

/// Resolves when no new work may begin.
fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        // A sender that is dropped says the same.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

impl Next {
    /// The next step for a key after a write.
    #[must_use]
    pub fn after(written: &Written) -> Self {
        match written.is_to_be_retried() {
            true => Self::Retry,
            false => Self::Done,
        }
    }
}
