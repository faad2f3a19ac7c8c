//! The control plane comes up, works, and leaves nothing behind.

mod ends;
mod processes;
mod provides;
mod works;

use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use controlplane::ControlPlane;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Runs kubectl as the administrator; its output, or what it says on stderr.
fn kubectl(plane: &ControlPlane, arguments: &[&str]) -> Result<String> {
    kubectl_with(plane, arguments, "")
}

/// Runs kubectl with something on its stdin.
fn kubectl_with(plane: &ControlPlane, arguments: &[&str], stdin: &str) -> Result<String> {
    let mut child = Command::new(plane.kubectl())
        .arg("--kubeconfig")
        .arg(plane.kubeconfig())
        .arg("--cache-dir")
        .arg(plane.data().join("test-kubectl-cache"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Asks again until the answer is as wanted.
fn eventually<T: std::fmt::Debug + PartialEq>(
    want: &T,
    mut look: impl FnMut() -> Result<T>,
) -> Result {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let got = look();
        if got.as_ref().is_ok_and(|got| got == want) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("wanted {want:?}, got {got:?} in the end").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
