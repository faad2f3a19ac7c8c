//! Programs of this machine.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use controlplane::ControlPlane;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::{Result, root};

/// kubectl with an administrator's credentials.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// Where it is.
    pub program: PathBuf,
    options: Vec<String>,
}

impl Kubectl {
    /// That of a control plane.
    pub(crate) fn of(plane: &ControlPlane) -> Self {
        let kubeconfig = plane.kubeconfig().display();
        let cache = plane.data().join("kubectl-cache");
        Self {
            program: plane.kubectl(),
            options: vec![
                format!("--kubeconfig={kubeconfig}"),
                format!("--cache-dir={}", cache.display()),
            ],
        }
    }

    /// The one in the `PATH`, for the cluster of `$KUBECONFIG`.
    pub fn in_path() -> Self {
        Self {
            program: "kubectl".into(),
            options: Vec::new(),
        }
    }

    /// What it prints. Paths are from the root of the repository.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(&self.options).args(arguments);
        output(&mut command, "").await
    }
}

/// What a command prints, given this on its standard input and run in the root of the
/// repository. Its failure is told with what it complains of.
pub async fn output(command: &mut Command, stdin: &str) -> Result<String> {
    let mut child = command
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{command:?}"))?;
    // Its end is the end of the input.
    let mut input = child.stdin.take().context("no stdin")?;
    input.write_all(stdin.as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    ensure!(
        output.status.success(),
        "{:?}: {}: {}{}",
        command.as_std(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
