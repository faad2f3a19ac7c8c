//! Objects as kustomize and Helm render them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, ensure};
use controlplane::{ControlPlane, Options};
use serde_json::Value;

/// Objects by what tells them apart.
pub(crate) type Objects = BTreeMap<String, Value>;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One control plane for all tests; it ends with this process.
pub(crate) fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| match ControlPlane::start(&Options::default()) {
        Ok(plane) => plane,
        Err(error) => panic!("{error}"),
    })
}

/// kubectl for that control plane.
pub(crate) fn kubectl() -> Command {
    let mut command = Command::new(plane().kubectl());
    command.env("KUBECONFIG", plane().kubeconfig());
    command
}

/// Helm, of the version that `helm/go.mod` pins.
pub(crate) fn helm() -> Result<Command> {
    static HELM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let path = HELM.get_or_init(|| {
        Command::new(root().join("tests/install/helm.sh"))
            .output()
            .map_err(anyhow::Error::from)
            .and_then(succeeded)
            .map(|path| PathBuf::from(path.trim()))
            .map_err(|error| error.to_string())
    });
    path.as_ref()
        .map(Command::new)
        .map_err(|error| anyhow!("no helm: {error}"))
}

/// What a command printed, if it succeeded.
pub(crate) fn succeeded(output: Output) -> Result<String> {
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {error}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A folder under `config/`, rendered by kustomize.
pub(crate) fn kustomize(folder: &str) -> Result<String> {
    let folder = root().join("config").join(folder);
    succeeded(kubectl().arg("kustomize").arg(folder).output()?)
}

/// The chart in the namespace projsync-system with some values, as `--set` has them.
pub(crate) fn template(values: &[&str]) -> Result<String> {
    let mut helm = helm()?;
    helm.args(["template", "projsync"])
        .arg(root().join("charts/projsync"))
        .args(["--namespace", "projsync-system"]);
    for value in values {
        helm.args(["--set-json", value]);
    }
    succeeded(helm.output()?)
}

/// The objects in some YAML, without what only Helm puts on them.
pub(crate) fn objects(yaml: &str) -> Result<Objects> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
    let mut found = Objects::new();
    for mut object in documents.into_iter().filter(|object| !object.is_null()) {
        for (of, key) in [
            ("labels", "app.kubernetes.io/managed-by"),
            ("labels", "app.kubernetes.io/version"),
            ("labels", "helm.sh/chart"),
            ("annotations", "helm.sh/resource-policy"),
        ] {
            remove(&mut object["metadata"], of, key);
        }
        let name = name(&object)?;
        ensure!(
            found.insert(name.clone(), object).is_none(),
            "{name} is there twice"
        );
    }
    Ok(found)
}

/// Kind, namespace and name.
fn name(object: &Value) -> Result<String> {
    let metadata = &object["metadata"];
    Ok(format!(
        "{} {}/{}",
        object["kind"]
            .as_str()
            .context("an object without a kind")?,
        metadata["namespace"].as_str().unwrap_or_default(),
        metadata["name"]
            .as_str()
            .context("an object without a name")?,
    ))
}

/// Removes an entry of a map of metadata, and the map where nothing is left.
fn remove(metadata: &mut Value, map: &str, key: &str) {
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut) else {
        return;
    };
    entries.remove(key);
    if entries.is_empty() {
        metadata.remove(map);
    }
}
