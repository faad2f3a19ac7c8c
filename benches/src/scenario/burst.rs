//! Many edits in quick succession, under the default policy.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::{sleep, sleep_until};

use super::Bench;
use crate::figure::{Figure, Unit};
use crate::manifests::{BURST, NAMESPACE, USED};

const NAME: &str = "a burst, default policy";
const EDITS: u32 = 50;
const SPAN: Duration = Duration::from_secs(5);

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let mark = bench.audit.mark()?;
    let step = bench.progress.step(NAME, EDITS as usize);
    let begun = tokio::time::Instant::now();
    for number in 0..EDITS {
        sleep_until(begun + SPAN / EDITS * number).await;
        bench.edit(BURST, USED).await?;
        step.at(number as usize);
    }
    let edited = Instant::now();
    // What was edited last is read before.
    bench.settle().await?;
    while !is_in_sync(bench).await? {
        ensure!(
            edited.elapsed() < Duration::from_secs(120),
            "it does not get in sync"
        );
        sleep(Duration::from_millis(500)).await;
    }
    bench.settle().await?;
    drop(step);
    let rolls = bench.audit.since(mark)?.rolls();
    bench.note_requests(NAME, mark)?;
    let name = format!("rollouts of {EDITS} edits in {} s", SPAN.as_secs());
    bench.add(
        Figure::new(NAME, name, rolls as f64, Unit::Count)
            .at_most(2.0)
            .must(),
    );
    Ok(())
}

async fn is_in_sync(bench: &Bench<'_>) -> Result<bool> {
    let index = bench.operator.index().await?;
    let workload = index
        .workloads
        .get(&format!("Deployment {NAMESPACE}/{BURST}"));
    Ok(workload.is_some_and(|one| one.reason.as_deref() == Some("InSync")))
}
