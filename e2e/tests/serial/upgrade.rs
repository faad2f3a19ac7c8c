//! An upgrade and a downgrade of the operator.

use anyhow::{Context as _, ensure};
use e2e::{Operator, Result, eventually};

use crate::users::Users;

/// The version of the operator that leads, as its metrics tell it.
async fn version() -> Result<String> {
    let operator = Operator::installed().await?;
    let metrics = operator.metrics(&operator.leader().await?).await?;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("projsync_build_info{version=\""));
    let version = line.and_then(|line| line.split('"').next());
    Ok(version.context("a version")?.to_owned())
}

#[tokio::test]
async fn another_version_rolls_nothing_and_goes_on() -> Result {
    let operator = Operator::installed().await?;
    let (image, next) = (
        Operator::image()?,
        std::env::var("NEXT_IMG").context("NEXT_IMG names an image of another version")?,
    );
    operator.deploy(&image).await?;
    let before = version().await?;
    let mut users = Users::create("upgrade", 3).await?;
    users.managed().await?;
    users.change().await?;
    users.assert_rolled().await?;

    let mut versions = Vec::new();
    for image in [&next, &image] {
        let pods = users.pods().await?;
        operator.deploy(image).await?;
        versions.push(version().await?);
        eventually("the new leader knows them", async || {
            let known = operator.metrics(&operator.leader().await?).await?;
            let in_sync = known.lines().any(|line| {
                line.starts_with("projsync_workloads{") && line.contains("state=\"in_sync\"")
            });
            Ok(in_sync.then_some(()))
        })
        .await?;
        users.in_sync().await?;
        users.assert_untouched(&pods).await?;
        // It has taken up what the other one stored.
        users.change().await?;
        users.assert_rolled().await?;
    }
    ensure!(
        versions[0] != before && versions[1] == before,
        "{before} {versions:?}"
    );
    users.namespace.done().await
}
