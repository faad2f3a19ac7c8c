//! The chart: install, upgrade with changed values, uninstall.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::{Operator, kubectl, make, output};

use crate::uninstall::nothing_is_left;
use crate::users::Users;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/projsync");

fn helm(arguments: &[&str]) -> Result<String> {
    let helm = std::env::var("HELM").context("HELM names the binary")?;
    let mut helm = Command::new(helm);
    helm.args(["--namespace", Operator::INSTALLED.namespace()]);
    output(helm.args(arguments), "")
}

#[test]
fn the_chart_installs_upgrades_and_uninstalls() -> Result<()> {
    let operator = Operator::INSTALLED;
    make(&["undeploy"])?;
    let image = Operator::image()?;
    let (repository, tag) = image.rsplit_once(':').context("IMG has a tag")?;
    let repository = format!("image.repository={repository}");
    let tag = format!("image.tag={tag}");
    let values = ["--set", &repository, "--set", &tag];

    helm(
        &[
            &["install", "projsync", CHART, "--create-namespace"],
            &values[..],
        ]
        .concat(),
    )?;
    operator.ready(2)?;
    let mut users = Users::create("helm", 2)?;
    users.managed()?;
    users.change()?;
    users.assert_rolled()?;

    let pods = users.pods()?;
    let changed = ["--set", "replicas=1", "--set", "log.level=debug"];
    helm(&[&["upgrade", "projsync", CHART], &values[..], &changed[..]].concat())?;
    operator.ready(1)?;
    let arguments = operator.deployment()?["spec"]["template"]["spec"]["containers"][0].to_string();
    ensure!(arguments.contains("debug"), "{arguments}");
    users.in_sync()?;
    users.assert_untouched(&pods)?;
    users.change()?;
    users.assert_rolled()?;

    let pods = users.pods()?;
    helm(&["uninstall", "projsync", "--wait"])?;
    users.assert_untouched(&pods)?;
    // The custom resources are kept for another installation, unless told otherwise.
    let kept = kubectl(
        &["get", "syncpolicies", "--all-namespaces", "--output=name"],
        "",
    )?;
    ensure!(kept.contains("policy"), "{kept}");
    make(&["uninstall"])?;
    kubectl(&["delete", "namespace", operator.namespace()], "")?;
    nothing_is_left()?;
    users.assert_untouched(&pods)?;
    operator.deploy(&image)?;
    users.namespace.done()
}
