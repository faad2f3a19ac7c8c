//! An upgrade and a downgrade of the operator.

use anyhow::{Context as _, Result, ensure};
use e2e::{Operator, eventually};

use crate::users::Users;

/// The version of the operator that leads, as its metrics tell it.
fn version() -> Result<String> {
    let operator = Operator::INSTALLED;
    let metrics = operator.metrics(&operator.leader()?)?;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("projsync_build_info{version=\""));
    let version = line.and_then(|line| line.split('"').next());
    Ok(version.context("a version")?.to_owned())
}

#[test]
fn another_version_rolls_nothing_and_goes_on() -> Result<()> {
    let operator = Operator::INSTALLED;
    let (image, next) = (
        Operator::image()?,
        std::env::var("NEXT_IMG").context("NEXT_IMG names an image of another version")?,
    );
    operator.deploy(&image)?;
    let before = version()?;
    let mut users = Users::create("upgrade", 3)?;
    users.managed()?;
    users.change()?;
    users.assert_rolled()?;

    let mut versions = Vec::new();
    for image in [&next, &image] {
        let pods = users.pods()?;
        operator.deploy(image)?;
        versions.push(version()?);
        eventually("the new leader knows them", || {
            let known = operator.metrics(&operator.leader()?)?;
            let in_sync = known.lines().any(|line| {
                line.starts_with("projsync_workloads{") && line.contains("state=\"in_sync\"")
            });
            Ok(in_sync.then_some(()))
        })?;
        users.in_sync()?;
        users.assert_untouched(&pods)?;
        // It has taken up what the other one stored.
        users.change()?;
        users.assert_rolled()?;
    }
    ensure!(
        versions[0] != before && versions[1] == before,
        "{before} {versions:?}"
    );
    users.namespace.done()
}
