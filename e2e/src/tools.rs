//! Programs of this machine, run in the root of the repository.

use anyhow::Context as _;
use testkit::{HOME, Kubectl, Result, output};
use tokio::process::Command;

/// What kubectl prints.
pub async fn kubectl(arguments: &[&str]) -> Result<String> {
    Kubectl::in_path().run(arguments).await
}

/// What `projsync` prints, the operator's own binary, run on this machine.
pub async fn projsync(arguments: &[&str]) -> Result<String> {
    let binary = std::env::var("PROJSYNC").context("PROJSYNC names the binary")?;
    output(Command::new(binary).args(arguments), "").await
}

/// What Helm prints, in a namespace; by default in the operator's.
pub async fn helm(namespace: Option<&str>, arguments: &[&str]) -> Result<String> {
    let helm = std::env::var("HELM").context("HELM names the binary")?;
    let mut helm = Command::new(helm);
    helm.args(["--namespace", namespace.unwrap_or(HOME)]);
    output(helm.args(arguments), "").await
}

/// Runs a target of the Makefile, such as `deploy`, with variables as `NAME=value`.
pub async fn make(arguments: &[&str]) -> Result<String> {
    let mut make = Command::new("make");
    output(make.arg("--no-print-directory").args(arguments), "").await
}
