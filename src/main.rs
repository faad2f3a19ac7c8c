//! The `projsync` command.

use anyhow::anyhow;
use clap::Parser;
use projsync::cli::{Cli, Command, crds, run};

/// Gives memory back after the peak of the first lists.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed"))?;
    match Cli::parse().command {
        Command::Crds(args) => crds::run(&args),
        Command::Run(args) => run::run(*args),
    }
}
