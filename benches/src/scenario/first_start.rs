//! The first start in a cluster that has run without: nothing may roll.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::sleep;

use super::{Bench, PATIENCE};
use crate::figure::{Figure, Unit, megabytes};
use crate::manifests::NAMESPACE;

const NAME: &str = "first start";
/// Between two looks at the audit log, which cost the more the more is in it.
const STEP: Duration = Duration::from_millis(100);

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let scale = bench.scale();
    let step = bench.progress.step(NAME, scale.deployments);
    let mark = bench.audit.mark()?;
    let (begun, ready) = bench.start().await?;
    let written = loop {
        let names = bench.audit.since(mark)?.projection_names().len();
        step.at(names);
        if names >= scale.deployments {
            break begun.elapsed();
        }
        ensure!(begun.elapsed() < PATIENCE, "only {names} Projections");
        sleep(STEP).await;
    };
    bench.settle().await?;
    drop(step);
    let cpu = bench.cpu()?;
    let requests = bench.audit.since(mark)?;
    let (rolls, reads) = (requests.rolls(), requests.reads());
    let (projections, failures) = (requests.projections(), requests.failures());
    bench.note_requests(NAME, mark)?;
    let seconds =
        |name: &str, value: Duration| Figure::new(NAME, name, value.as_secs_f64(), Unit::Seconds);
    let count = |name: &str, value: usize| Figure::new(NAME, name, value as f64, Unit::Count);
    bench.add(count("rollouts", rolls).exactly(0.0).must());
    bench.add(seconds("ready", ready).at_most_if(scale.limit(10.0, None)));
    bench.add(seconds("every Projection written", written).at_most_if(scale.limit(10.0, None)));
    bench.add(count("reads of sources", reads));
    bench.add(count("writes of Projections", projections));
    bench.add(count("requests that failed", failures));
    bench.add(seconds("CPU", cpu));
    memory(bench)?;
    footprint(bench).await
}

fn memory(bench: &mut Bench<'_>) -> Result<()> {
    let process = bench.operator.process()?;
    let (resident, peak) = (process.resident()?, process.peak()?);
    let figure = |name, bytes| Figure::new(NAME, name, megabytes(bytes), Unit::Megabytes);
    bench.add(figure("resident after it", resident));
    bench.add(figure("peak", peak));
    Ok(())
}

/// What Projections cost the API server and etcd.
async fn footprint(bench: &mut Bench<'_>) -> Result<()> {
    let before = bench.before.context("not measured")?;
    let after = bench.cluster.footprint()?;
    let path = format!("/apis/projsync.dev/v1alpha1/namespaces/{NAMESPACE}/projections");
    let request = http::Request::get(path).body(Vec::new())?;
    let projections = bench.cluster.space.client.request_text(request).await?;
    let each = projections.len() as f64 / 1e3 / bench.scale().deployments as f64;
    let figure = |name: &str, value| Figure::new(NAME, name, value, Unit::Megabytes);
    bench.add(figure("API server, resident", megabytes(after.api_server)));
    bench.add(figure("etcd, in use", megabytes(after.etcd)));
    bench.add(figure(
        "etcd, grown by",
        megabytes(after.etcd) - megabytes(before.etcd),
    ));
    bench.add(figure(
        &format!("Projections as JSON ({each:.1} kB each)"),
        projections.len() as f64 / 1e6,
    ));
    Ok(())
}
