//! What Projsync costs: the real binary, on a real control plane, in the scenarios that
//! other operators were measured in. See docs/performance.md.

mod audit;
mod cluster;
mod figure;
mod fleet;
mod manifests;
mod progress;
mod report;
mod sampler;
mod scale;
mod scenario;
mod seed;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cluster::Cluster;
use crate::progress::Progress;
use crate::scale::Scale;
use crate::scenario::Bench;

/// Measures what Projsync costs. Writes a table to stdout, and bench.json and bench.svg.
#[derive(Parser)]
struct Arguments {
    /// How many Deployments there are; all else follows from it.
    #[arg(long, env = "SCALE", default_value_t = 1_201, value_parser = deployments)]
    scale: usize,
    /// The operator to measure, a release build.
    #[arg(long, value_name = "FILE")]
    operator: PathBuf,
    /// More arguments for `projsync run`.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    run_argument: Vec<String>,
    /// Where to write the results and the operator's log.
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
}

fn deployments(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 20..=100_000) => Ok(count),
        _ => Err("not a number of Deployments: 20 to 100000".to_owned()),
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("bench: an invariant does not hold, see BROKEN above");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether what must hold does.
async fn run(arguments: Arguments) -> Result<bool> {
    std::fs::create_dir_all(&arguments.output)?;
    let scale = Scale::of(arguments.scale);
    let progress = Progress::new();
    let cluster = Cluster::start(&progress, scale).await?;
    let mut bench = Bench::new(&cluster, &progress, &arguments).await?;
    let outcome = bench.run().await;
    let results = bench.finish();
    // What was measured before something went wrong is worth having.
    report::write(&results, &arguments.output)?;
    outcome?;
    Ok(results.holds())
}
