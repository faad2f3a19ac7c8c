//! ConfigMaps that change while no operator runs.

use std::time::Instant;

use anyhow::{Context as _, Result};

use super::{Bench, is_one_of};
use crate::figure::{Figure, Unit};
use crate::manifests::{self, USED};

const NAME: &str = "changes while it is down";
const CHANGES: usize = 20;

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let scale = bench.scale();
    // Others than those of before, where there are enough, with a user each.
    let used = scale.config_maps.min(scale.singles);
    let changes = CHANGES.min(used);
    let numbers = (used - changes)..used;
    let names: Vec<String> = numbers.map(manifests::name).collect();
    let step = bench.progress.step(NAME, changes);
    bench.stop().await?;
    let mark = bench.audit.mark()?;
    for name in &names {
        bench.edit(name, USED).await?;
    }
    let (begun, _) = bench.start().await?;
    bench.settle().await?;
    drop(step);
    let seen: Vec<Instant> = names
        .iter()
        .map(|name| Ok(bench.cluster.fleet.get(name)?.since))
        .collect::<Result<_>>()?;
    let last = seen.into_iter().max().context("no changes")?;
    let requests = bench.audit.since(mark)?;
    let rolls = requests.rolls();
    let reads = requests
        .sources_read()
        .filter(|source| !is_one_of(&bench.without_effect, source))
        .count();
    bench.note_requests(NAME, mark)?;
    let count = |name: &str, value: usize| Figure::new(NAME, name, value as f64, Unit::Count);
    let limit = changes as f64;
    bench.add(
        count(&format!("caught of {changes}"), rolls)
            .exactly(limit)
            .must(),
    );
    bench.add(count("reads of sources", reads).at_most(limit));
    let caught = last.saturating_duration_since(begun);
    bench.add(Figure::new(
        NAME,
        "start to the last patched",
        caught.as_secs_f64(),
        Unit::Seconds,
    ));
    Ok(())
}
