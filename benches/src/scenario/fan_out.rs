//! One ConfigMap that many Deployments project.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Bench, millis};
use crate::figure::{Figure, Unit};
use crate::manifests::{self, SHARED, USED};

const NAME: &str = "one ConfigMap, many Deployments";

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let fan_out = bench.scale().fan_out;
    let names: Vec<String> = (0..fan_out).map(manifests::shared_user).collect();
    let fleet = &bench.cluster.fleet;
    let before: Vec<i64> = names
        .iter()
        .map(|name| Ok(fleet.get(name)?.generation))
        .collect::<Result<_>>()?;
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let step = bench.progress.step(NAME, fan_out);
    let answered = bench.edit(SHARED, USED).await?;
    fleet
        .wait("the last patch", Duration::from_secs(600), |states| {
            let patched = |(name, before): &(&String, &i64)| states.generation(name) > **before;
            let patched = names.iter().zip(&before).filter(patched).count();
            step.at(patched);
            patched == fan_out
        })
        .await?;
    let seen: Vec<Instant> = names
        .iter()
        .map(|name| Ok(fleet.get(name)?.since))
        .collect::<Result<_>>()?;
    bench.all_rolled_out().await?;
    bench.settle().await?;
    drop(step);
    let cpu = bench.cpu()? - cpu;
    let last = seen.into_iter().max().context("no Deployments")?;
    let took = last.saturating_duration_since(answered);
    let bare = bench.results.bare_fan_out.context("not measured")?;
    let requests = bench.audit.since(mark)?;
    let (rolls, reads, events) = (requests.rolls(), requests.reads(), requests.events());
    let (writes, lists) = (requests.projections(), requests.lists());
    bench.note_requests(NAME, mark)?;
    let each = |count: usize| count as f64 / fan_out as f64;
    let count = |name: &str, value: f64| Figure::new(NAME, name, value, Unit::Count);
    bench.add(count("rollouts of each", each(rolls)).exactly(1.0).must());
    let name = format!("edit to the last of {fan_out} patched");
    bench.add(Figure::new(NAME, name, millis(took), Unit::Milliseconds));
    let times = took.as_secs_f64() / bare.as_secs_f64();
    bench.add(Figure::new(NAME, "as bare applies", times, Unit::Times).at_most(2.0));
    bench.add(count("reads", reads as f64).exactly(1.0));
    bench.add(count("writes of the Projection, each", each(writes)).at_most(2.0));
    bench.add(count("Events of each", each(events)).exactly(1.0));
    bench.add(count("LISTs", lists as f64).exactly(0.0));
    let cpu = millis(cpu) * each(1);
    bench.add(Figure::new(NAME, "CPU a Deployment", cpu, Unit::Milliseconds).at_most(2.0));
    Ok(())
}
