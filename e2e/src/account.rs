//! The operator's service account, with its own token.

use kube::config::Kubeconfig;
use serde_json::{Value, json};

use crate::{Cluster, Operator, Result, kubectl};

/// The API server, in the hands of the operator's service account.
///
/// # Errors
/// Of the API server.
pub fn account(operator: Operator) -> Result<Cluster> {
    let namespace = operator.namespace();
    let token = kubectl(
        &["--namespace", namespace, "create", "token", "projsync"],
        "",
    )?;
    let view = ["config", "view", "--raw", "--minify", "--output=json"];
    let mut config: Value = serde_json::from_str(&kubectl(&view, "")?)?;
    config["users"][0]["user"] = json!({"token": token.trim()});
    Cluster::connect(Some(Kubeconfig::from_yaml(&config.to_string())?))
}
