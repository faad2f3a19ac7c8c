//! A source that can't be read is neither changed nor gone, and delays no other.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use http::Method;
use tokio::time::sleep;

use super::{LASTS, Lane, Meter, ensure_ready, heals, last};
use crate::harness::{Act, Env, Proxy, Result, status};

/// The most reads of one source while the fault lasts: the delay doubles from 50 ms,
/// and each may be tried 4 times where the API server asks to.
const READS: usize = 24;

fn fault(name: &str) -> Act {
    match name {
        "reset" => Act::Drop,
        "lost" => Act::Lose,
        "cut" => Act::Break(100),
        "cut-short" => Act::Falsify(Arc::new(|code, mut body| {
            body.truncate(body.len() / 2);
            (code, body)
        })),
        "late" => Act::Late(Duration::from_secs(5)),
        "throttled" => Act::Throttle(1),
        "error" => Act::Answer(500, status(500, "InternalError")),
        "unavailable" => Act::Answer(503, status(503, "ServiceUnavailable")),
        "timeout" => Act::Answer(504, status(504, "Timeout")),
        "unauthorized" => Act::Answer(401, status(401, "Unauthorized")),
        "no-json" => Act::Answer(200, b"<html>Sign in</html>".to_vec()),
        "nothing" => Act::Answer(200, Vec::new()),
        // One that lags behind what the watch has shown.
        "absent" => Act::Answer(404, status(404, "NotFound")),
        _ => Act::Pass,
    }
}

const FAULTS: [&str; 13] = [
    "reset",
    "lost",
    "cut",
    "cut-short",
    "late",
    "throttled",
    "error",
    "unavailable",
    "timeout",
    "unauthorized",
    "no-json",
    "nothing",
    "absent",
];

#[tokio::test]
async fn a_source_that_cannot_be_read_is_neither_changed_nor_gone() -> Result {
    let env = Env::new().await?;
    let mut names = FAULTS.to_vec();
    names.push("healthy");
    let lanes = Lane::create(&env, &names).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(lanes.len()).await?;

    let meter = Meter::begin(&proxy, &operator).await?;
    proxy.rule(|request| match request.method == Method::GET {
        true if request.uri.path().contains("/configmaps/") => fault(last(request)),
        _ => Act::Pass,
    });
    let mut edits = Vec::new();
    for lane in &lanes {
        edits.push(env.set(&lane.source, "a", "1").await?);
    }
    let (healthy, faulty) = lanes.split_last().expect("there are lanes");
    env.rolls(&healthy.workload, 1).await?;
    sleep(LASTS).await;
    env.rolled_out(&healthy.workload).await?;
    ensure_ready(&operator, true).await?;
    env.assert_only(&[(&healthy.workload, 1)]).await?;
    for name in FAULTS {
        let read = |path: &str| path.ends_with(&format!("/configmaps/{name}"));
        let what = format!("reads, {name}");
        meter
            .assert_bounded(&proxy, &operator, &what, READS, |passed| read(&passed.path))
            .await?;
    }
    // What is not known is not told as something else.
    let index = operator.index().await?;
    for lane in faulty {
        let reason = index.workloads[&env.key(&lane.workload)].reason.clone();
        ensure!(
            reason
                .as_deref()
                .is_some_and(|reason| ["SourceNotRead", "InSync"].contains(&reason)),
            "{}: {reason:?}",
            env.key(&lane.workload)
        );
    }

    proxy.rule(|_| Act::Pass);
    heals(&env, "reads", lanes.iter().map(|lane| &lane.workload)).await?;
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
