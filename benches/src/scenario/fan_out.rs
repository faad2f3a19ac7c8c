//! One ConfigMap that many Deployments project: 1, 10, 100 and so on, up to all of the
//! fan-out.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::time::sleep;

use super::probe::Probe;
use super::{Bench, millis};
use crate::audit::Mark;
use crate::figure::{Figure, Unit, percentile};
use crate::fleet::Fleet;
use crate::manifests::{self, SHARED, USED};

const NAME: &str = "one ConfigMap, many Deployments";
const NARROW: &str = "one ConfigMap, fewer Deployments";
/// How long others' reads are timed with nothing else going on.
const ALONE: Duration = Duration::from_secs(5);

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NARROW);
    for width in bench.scale().narrow_fan_outs() {
        let Fan { mark, took, cpu } = fan(bench, &manifests::shared_by(width), width).await?;
        let rolls = bench.audit.since(mark)?.rolls();
        add_times(bench, NARROW, width, took, cpu);
        let name = format!("rollouts of {width}");
        let rolls = Figure::new(NARROW, name, rolls as f64, Unit::Count);
        bench.add(rolls.exactly(width as f64).must());
    }
    widest(bench).await
}

/// All Deployments of the fan-out, with all that it takes.
async fn widest(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let fan_out = bench.scale().fan_out;
    let alone = Probe::start(bench.cluster.space.client.clone());
    sleep(ALONE).await;
    let alone = alone.finish().await?;
    let meanwhile = Probe::start(bench.cluster.space.client.clone());
    let Fan { mark, took, cpu } = fan(bench, SHARED, fan_out).await?;
    let meanwhile = meanwhile.finish().await?;
    let requests = bench.audit.since(mark)?;
    let (rolls, reads, events) = (requests.rolls(), requests.reads(), requests.events());
    let (writes, lists) = (requests.projections(), requests.lists());
    bench.note_requests(NAME, mark)?;
    let each = |count: usize| count as f64 / fan_out as f64;
    let count = |name: &str, value: f64| Figure::new(NAME, name, value, Unit::Count);
    bench.add(count("rollouts of each", each(rolls)).exactly(1.0).must());
    add_times(bench, NAME, fan_out, took, cpu);
    let bare = bench.results.bare_fan_out.context("not measured")?;
    let times = took.as_secs_f64() / bare.as_secs_f64();
    bench.add(Figure::new(NAME, "as bare applies", times, Unit::Times).at_most(2.0));
    bench.add(count("reads", reads as f64).exactly(1.0));
    bench.add(count("writes of the Projection, each", each(writes)).at_most(3.0));
    bench.add(count("Events of each", each(events)).exactly(1.0));
    bench.add(count("LISTs", lists as f64).exactly(0.0));
    for (when, reads) in [("before", alone), ("meanwhile", meanwhile)] {
        for percent in [50.0, 99.0] {
            let name = format!("others' reads {when}, p{percent}");
            let value = percentile(&reads, percent);
            bench.add(Figure::new(NAME, name, value, Unit::Milliseconds));
        }
    }
    Ok(())
}

/// What an edit of one ConfigMap took.
struct Fan {
    mark: Mark,
    /// From the answer to the edit until the last Deployment is patched.
    took: Duration,
    cpu: Duration,
}

/// Edits a ConfigMap that the first `width` Deployments of the fan-out project.
async fn fan(bench: &mut Bench<'_>, config_map: &str, width: usize) -> Result<Fan> {
    let names: Vec<String> = (0..width).map(manifests::shared_user).collect();
    let fleet = &bench.cluster.fleet;
    let before: Vec<i64> = names
        .iter()
        .map(|name| Ok(fleet.get(name)?.generation))
        .collect::<Result<_>>()?;
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let step = bench.progress.step(format!("a fan-out to {width}"), width);
    let answered = bench.edit(config_map, USED).await?;
    let mut patched = 0;
    fleet
        .wait("the last patch", Duration::from_secs(1800), |states| {
            // Each name is looked at until it is patched: there are many events.
            let is_patched = |name, before| states.generation(name) > before;
            while patched < width && is_patched(&names[patched], before[patched]) {
                patched += 1;
            }
            step.at(patched);
            patched == width
        })
        .await?;
    let last = last_patched(fleet, &names)?;
    bench.all_rolled_out().await?;
    bench.settle().await?;
    drop(step);
    Ok(Fan {
        mark,
        took: last.saturating_duration_since(answered),
        cpu: bench.cpu()? - cpu,
    })
}

fn last_patched(fleet: &Fleet, names: &[String]) -> Result<Instant> {
    let seen: Vec<Instant> = names
        .iter()
        .map(|name| Ok(fleet.get(name)?.since))
        .collect::<Result<_>>()?;
    seen.into_iter().max().context("no Deployments")
}

fn add_times(
    bench: &mut Bench<'_>,
    scenario: &'static str,
    width: usize,
    took: Duration,
    cpu: Duration,
) {
    let figure = |name: String, value| Figure::new(scenario, name, value, Unit::Milliseconds);
    let name = format!("edit to the last of {width} patched");
    bench.add(figure(name, millis(took)));
    let cpu = figure("CPU a Deployment".to_owned(), millis(cpu) / width as f64);
    bench.add(match scenario {
        NAME => cpu.at_most(2.0),
        _ => Figure {
            name: format!("CPU a Deployment, of {width}"),
            ..cpu
        },
    });
}
