//! The chart: install, upgrade with changed values, uninstall.

use anyhow::{Context as _, ensure};
use e2e::{Operator, Result, helm, kubectl, make};

use crate::uninstall::nothing_is_left;
use crate::users::Users;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/projsync");

#[tokio::test]
async fn the_chart_installs_upgrades_and_uninstalls() -> Result {
    let operator = Operator::installed().await?;
    make(&["undeploy"]).await?;
    let image = Operator::image()?;
    let (repository, tag) = image.rsplit_once(':').context("IMG has a tag")?;
    let repository = format!("image.repository={repository}");
    let tag = format!("image.tag={tag}");
    let values = ["--set", &repository, "--set", &tag];

    helm(
        None,
        &[
            &["install", "projsync", CHART, "--create-namespace"],
            &values[..],
        ]
        .concat(),
    )
    .await?;
    operator.ready(2).await?;
    let mut users = Users::create("helm", 2).await?;
    users.managed().await?;
    users.change().await?;
    users.assert_rolled().await?;

    let pods = users.pods().await?;
    let changed = ["--set", "replicas=1", "--set", "log.level=debug"];
    helm(
        None,
        &[&["upgrade", "projsync", CHART], &values[..], &changed[..]].concat(),
    )
    .await?;
    operator.ready(1).await?;
    let arguments =
        operator.deployment().await?["spec"]["template"]["spec"]["containers"][0].to_string();
    ensure!(arguments.contains("debug"), "{arguments}");
    users.in_sync().await?;
    users.assert_untouched(&pods).await?;
    users.change().await?;
    users.assert_rolled().await?;

    let pods = users.pods().await?;
    helm(None, &["uninstall", "projsync", "--wait"]).await?;
    users.assert_untouched(&pods).await?;
    // The custom resources are kept for another installation, unless told otherwise.
    let kept = kubectl(&["get", "syncpolicies", "--all-namespaces", "--output=name"]).await?;
    ensure!(kept.contains("policy"), "{kept}");
    make(&["uninstall"]).await?;
    kubectl(&["delete", "namespace", testkit::HOME]).await?;
    nothing_is_left().await?;
    users.assert_untouched(&pods).await?;
    operator.deploy(&image).await?;
    users.namespace.done().await
}
