//! A source that can't be read is neither changed nor gone, and delays no other.

use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use testkit::{Result, eventually};
use tokio::time::sleep;

use super::{Faults, LASTS, Scene, common, ensure_ready};
use crate::proxy::{Act, status};

/// The most reads of one source while the fault lasts: the delay doubles from 50 ms,
/// and each may be tried 4 times where the API server asks to.
const READS: usize = 24;

/// Those that have no end within the time of the fault, or are no error.
const PENDING: [&str; 3] = ["late", "throttled", "absent"];

fn faults() -> Faults {
    let mut faults = common();
    faults.extend([
        ("cut", Act::Break(100)),
        ("late", Act::Late(Duration::from_secs(5))),
        (
            "no-json",
            Act::Answer(200, b"<html>Sign in</html>".to_vec()),
        ),
        ("nothing", Act::Answer(200, Vec::new())),
        // One that lags behind what the watch has shown.
        ("absent", Act::Answer(404, status(404, "NotFound"))),
    ]);
    faults
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_neither_changed_nor_gone() -> Result {
    let faults = faults();
    let mut scene = Scene::start(&faults).await?;
    let edits = scene.fail(Method::GET, "/configmaps/", &faults).await?;
    let Scene { env, lanes, .. } = &scene;
    let (healthy, faulty) = lanes.split_last().context("there are lanes")?;
    env.rolls(&healthy.workload, 1).await?;
    sleep(LASTS).await;
    env.rolled_out(&healthy.workload).await?;
    ensure_ready(&scene.operator, true).await?;
    env.assert_only(&[(&healthy.workload, 1)]).await?;
    for (lane, (name, _)) in faulty.iter().zip(&faults) {
        let what = format!("reads, {name}");
        let read = format!("/configmaps/{name}");
        scene
            .meter
            .assert_bounded(&scene.proxy, &scene.operator, &what, READS, |passed| {
                passed.path.ends_with(&read)
            })
            .await?;
        if !PENDING.contains(name) {
            eventually(
                format!("it is told that {name} can't be read"),
                async || {
                    let events = env.events(&lane.workload).await?;
                    let told = events.iter().any(|(reason, _)| reason == "ReadFailed");
                    Ok(told.then_some(()))
                },
            )
            .await?;
            scene
                .operator
                .decided(&lane.workload, "SourceNotRead")
                .await?;
        }
    }
    scene.recover("reads", &edits).await
}
