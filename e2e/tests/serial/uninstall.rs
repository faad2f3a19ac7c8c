//! `make undeploy` leaves nothing of Projsync, and users' workloads alone.

use anyhow::{Context as _, Result, ensure};
use e2e::{Operator, eventually, kubectl, make};
use serde_json::Value;

use crate::users::Users;

/// All that could be of Projsync: objects with its name or its labels, of whatever kind.
fn remains() -> Result<Vec<String>> {
    // A node is named after the cluster, and some objects after the node.
    let cluster = std::env::var("KIND_CLUSTER").ok();
    let kinds = kubectl(&["api-resources", "--verbs=list", "--output=name"], "")?;
    // Events expire, and tell what once was.
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    let get = ["get", &kinds.join(","), "--all-namespaces", "--output=json"];
    let all: Value = serde_json::from_str(&kubectl(&get, "")?)?;
    let all = all["items"].as_array().context("a list")?;
    Ok(all
        .iter()
        .filter_map(|object| {
            let name = object["metadata"]["name"].as_str()?;
            let of_node = cluster.as_ref().is_some_and(|node| name.contains(node));
            let labelled = ["part-of", "managed-by"].iter().any(|label| {
                object["metadata"]["labels"][format!("app.kubernetes.io/{label}")] == "projsync"
            });
            let ours = labelled || (name.contains("projsync") && !of_node);
            ours.then(|| format!("{} {name}", object["kind"]))
        })
        .collect())
}

/// Waits until that is so.
pub(crate) fn nothing_is_left() -> Result<()> {
    eventually("nothing is left", || {
        let found = remains()?;
        ensure!(found.is_empty(), "{found:?}");
        Ok(Some(()))
    })
}

#[test]
fn nothing_is_left_and_nothing_rolls() -> Result<()> {
    let operator = Operator::INSTALLED;
    operator.deploy(&Operator::image()?)?;
    let mut users = Users::create("uninstall", 2)?;
    users.managed()?;
    users.change()?;
    users.assert_rolled()?;
    let pods = users.pods()?;

    make(&["undeploy"])?;
    nothing_is_left()?;
    users.assert_untouched(&pods)?;

    // Nor does it roll them when it comes back and sees them for the first time. What those have
    // that started in the second of the change can't be told then.
    operator.deploy(&Operator::image()?)?;
    users.policy()?;
    for (_, workload) in &users.deployments {
        workload.decided("InSync")?;
    }
    users.assert_untouched(&pods)?;
    users.change()?;
    users.assert_rolled()?;
    users.namespace.done()
}
