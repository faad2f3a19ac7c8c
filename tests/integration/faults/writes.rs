//! A roll that fails is tried again, of one workload alone.

use std::time::Duration;

use anyhow::ensure;
use http::Method;
use tokio::time::sleep;

use super::{LASTS, Lane, Meter, ensure_ready, heals, last};
use crate::harness::{Act, Env, Object as _, Proxy, Result, eventually, status};

/// The most patches of one workload while the fault lasts: the delay doubles from 50 ms,
/// and each may be tried 4 times where the API server asks to.
const PATCHES: usize = 24;

/// What happens to the patch of the workload of this name.
fn fault(name: &str) -> Act {
    match name {
        "reset" => Act::Drop,
        "lost" => Act::Lose,
        "cut" => Act::Break(20),
        "cut-short" => Act::Falsify(std::sync::Arc::new(|code, mut body| {
            body.truncate(body.len() / 2);
            (code, body)
        })),
        "late" => Act::Late(Duration::from_millis(1500)),
        "conflict" => Act::Answer(409, status(409, "Conflict")),
        "throttled" => Act::Throttle(1),
        "error" => Act::Answer(500, status(500, "InternalError")),
        "unavailable" => Act::Answer(503, status(503, "ServiceUnavailable")),
        "timeout" => Act::Answer(504, status(504, "Timeout")),
        "unauthorized" => Act::Answer(401, status(401, "Unauthorized")),
        "no-json" => Act::Answer(502, b"<html>Bad Gateway</html>".to_vec()),
        _ => Act::Pass,
    }
}

const FAULTS: [&str; 12] = [
    "reset",
    "lost",
    "cut",
    "cut-short",
    "late",
    "conflict",
    "throttled",
    "error",
    "unavailable",
    "timeout",
    "unauthorized",
    "no-json",
];

/// Those whose patch is carried out all the same.
const CARRIED_OUT: [&str; 4] = ["lost", "cut", "cut-short", "late"];

#[tokio::test]
async fn a_write_that_fails_is_made_once() -> Result {
    let env = Env::new().await?;
    let mut names = FAULTS.to_vec();
    names.push("healthy");
    let lanes = Lane::create(&env, &names).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(lanes.len()).await?;

    let meter = Meter::begin(&proxy, &operator).await?;
    proxy.rule(|request| match request.method == Method::PATCH {
        true if request.uri.path().contains("/deployments/") => fault(last(request)),
        _ => Act::Pass,
    });
    let mut edits = Vec::new();
    for lane in &lanes {
        edits.push(env.set(&lane.source, "a", "1").await?);
    }
    for lane in &lanes {
        let name = lane.source.name();
        if CARRIED_OUT.contains(&name.as_str()) || name == "healthy" {
            eventually(format!("{name} is rolled"), async || {
                Ok((env.roll_count(&lane.workload)? == 1).then_some(()))
            })
            .await?;
        }
    }
    sleep(LASTS).await;
    ensure_ready(&operator, true).await?;
    for name in FAULTS {
        let patched = |path: &str| path.contains(&format!("/deployments/{name}?"));
        let what = format!("patches, {name}");
        meter
            .assert_bounded(&proxy, &operator, &what, PATCHES, |passed| {
                patched(&passed.path)
            })
            .await?;
    }

    proxy.rule(|_| Act::Pass);
    heals(&env, "writes", lanes.iter().map(|lane| &lane.workload)).await?;
    for lane in &lanes {
        env.rolled_out(&lane.workload).await?;
    }
    operator.seen(&edits.iter().collect::<Vec<_>>()).await?;
    operator.all_in_sync(lanes.len()).await?;
    let rolls: Vec<_> = lanes.iter().map(|lane| (&lane.workload, 1)).collect();
    env.assert_only(&rolls).await?;
    ensure!(operator.probe("/livez").await?.0 == 200);
    Ok(())
}
