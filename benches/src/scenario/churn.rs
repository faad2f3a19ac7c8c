//! Changes, one at a time, while Pods of other Deployments go and come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Bench, single};
use crate::figure::{Figure, Unit, percentile};
use crate::manifests::{self, NAMESPACE};

const NAME: &str = "one change at a time, Pods come and go";
/// How many Pods are deleted in a second.
const A_SECOND: u32 = 20;
/// How many changes are made, at most.
const CHANGES: usize = 100;

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let changes = bench.scale().changes.min(CHANGES);
    let step = bench.progress.step(NAME, changes);
    let churn = Churn::start(bench.cluster.space.client.clone());
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let (mut latencies, mut bare) = (Vec::new(), Vec::new());
    for number in 0..changes {
        step.at(number);
        latencies.push(single::change(bench, number).await?);
        bare.push(single::bare(bench, &format!("churn-{number}")).await?);
    }
    let (deleted, took) = churn.finish().await?;
    let busy = bench.cpu()? - cpu;
    bench.all_rolled_out().await?;
    bench.settle().await?;
    drop(step);
    let requests = bench.audit.since(mark)?;
    let (rolls, writes) = (requests.rolls(), requests.projections());
    bench.note_requests(NAME, mark)?;
    let figure = |name: &str, value, unit| Figure::new(NAME, name, value, unit);
    let rate = deleted as f64 / took.as_secs_f64();
    bench.add(figure("Pods deleted a second", rate, Unit::Count));
    let rolls = rolls as f64 / changes as f64;
    let rolls = figure("patches a change", rolls, Unit::Count);
    bench.add(rolls.exactly(1.0).must());
    let times = |values: &[f64], percent| percentile(values, percent);
    let (p50, bare_p50) = (times(&latencies, 50.0), times(&bare, 50.0));
    let milliseconds = |name: &str, value| figure(name, value, Unit::Milliseconds);
    bench.add(milliseconds("edit to patched, p50", p50));
    bench.add(milliseconds(
        "edit to patched, p99",
        times(&latencies, 99.0),
    ));
    bench.add(milliseconds("bare apply, p50", bare_p50));
    bench.add(milliseconds("bare apply, p99", times(&bare, 99.0)));
    let compared = figure("p50, as bare applies", p50 / bare_p50, Unit::Times);
    bench.add(compared.at_most(3.0));
    let others = writes.saturating_sub(3 * changes) as f64 / deleted as f64;
    let name = "writes of Projections a Pod deleted";
    bench.add(figure(name, others, Unit::Count));
    let share = busy.as_secs_f64() / took.as_secs_f64() * 100.0;
    bench.add(figure("CPU meanwhile, of one core", share, Unit::Percent));
    Ok(())
}

/// Deletes Pods of the fan-out, which their ReplicaSets replace.
struct Churn {
    task: JoinHandle<Result<()>>,
    deleted: Arc<AtomicUsize>,
    begun: Instant,
}

impl Churn {
    fn start(client: Client) -> Self {
        let deleted = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&deleted);
        let task = tokio::spawn(async move { delete(client, &counted).await });
        Self {
            task,
            deleted,
            begun: Instant::now(),
        }
    }

    /// How many were deleted, and in what time.
    async fn finish(self) -> Result<(usize, Duration)> {
        let took = self.begun.elapsed();
        if self.task.is_finished() {
            // It goes on for ever, unless something failed.
            self.task.await??;
        } else {
            self.task.abort();
        }
        Ok((self.deleted.load(Ordering::Relaxed), took))
    }
}

async fn delete(client: Client, deleted: &AtomicUsize) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(client, NAMESPACE);
    let mut tick = interval(Duration::from_secs(1) / A_SECOND);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        // At once there may be none that is left of the list before.
        tick.tick().await;
        let pods = api.list_metadata(&ListParams::default()).await?;
        let names = pods.items.iter().map(ResourceExt::name_any);
        let shared = manifests::shared_user(0);
        let prefix = shared.trim_end_matches(|c: char| c.is_ascii_digit());
        for name in names.filter(|name| name.starts_with(prefix)) {
            tick.tick().await;
            match api.delete(&name, &DeleteParams::default()).await {
                Ok(_) => deleted.fetch_add(1, Ordering::Relaxed),
                // Replaced already.
                Err(kube::Error::Api(status)) if status.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
        }
    }
}
