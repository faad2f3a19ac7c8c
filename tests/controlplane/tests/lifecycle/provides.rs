//! Where the binaries come from, and what is said when one doesn't work.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Result;

const NAMES: [&str; 6] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
];

fn script(path: &Path, text: &str) -> Result {
    fs::write(path, format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[test]
fn assets_are_taken_without_go() -> Result {
    let assets = tempfile::tempdir()?;
    for name in NAMES {
        script(&assets.path().join(name), "")?;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("build")
        .env("KUBEBUILDER_ASSETS", assets.path())
        .env("PATH", "")
        .output()?;
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout)?;
    assert_eq!(Path::new(printed.trim()), assets.path());
    Ok(())
}

#[test]
fn without_assets_and_go_it_says_what_is_needed() -> Result {
    let output = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("build")
        .env_remove("KUBEBUILDER_ASSETS")
        .env("PATH", "")
        .output()?;
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("Go 1.26"), "{said}");
    assert!(said.contains("KUBEBUILDER_ASSETS"), "{said}");
    Ok(())
}

#[test]
fn a_component_that_dies_is_named_with_the_end_of_its_log() -> Result {
    let assets = tempfile::tempdir()?;
    for name in NAMES {
        script(&assets.path().join(name), "exec sleep 60")?;
    }
    script(&assets.path().join("etcd"), "echo out of luck >&2; exit 3")?;
    let output = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("run")
        .env("KUBEBUILDER_ASSETS", assets.path())
        // Not closed: it must end by itself.
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(wait_holding_stdin)?;
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("etcd ended by itself"), "{said}");
    assert!(said.contains("out of luck"), "{said}");
    Ok(())
}

/// `Child::wait_with_output` closes stdin first; this doesn't.
fn wait_holding_stdin(mut child: std::process::Child) -> std::io::Result<std::process::Output> {
    let stdin = child.stdin.take();
    let output = child.wait_with_output();
    drop(stdin);
    output
}
