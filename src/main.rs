//! The `projsync` command.

use clap::Parser;
use projsync::cli::{Cli, Command, crds};

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Crds(args) => crds::run(&args),
    }
}
