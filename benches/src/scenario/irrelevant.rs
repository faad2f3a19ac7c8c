//! Edits that concern no workload, as many a second as the API server takes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep_until};

use super::unprojected::EDITS;
use super::{Bench, millis};
use crate::figure::{Figure, Unit};
use crate::manifests::{self, UNUSED, USED};

/// How many are begun in a second, at most.
const A_SECOND: u32 = 1_000;
/// For how long.
const SPAN: Duration = Duration::from_secs(10);
/// How many are under way.
const AT_ONCE: usize = 32;

/// What is edited.
#[derive(Clone, Copy)]
enum Edited {
    /// Secrets that nobody projects: their metadata tells.
    Secrets,
    /// An unprojected key of projected ConfigMaps: the content tells.
    Keys,
}

pub(super) async fn run(bench: &mut Bench<'_>) -> Result<()> {
    edits_of(bench, Edited::Secrets).await?;
    edits_of(bench, Edited::Keys).await
}

async fn edits_of(bench: &mut Bench<'_>, edited: Edited) -> Result<()> {
    let name = edited.name();
    bench.sampler.phase(name);
    let (mark, cpu) = (bench.audit.mark()?, bench.cpu()?);
    let step = bench.progress.step(name, 0);
    let objects = edited.objects(bench);
    let (edits, took) = edit(bench, edited, &objects).await?;
    let busy = bench.cpu()? - cpu;
    bench.settle().await?;
    drop(step);
    if matches!(edited, Edited::Keys) {
        bench.without_effect.extend(objects);
    }
    let cpu = bench.cpu()? - cpu;
    let requests = bench.audit.since(mark)?;
    let (rolls, reads, writes) = (requests.rolls(), requests.reads(), requests.projections());
    bench.note_requests(name, mark)?;
    let edits = f64::from(edits);
    let each = |count: usize| count as f64 / edits;
    let figure = |text: &str, value, unit| Figure::new(name, text, value, unit);
    let rate = edits / took.as_secs_f64();
    bench.add(figure("edits a second", rate, Unit::Count));
    let thousand = millis(cpu) / edits * 1e3;
    bench.add(figure("CPU of 1,000 edits", thousand, Unit::Milliseconds));
    let share = busy.as_secs_f64() / took.as_secs_f64() * 100.0;
    bench.add(figure("CPU meanwhile, of one core", share, Unit::Percent));
    let most = match edited {
        Edited::Secrets => 0.0,
        Edited::Keys => 1.0,
    };
    bench.add(figure("reads an edit", each(reads), Unit::Count).at_most(most));
    let rolls = figure("rollouts", rolls as f64, Unit::Count);
    bench.add(rolls.exactly(0.0).must());
    bench.add(figure("writes of Projections", writes as f64, Unit::Count));
    Ok(())
}

/// Edits one after the other, several at once. Returns how many were made, and in what time.
async fn edit(bench: &Bench<'_>, edited: Edited, objects: &[String]) -> Result<(u32, Duration)> {
    let begun = Instant::now();
    let (next, made) = (AtomicU32::new(0), AtomicU32::new(0));
    let worker = async || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = begun + SPAN / (A_SECOND * SPAN.as_secs() as u32) * number;
            if due.max(Instant::now()) >= begun + SPAN {
                return Ok(());
            }
            sleep_until(due).await;
            let object = &objects[number as usize % objects.len()];
            match edited {
                Edited::Secrets => bench.edit_secret(object, USED).await?,
                Edited::Keys => bench.edit(object, UNUSED).await?,
            };
            made.fetch_add(1, Ordering::Relaxed);
        }
    };
    // Two edits of one object at once would have to be tried again.
    let workers = AT_ONCE.min(objects.len());
    try_join_all((0..workers).map(|_| worker())).await?;
    Ok((made.into_inner(), begun.elapsed()))
}

impl Edited {
    fn name(self) -> &'static str {
        match self {
            Self::Secrets => "many edits of unprojected Secrets",
            Self::Keys => "many edits of unprojected keys",
        }
    }

    /// The names of the objects that are edited in turn.
    fn objects(self, bench: &Bench<'_>) -> Vec<String> {
        let scale = bench.scale();
        match self {
            Self::Secrets => (0..scale.unused_secrets).map(manifests::unused).collect(),
            Self::Keys => {
                let used = scale.config_maps.min(scale.singles).min(EDITS);
                (0..used).map(manifests::name).collect()
            }
        }
    }
}
