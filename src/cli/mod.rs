//! The command line.
//!
//! A command connects, reads objects ([`fetch`]), makes a [report](crate::report) and prints it
//! ([`output`]).

pub mod complete;
pub mod completions;
pub mod connect;
pub mod crds;
pub mod docs;
pub mod exit;
pub mod explain;
pub mod fetch;
pub mod impersonation;
pub mod kubeconfig;
pub mod names;
pub mod output;
pub mod proxy;
pub mod run;
pub mod run_args;
pub mod status;
pub mod tree;

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use exit::Exit;

/// Name of the plugin for users.
const PLUGIN: &str = "kubectl projsync";

/// File name by which kubectl finds the plugin.
const PLUGIN_FILE: &str = "kubectl-projsync";

/// Keeps running Pods in step with the ConfigMaps and Secrets projected into them.
#[derive(Debug, Parser)]
#[command(name = "projsync", version = crate::VERSION, propagate_version = true)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which workloads are out of sync, and why
    #[command(long_about = status::LONG_ABOUT, after_long_help = exit::OF_STATUS)]
    Status(Box<status::StatusArgs>),
    /// Show who projects a source, or what a workload projects
    #[command(long_about = tree::LONG_ABOUT, after_long_help = exit::OF_OTHERS)]
    Tree(tree::TreeArgs),
    /// Show one workload: what it projects, what its Pods have, what was decided
    #[command(long_about = explain::LONG_ABOUT, after_long_help = exit::OF_OTHERS)]
    Explain(explain::ExplainArgs),
    /// Run the operator
    Run(Box<run_args::RunArgs>),
    /// Print the CustomResourceDefinitions
    Crds(crds::Args),
    /// Print a script that completes the command line
    #[command(long_about = completions::LONG_ABOUT)]
    Completions(completions::CompletionsArgs),
    /// Write the documents that are generated from code
    #[command(hide = true)]
    Docs(docs::DocsArgs),
}

/// The command under this name.
#[must_use]
pub fn command(program: &str) -> clap::Command {
    Cli::command()
        .bin_name(program)
        // Values from the environment don't belong in the help.
        .mut_subcommands(|command| command.mut_args(|argument| argument.hide_env_values(true)))
}

/// The name by which the program was called, as users type it.
#[must_use]
pub fn program(called: Option<&OsString>) -> &'static str {
    match file_stem(called) {
        Some(PLUGIN_FILE | "kubectl_projsync" | complete::COMPLETER_FILE) => PLUGIN,
        _ => "projsync",
    }
}

fn file_stem(called: Option<&OsString>) -> Option<&str> {
    Path::new(called?).file_stem()?.to_str()
}

/// Parses the command line and runs the command. Exits the process if the command line is invalid
/// or asks for help.
pub fn main(arguments: Vec<OsString>) -> Exit {
    let program = program(arguments.first());
    let mut command = command(program);
    match answer_completion(&arguments, &command) {
        Ok(false) => {}
        Ok(true) => return Exit::Success,
        Err(error) => return failed(&error),
    }
    let parsed = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => error.format(&mut command).exit(),
    };
    match execute(cli.command, program) {
        Ok(exit) => exit,
        Err(error) => failed(&error),
    }
}

/// Completes a line for a shell or for kubectl, if that is what the process was started for.
fn answer_completion(arguments: &[OsString], command: &clap::Command) -> anyhow::Result<bool> {
    if file_stem(arguments.first()) == Some(complete::COMPLETER_FILE) {
        complete::answer_kubectl(arguments.to_vec(), command.clone())?;
        return Ok(true);
    }
    Ok(complete::answer_shell(arguments, command)?)
}

fn failed(error: &anyhow::Error) -> Exit {
    output::print_error_line(&format!("error: {}", chain(error)));
    Exit::Error
}

fn execute(command: Command, program: &str) -> anyhow::Result<Exit> {
    match command {
        Command::Status(args) => block_on(status::run(&args)),
        Command::Tree(args) => block_on(tree::run(&args)),
        Command::Explain(args) => block_on(explain::run(&args)),
        Command::Run(args) => run::run(*args).map(|()| Exit::Success),
        Command::Crds(args) => crds::run(&args).map(|()| Exit::Success),
        Command::Completions(args) => {
            let name = if program == PLUGIN {
                PLUGIN_FILE
            } else {
                program
            };
            completions::run(&args, name)
        }
        Command::Docs(args) => docs::run(&args, self::command("projsync")),
    }
}

/// Runs a future on this thread, which is enough for a few requests.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build()?.block_on(work)
}

/// An error and its causes, each named once, since some errors repeat their causes.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
