//! A roll that fails is tried again, of one workload alone.

use std::time::Duration;

use http::Method;
use testkit::{Object as _, Result};
use tokio::time::sleep;

use super::{Faults, HEALTHY, LASTS, Scene, common, ensure_ready};
use crate::proxy::{Act, status};

/// The most patches of one workload while the fault lasts: the delay doubles from 50 ms,
/// and each may be tried 4 times where the API server asks to.
const PATCHES: usize = 24;

/// Those whose patch is carried out all the same.
const CARRIED_OUT: [&str; 4] = ["lost", "cut", "cut-short", "late"];

/// What happens to the patch of the workload of this name.
fn faults() -> Faults {
    let mut faults = common();
    faults.extend([
        ("cut", Act::Break(20)),
        ("late", Act::Late(Duration::from_millis(1500))),
        ("conflict", Act::Answer(409, status(409, "Conflict"))),
        (
            "no-json",
            Act::Answer(502, b"<html>Bad Gateway</html>".to_vec()),
        ),
    ]);
    faults
}

#[tokio::test]
async fn a_write_that_fails_is_made_once() -> Result {
    let faults = faults();
    let mut scene = Scene::start(&faults).await?;
    let edits = scene.fail(Method::PATCH, "/deployments/", &faults).await?;
    let Scene { env, lanes, .. } = &scene;
    for lane in lanes {
        let name = lane.source.name();
        if CARRIED_OUT.contains(&name.as_str()) || name == HEALTHY {
            env.rolls(&lane.workload, 1).await?;
        }
    }
    sleep(LASTS).await;
    ensure_ready(&scene.operator, true).await?;
    for (name, _) in &faults {
        let what = format!("patches, {name}");
        let patched = format!("/deployments/{name}?");
        scene
            .meter
            .assert_bounded(&scene.proxy, &scene.operator, &what, PATCHES, |passed| {
                passed.path.contains(&patched)
            })
            .await?;
    }
    scene.recover("writes", &edits).await
}
