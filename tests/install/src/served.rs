//! The API server takes what is rendered.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::Once;

use anyhow::{Context as _, Result};

use crate::render::{kubectl, kustomize, succeeded, template};

/// Has the API server look at all of it, and do nothing.
fn dry_run(yaml: &str) -> Result<String> {
    apply(yaml, &["--dry-run=server"])
}

/// Applies on the server's side.
pub(crate) fn apply(yaml: &str, options: &[&str]) -> Result<String> {
    let mut kubectl = kubectl()
        .args([
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    kubectl
        .stdin
        .take()
        .context("no stdin")?
        .write_all(yaml.as_bytes())?;
    succeeded(kubectl.wait_with_output()?)
}

/// What the manifests take to be there: the definitions, and namespaces.
pub(crate) fn prepare() {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        let definitions = kustomize("crd").and_then(|yaml| apply(&yaml, &[]));
        let namespaces = apply(
            r#"
{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "projsync-system"}}
---
{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "projsync-managed"}}
"#,
            &[],
        );
        if let Err(error) = definitions.and(namespaces) {
            panic!("{error}");
        }
    });
}

#[test]
fn of_kustomize() -> Result<()> {
    prepare();
    for folder in [
        "default",
        "restricted/operator",
        "restricted/namespace",
        "network-policy",
        "grafana",
        "samples",
    ] {
        dry_run(&kustomize(folder)?).with_context(|| folder.to_owned())?;
    }
    Ok(())
}

#[test]
fn of_the_chart() -> Result<()> {
    prepare();
    for values in [
        &[
            "metrics.dashboard.enabled=true",
            "networkPolicy.enabled=true",
        ][..],
        &[r#"namespaces=["projsync-managed"]"#],
    ] {
        dry_run(&template(values)?).with_context(|| values.join(" "))?;
    }
    Ok(())
}

#[test]
fn nothing_is_warned_of() -> Result<()> {
    prepare();
    let output = kubectl()
        .args([
            "apply",
            "--server-side",
            "--dry-run=server",
            "--force-conflicts",
        ])
        .arg("--kustomize")
        .arg(crate::render::root().join("config/default"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeded(output)?;
    assert_eq!(said, "", "among others the Pod security of the namespace");
    Ok(())
}
