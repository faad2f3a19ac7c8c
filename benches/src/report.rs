//! What was measured, as a table, as JSON and as a plot.

mod machine;
mod plot;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::figure::Figure;
use crate::sampler::{Phase, Sample};
use crate::scale::Scale;
use machine::Machine;

/// Everything that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// The API server's version.
    pub(crate) kubernetes: String,
    pub(crate) scale: Scale,
    /// Arguments of `projsync run` besides the defaults.
    pub(crate) run_arguments: Vec<String>,
    pub(crate) figures: Vec<Figure>,
    /// Edit to patched, one at a time, in milliseconds.
    pub(crate) latencies: Vec<f64>,
    /// Bare applies between them, in milliseconds.
    pub(crate) bare: Vec<f64>,
    /// Where the time of a change goes.
    pub(crate) breakdown: Option<Breakdown>,
    #[serde(skip)]
    pub(crate) bare_fan_out: Option<Duration>,
    /// The operator's requests in each scenario, by verb and resource.
    pub(crate) requests: Vec<(&'static str, BTreeMap<String, usize>)>,
    /// The operator's own metrics, after it all.
    #[serde(skip)]
    pub(crate) metrics: String,
    pub(crate) samples: Vec<Sample>,
    pub(crate) phases: Vec<Phase>,
}

/// Medians by the API server's clock, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Breakdown {
    /// From the answer to the edit until the read comes.
    pub(crate) watch: f64,
    /// Until the read is answered.
    pub(crate) read: f64,
    /// Until the patch comes.
    pub(crate) plan: f64,
    /// Until the patch is answered.
    pub(crate) patch: f64,
}

impl Results {
    pub(crate) fn new(scale: Scale, kubernetes: String, run_arguments: Vec<String>) -> Self {
        Self {
            machine: Machine::here(),
            kubernetes,
            scale,
            run_arguments,
            figures: Vec::new(),
            latencies: Vec::new(),
            bare: Vec::new(),
            breakdown: None,
            bare_fan_out: None,
            requests: Vec::new(),
            metrics: String::new(),
            samples: Vec::new(),
            phases: Vec::new(),
        }
    }

    /// Whether every invariant holds.
    pub(crate) fn holds(&self) -> bool {
        !self.figures.iter().any(Figure::is_broken)
    }
}

/// Prints the table, and writes bench.json, bench.svg and metrics.txt.
pub(crate) fn write(results: &Results, folder: &Path) -> Result<()> {
    print!("{}", table::table(results));
    let file = |name: &str| folder.join(name);
    std::fs::write(file("bench.json"), serde_json::to_vec_pretty(results)?)?;
    std::fs::write(file("metrics.txt"), &results.metrics)?;
    plot::draw(results, &file("bench.svg")).context("drawing bench.svg")?;
    println!("\nWritten to {}: bench.json, bench.svg.", folder.display());
    Ok(())
}
