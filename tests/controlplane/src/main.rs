//! Builds and runs the control plane; see the README beside this crate.

mod supervisor;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use supervisor::binaries::Binaries;
use supervisor::events::Events;
use supervisor::{Settings, Stop};

/// A real Kubernetes control plane for tests: etcd, kube-apiserver,
/// kube-controller-manager, kube-scheduler, and kwok playing the nodes.
#[derive(Parser)]
#[command(name = "controlplane")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what is missing (the first time about ten minutes on 2 cores) and
    /// print the folder of the binaries.
    Build,
    /// Run a control plane until stdin closes, or SIGINT or SIGTERM comes.
    ///
    /// Prints a line of JSON when it is ready. Lines on stdin are commands:
    /// `start|stop|kill|pause|resume COMPONENT`, each answered by a line of JSON.
    Run {
        /// Write an audit log (level Metadata).
        #[arg(long)]
        audit: bool,
        /// How many nodes kwok plays.
        #[arg(long, default_value_t = 1)]
        nodes: usize,
        /// Don't read stdin: only a signal ends it.
        #[arg(long)]
        until_signal: bool,
    },
    /// Become PROGRAM, to be killed by the kernel when PARENT goes.
    #[command(hide = true)]
    Guard {
        parent: u32,
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Build => build(),
        Command::Run {
            audit,
            nodes,
            until_signal,
        } => run(&Settings { audit, nodes }, until_signal),
        Command::Guard {
            parent,
            program,
            arguments,
        } => Err(supervisor::process::become_guarded(
            parent, &program, &arguments,
        )),
    };
    match result {
        Ok(()) | Err(Stop::Asked) => ExitCode::SUCCESS,
        Err(Stop::Failed(message)) => {
            // With stderr closed too nobody is left to be told.
            let _ = writeln!(std::io::stderr(), "controlplane: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Stop> {
    let mut events = Events::listen(false)?;
    let binaries = Binaries::provide(&mut events)?;
    let _ = writeln!(std::io::stdout(), "{}", binaries.folder().display());
    Ok(())
}

fn run(settings: &Settings, until_signal: bool) -> Result<(), Stop> {
    let events = Events::listen(!until_signal)?;
    supervisor::run(settings, events)
}
