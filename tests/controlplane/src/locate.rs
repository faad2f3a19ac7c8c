//! Finds the `controlplane` binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::Error;

/// The path of an up-to-date `controlplane` binary.
///
/// Cargo builds no binaries of a dependency, and a leftover beside the test
/// executable may be stale, so Cargo is asked: it does nothing where the binary
/// is fresh, builds it where not, and says where it is. Its lock on the target
/// folder is free while tests run. `CONTROLPLANE_BIN` names a binary instead.
pub(crate) fn binary() -> Result<PathBuf, Error> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    if let Some(path) = std::env::var_os("CONTROLPLANE_BIN") {
        return Ok(path.into());
    }
    BINARY.get_or_init(build).clone().map_err(Error::Binary)
}

#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    // The whole workspace is selected so that features unify as they did for
    // the test, and the dependencies it compiled are used again.
    let mut command = Command::new(cargo);
    // What the cargo that runs the test says of the test's package. Build scripts
    // that look at it (ring's) would be run again, and all that follows from them
    // compiled again, by each cargo in turn.
    for (name, _) in std::env::vars_os() {
        let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_"];
        if name
            .to_str()
            .is_some_and(|name| of_package.iter().any(|part| name.starts_with(part)))
        {
            command.env_remove(name);
        }
    }
    let output = command
        .args(["build", "--quiet", "--workspace", "--bin", "controlplane"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo build: {}", output.status));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| {
            message
                .target
                .as_ref()
                .is_some_and(|target| target.name == "controlplane")
        })
        .find_map(|message| message.executable)
        .ok_or_else(|| "cargo build names no executable".to_owned())
}
