//! After it all: what the operator takes while nothing happens.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Bench;
use crate::figure::{Figure, Unit, megabytes};

const NAME: &str = "at rest";
const SPAN: Duration = Duration::from_secs(30);

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    bench.all_rolled_out().await?;
    bench.settle().await?;
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let step = bench.progress.step(NAME, 0);
    sleep(SPAN).await;
    drop(step);
    let cpu = bench.cpu()? - cpu;
    let process = bench.operator.process()?;
    let (resident, peak) = (process.resident()?, process.peak()?);
    let requests = bench.audit.since(mark)?;
    let others = requests.others();
    bench.note_requests(NAME, mark)?;
    let share = cpu.as_secs_f64() / SPAN.as_secs_f64() * 100.0;
    let scale = bench.scale();
    let memory = |name, bytes| Figure::new(NAME, name, megabytes(bytes), Unit::Megabytes);
    let limit = scale.limit(40.0, Some(75.0));
    bench.add(memory("resident, 30 s after it all", resident).at_most_if(limit));
    bench.add(memory("peak of it all", peak));
    bench.add(Figure::new(NAME, "CPU, of one core", share, Unit::Percent));
    let name = "requests but watches and the lease";
    bench.add(Figure::new(NAME, name, others as f64, Unit::Count).exactly(0.0));
    let metrics = bench.operator.metrics().await?;
    bench.results.metrics = metrics;
    Ok(())
}
