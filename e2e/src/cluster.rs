//! The cluster, through kubectl.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Where the operator is installed.
pub(crate) const OPERATOR_NAMESPACE: &str = "projsync-system";

/// An image that does nothing, and that each node has: kubelets can't be without it.
pub(crate) const IDLE_IMAGE: &str = "registry.k8s.io/pause:3.10";

/// What kubectl prints; an error has what it complains of.
pub(crate) fn kubectl<const N: usize>(arguments: [&str; N]) -> Result<String> {
    run(&arguments, None)
}

/// An object, as the API server has it.
pub(crate) fn get(namespace: &str, kind: &str, name: &str) -> Result<Value> {
    let text = kubectl(["--namespace", namespace, "get", kind, name, "--output=json"])?;
    Ok(serde_json::from_str(&text)?)
}

/// The objects of a kind that have a label.
pub(crate) fn list(namespace: &str, kind: &str, selector: &str) -> Result<Vec<Value>> {
    let text = kubectl([
        "--namespace",
        namespace,
        "get",
        kind,
        "--selector",
        selector,
        "--output=json",
    ])?;
    let list: Value = serde_json::from_str(&text)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

fn run(arguments: &[&str], stdin: Option<&str>) -> Result<String> {
    let mut kubectl = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("kubectl")?;
    kubectl
        .stdin
        .take()
        .context("no stdin")?
        .write_all(stdin.unwrap_or_default().as_bytes())?;
    let output = kubectl.wait_with_output()?;
    ensure!(
        output.status.success(),
        "kubectl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Asks until there is an answer. `None` and errors mean not yet; a timeout tells the last error.
pub(crate) fn eventually<T>(
    what: &str,
    within: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        let last = match ask() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= end {
            match last {
                Some(error) => return Err(error.context(format!("not within {within:?}: {what}"))),
                None => bail!("not within {within:?}: {what}"),
            }
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// A namespace of a case. One of a failed case stays, to be looked at.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn create(case: &str) -> Result<Self> {
        let name = format!("e2e-{case}-{}", std::process::id());
        kubectl(["create", "namespace", &name])?;
        Ok(Self { name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Applies objects that name no namespace.
    pub(crate) fn apply(&self, objects: &Value) -> Result<()> {
        run(
            &["--namespace", &self.name, "apply", "--filename=-"],
            Some(&objects.to_string()),
        )?;
        Ok(())
    }

    /// The case has passed: deletes it, without waiting for that.
    pub(crate) fn done(self) -> Result<()> {
        kubectl(["delete", "namespace", &self.name, "--wait=false"])?;
        Ok(())
    }
}
