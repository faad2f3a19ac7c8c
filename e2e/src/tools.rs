//! Programs of this machine.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::Result;

/// What a command prints, given this on its standard input.
///
/// # Errors
/// Where it fails, with what it complains of.
pub fn output(command: &mut Command, stdin: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{command:?}"))?;
    // Its end is the end of the input.
    let mut input = child.stdin.take().context("no stdin")?;
    input.write_all(stdin.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// What kubectl prints.
///
/// # Errors
/// As [`output`].
pub fn kubectl(arguments: &[&str], stdin: &str) -> Result<String> {
    output(Command::new("kubectl").args(arguments), stdin)
}

/// What `projsync` prints, the operator's own binary, run on this machine.
///
/// # Errors
/// As [`output`].
pub fn projsync(arguments: &[&str]) -> Result<String> {
    let binary = std::env::var("PROJSYNC").context("PROJSYNC names the binary")?;
    output(Command::new(binary).args(arguments), "")
}

/// Runs a target of the Makefile, such as `deploy`, with variables as `NAME=value`.
///
/// # Errors
/// As [`output`].
pub fn make(arguments: &[&str]) -> Result<String> {
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "--directory"]);
    make.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    output(make.args(arguments), "")
}
