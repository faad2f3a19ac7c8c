//! A restart with nothing changed since, but for what no Projection tells of: versions of
//! sources that differ in what nobody projects.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, is_one_of};
use crate::figure::{Figure, Unit, megabytes};

const NAME: &str = "restart";

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let step = bench.progress.step(NAME, 0);
    bench.stop().await?;
    let mark = bench.audit.mark()?;
    let (_, ready) = bench.start().await?;
    bench.settle().await?;
    drop(step);
    let cpu = bench.cpu()?;
    let process = bench.operator.process()?;
    let (resident, peak) = (process.resident()?, process.peak()?);
    let requests = bench.audit.since(mark)?;
    let (rolls, writes) = (requests.rolls(), requests.projections());
    let (again, unchanged): (Vec<_>, Vec<_>) = requests
        .sources_read()
        .partition(|source| is_one_of(&bench.without_effect, source));
    let (again, unchanged) = (again.len(), unchanged.len());
    bench.note_requests(NAME, mark)?;
    let scale = bench.scale();
    let count = |name: &str, value: usize| Figure::new(NAME, name, value as f64, Unit::Count);
    let seconds =
        |name: &str, value: Duration| Figure::new(NAME, name, value.as_secs_f64(), Unit::Seconds);
    let memory = |name, bytes| Figure::new(NAME, name, megabytes(bytes), Unit::Megabytes);
    bench.add(count("rollouts", rolls).exactly(0.0).must());
    bench.add(seconds("ready", ready).at_most_if(scale.limit(3.0, None)));
    bench.add(count("reads of unchanged sources", unchanged).exactly(0.0));
    let name = "reads of sources edited without effect before";
    bench.add(count(name, again));
    bench.add(count("writes of Projections", writes));
    bench.add(seconds("CPU", cpu));
    bench.add(memory("resident after it", resident));
    bench.add(memory("peak", peak));
    Ok(())
}
