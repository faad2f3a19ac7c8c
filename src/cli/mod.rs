//! The command line.

pub mod crds;
pub mod run;
pub mod run_args;

use clap::{Parser, Subcommand};

/// Keeps running Pods in step with the ConfigMaps and Secrets projected into them.
#[derive(Debug, Parser)]
#[command(name = "projsync", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the CustomResourceDefinitions.
    Crds(crds::Args),
    /// Run the operator.
    Run(Box<run_args::RunArgs>),
}
