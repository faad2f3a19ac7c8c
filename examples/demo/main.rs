//! Shows Projsync at work: a real control plane, an example shop, the operator, and
//! changes one after the other, each with what rolled, what did not, and why.
//!
//! `make demo` builds what it needs and runs it. It fails if a step does not do what it
//! says. With `KEEP=1` everything stays for exploring, until Ctrl-C.

mod edit;
mod shop;
mod stage;
mod steps;
mod terminal;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use testkit::Cluster;

use crate::stage::Stage;
use crate::terminal::Terminal;

fn main() -> ExitCode {
    let terminal = Terminal::new();
    match demo(&terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

// The kernel ends the operator with the thread that started it: this one.
#[tokio::main(flavor = "current_thread")]
async fn demo(terminal: &Terminal) -> Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed"))?;
    let began = Instant::now();
    terminal.heading("A control plane");
    let cluster = Cluster::start().await?;
    terminal.say(&format!(
        "etcd, kube-apiserver, kube-controller-manager, kube-scheduler; kwok plays the nodes ({:.0} s)",
        began.elapsed().as_secs_f64()
    ));
    let (mut stage, result) = tokio::select! {
        result = perform(terminal, &cluster) => result?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    if result.is_ok() {
        stage.summary(began).await?;
    }
    if std::env::var("KEEP").is_ok_and(|value| !value.is_empty() && value != "0") {
        if let Err(error) = &result {
            terminal.failure(&format!("{error:#}"));
        }
        stage.explore()?;
        tokio::signal::ctrl_c().await?;
    } else if result.is_err() {
        // Its end shows the operator's log.
        return result;
    }
    stage.operator.stop().await?;
    result
}

/// Sets the stage and makes all steps.
async fn perform<'a>(
    terminal: &'a Terminal,
    cluster: &'a Cluster,
) -> Result<(Stage<'a>, Result<()>)> {
    let mut stage = Stage::new(terminal, cluster).await?;
    let result = steps::all(&mut stage).await;
    Ok((stage, result))
}
