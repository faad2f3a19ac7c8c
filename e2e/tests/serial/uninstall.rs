//! `make undeploy` leaves nothing of Projsync, and users' workloads alone.

use anyhow::{Context as _, ensure};
use e2e::{Operator, Result, eventually, kubectl, make};
use serde_json::Value;

use crate::users::Users;

/// All that could be of Projsync: objects with its name or its labels, of whatever kind.
async fn remains() -> Result<Vec<String>> {
    // A node is named after the cluster, and some objects after the node.
    let cluster = std::env::var("KIND_CLUSTER").ok();
    let kinds = kubectl(&["api-resources", "--verbs=list", "--output=name"]).await?;
    // Events expire, and tell what once was.
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    let get = ["get", &kinds.join(","), "--all-namespaces", "--output=json"];
    let all: Value = serde_json::from_str(&kubectl(&get).await?)?;
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
pub(crate) async fn nothing_is_left() -> Result {
    eventually("nothing is left", async || {
        let found = remains().await?;
        ensure!(found.is_empty(), "{found:?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test]
async fn nothing_is_left_and_nothing_rolls() -> Result {
    let operator = Operator::installed().await?;
    operator.deploy(&Operator::image()?).await?;
    let mut users = Users::create("uninstall", 2).await?;
    users.managed().await?;
    users.change().await?;
    users.assert_rolled().await?;
    let pods = users.pods().await?;

    make(&["undeploy"]).await?;
    nothing_is_left().await?;
    users.assert_untouched(&pods).await?;

    // Nor does it roll them when it comes back and sees them for the first time. What those have
    // that started in the second of the change can't be told then.
    operator.deploy(&Operator::image()?).await?;
    users.policy().await?;
    for (_, workload) in &users.deployments {
        workload.decided("InSync").await?;
    }
    users.assert_untouched(&pods).await?;
    users.change().await?;
    users.assert_rolled().await?;
    users.namespace.done().await
}
