//! Edits of a key that nobody projects: nothing may roll.

use anyhow::Result;

use super::{Bench, millis};
use crate::figure::{Figure, Unit};
use crate::manifests::{self, UNUSED};

const NAME: &str = "edits of an unprojected key";
/// How many; as many ConfigMaps, where there are so many, are edited.
pub(super) const EDITS: usize = 200;

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.sampler.phase(NAME);
    let config_maps = bench.scale().config_maps;
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let step = bench.progress.step(NAME, EDITS);
    for number in 0..EDITS {
        step.at(number);
        let name = manifests::name(number % config_maps);
        bench.edit(&name, UNUSED).await?;
        bench.without_effect.insert(name);
    }
    bench.settle().await?;
    drop(step);
    let cpu = bench.cpu()? - cpu;
    let requests = bench.audit.since(mark)?;
    let (rolls, reads, writes) = (requests.rolls(), requests.reads(), requests.projections());
    bench.note_requests(NAME, mark)?;
    let count = |name: &str, value: usize| Figure::new(NAME, name, value as f64, Unit::Count);
    bench.add(
        count(&format!("rollouts of {EDITS} edits"), rolls)
            .exactly(0.0)
            .must(),
    );
    bench.add(count("reads", reads).at_most(EDITS as f64));
    bench.add(count("writes of Projections", writes));
    let each = millis(cpu) / EDITS as f64;
    bench.add(Figure::new(NAME, "CPU an edit", each, Unit::Milliseconds).at_most(2.0));
    Ok(())
}
