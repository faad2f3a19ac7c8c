//! Before the operator runs: what the API server itself needs for a fan-out.

use anyhow::Result;

use super::{Bench, millis};
use crate::figure::{Figure, Unit, megabytes};
use crate::manifests;

const NAME: &str = "without the operator";
/// How many applies are under way.
const AT_ONCE: usize = 4;

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let fan_out = bench.scale().fan_out;
    let deployments: Vec<String> = (0..fan_out).map(manifests::shared_user).collect();
    let step = bench.progress.step(format!("{fan_out} bare applies"), 0);
    let took = bench.apply_all(&deployments, "bare", AT_ONCE).await?;
    bench.all_rolled_out().await?;
    drop(step);
    bench.results.bare_fan_out = Some(took);
    bench.add(Figure::new(
        NAME,
        format!("{fan_out} bare applies, {AT_ONCE} at once"),
        millis(took),
        Unit::Milliseconds,
    ));
    let before = bench.cluster.footprint()?;
    bench.before = Some(before);
    bench.add(Figure::new(
        NAME,
        "API server, resident",
        megabytes(before.api_server),
        Unit::Megabytes,
    ));
    bench.add(Figure::new(
        NAME,
        "etcd, in use",
        megabytes(before.etcd),
        Unit::Megabytes,
    ));
    Ok(())
}
