//! Changes, one at a time: how long until the workload is patched, and what each costs.

use std::ops::Range;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::{Bench, millis};
use crate::audit::{Mark, Requests};
use crate::figure::{Figure, Unit, percentile};
use crate::manifests::{self, BARE, USED};
use crate::report::Breakdown;

const NAME: &str = "one change at a time";

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let changes = bench.scale().changes;
    // Half before and half after: the operator sees a bare apply too.
    let watched = bench.cpu()?;
    bares(bench, 0..changes / 2).await?;
    bench.settle().await?;
    let watched = bench.cpu()? - watched;
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let step = bench.progress.step(NAME, changes);
    for number in 0..changes {
        step.at(number);
        let latency = change(bench, number).await?;
        bench.results.latencies.push(latency);
    }
    bench.settle().await?;
    drop(step);
    let cpu = bench.cpu()? - cpu;
    let each = |count: usize| count as f64 / changes as f64;
    requests(bench, mark)?;
    bares(bench, changes / 2..changes).await?;
    latency(bench);
    let milliseconds = |name, value| Figure::new(NAME, name, value, Unit::Milliseconds);
    bench.add(milliseconds("CPU a change", millis(cpu) * each(1)).at_most(2.0));
    let watched = millis(watched) / (changes / 2) as f64;
    bench.add(milliseconds("CPU to watch a bare apply", watched));
    Ok(())
}

/// Bare applies of the same patch to compare with.
async fn bares(bench: &mut Bench<'_>, numbers: Range<usize>) -> Result<()> {
    let _step = bench
        .progress
        .step(format!("{} bare applies", numbers.len()), 0);
    for number in numbers {
        let took = bare(bench, &number.to_string()).await?;
        bench.results.bare.push(took);
    }
    Ok(())
}

/// One bare apply: how many milliseconds its answer took. The next comes when that is
/// rolled out.
pub(super) async fn bare(bench: &Bench<'_>, value: &str) -> Result<f64> {
    let (took, before) = bench.apply(BARE, value).await?;
    bench.cluster.fleet.patched(BARE, before).await?;
    bench.cluster.fleet.rolled_out(BARE).await?;
    Ok(millis(took))
}

/// One change: milliseconds until its workload is patched. The next comes when that is
/// rolled out.
pub(super) async fn change(bench: &Bench<'_>, number: usize) -> Result<f64> {
    let name = manifests::name(number);
    let fleet = &bench.cluster.fleet;
    let before = fleet.get(&name)?.generation;
    let answered = bench.edit(&name, USED).await?;
    let state = fleet.patched(&name, before).await?;
    // A patch can be seen before the answer to the edit is.
    let latency = state.since.saturating_duration_since(answered);
    fleet.rolled_out(&name).await?;
    Ok(millis(latency))
}

fn latency(bench: &mut Bench<'_>) {
    let of = |values: &[f64], percent| percentile(values, percent);
    let (latencies, bare) = (&bench.results.latencies, &bench.results.bare);
    let (p50, p99) = (of(latencies, 50.0), of(latencies, 99.0));
    let (bare_p50, bare_p99) = (of(bare, 50.0), of(bare, 99.0));
    let figure = |name, value| Figure::new(NAME, name, value, Unit::Milliseconds);
    bench.add(figure("edit to patched, p50", p50).at_most(10.0));
    bench.add(figure("edit to patched, p99", p99));
    bench.add(figure("bare apply, p50", bare_p50));
    bench.add(figure("bare apply, p99", bare_p99));
    let times = Figure::new(NAME, "p50, as bare applies", p50 / bare_p50, Unit::Times);
    bench.add(times.at_most(3.0));
}

fn requests(bench: &mut Bench<'_>, mark: Mark) -> Result<()> {
    let changes = bench.scale().changes;
    let requests = bench.audit.since(mark)?;
    let each = |name: &str, count: usize| {
        Figure::new(NAME, name, count as f64 / changes as f64, Unit::Count)
    };
    let figures = [
        each("reads a change", requests.reads()).exactly(1.0),
        each("patches a change", requests.rolls())
            .exactly(1.0)
            .must(),
        each("writes of the Projection a change", requests.projections()).at_most(3.0),
        each("Events a change", requests.events()).exactly(1.0),
        each("LISTs a change", requests.lists()).exactly(0.0),
    ];
    bench.results.breakdown = breakdown(requests);
    figures.into_iter().for_each(|figure| bench.add(figure));
    bench.note_requests(NAME, mark)
}

/// Where the time goes, by the API server's clock.
fn breakdown(requests: Requests<'_>) -> Option<Breakdown> {
    let mut spans: [Vec<f64>; 4] = Default::default();
    for edit in requests.edits {
        let find = |verb: &str, resource: &str| {
            requests
                .all
                .iter()
                .find(|one| one.verb == verb && one.resource == resource && one.name == edit.name)
        };
        let (read, patch) = (find("get", "configmaps")?, find("patch", "deployments")?);
        let moments = [
            edit.answered,
            read.received,
            read.answered,
            patch.received,
            patch.answered,
        ];
        for (span, pair) in spans.iter_mut().zip(moments.windows(2)) {
            span.push(between(pair[0], pair[1]));
        }
    }
    let [watch, read, plan, patch] = spans.map(|span| percentile(&span, 50.0));
    Some(Breakdown {
        watch,
        read,
        plan,
        patch,
    })
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    let span: SignedDuration = to.duration_since(from);
    span.as_secs_f64() * 1e3
}
