//! The API server as a whole can't be reached, or answers nothing that is of use.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use testkit::{Operator, Result, eventually};

use super::{Lane, Meter, ensure_ready, heals, tells};
use crate::env::{Env, QUICK_LEASE};
use crate::proxy::{Act, Line, Proxy, status};

/// The most requests until readiness tells of the fault, which it does after three
/// failures in a row: of 12 watches and the Lease.
const REQUESTS: usize = 120;

/// Those of a group meet one operator, one after the other: what one leaves behind
/// would show at the next. The groups run side by side.
const FAULTS: [&[&str]; 4] = [
    &["refused", "lost", "throttled"],
    &["reset", "cut", "unavailable"],
    &["error", "cut-short", "timeout"],
    &["no-json", "unauthorized"],
];

fn fault(name: &str) -> Act {
    match name {
        "reset" => Act::Drop,
        "lost" => Act::Lose,
        "cut" => Act::Break(30),
        // Half of the first line, be it the whole of an answer or an event of a watch.
        "cut-short" => Act::Lines(Arc::new(|_| Line::Half)),
        "throttled" => Act::Throttle(1),
        "error" => Act::Answer(500, status(500, "InternalError")),
        "unavailable" => Act::Answer(503, status(503, "ServiceUnavailable")),
        "timeout" => Act::Answer(504, status(504, "Timeout")),
        "unauthorized" => Act::Answer(401, status(401, "Unauthorized")),
        "no-json" => Act::Answer(200, b"<html>Sign in</html>".to_vec()),
        _ => Act::Pass,
    }
}

/// How often the watch of ConfigMaps has failed so far.
async fn failures(operator: &Operator) -> Result<f64> {
    let sample = "projsync_watch_restarts_total{kind=\"ConfigMap\",reason=\"Failed\"}";
    operator.sample(sample).await?.context(sample)
}

/// Waits until the fault has met it three times, and readiness tells of it.
async fn told(operator: &Operator, fault: &str, before: f64) -> Result {
    eventually(format!("{fault}: it is met"), async || {
        let failed = failures(operator).await? - before;
        ensure!(failed >= 3.0, "{failed} failures");
        Ok(Some(()))
    })
    .await?;
    tells(operator, "").await
}

/// The Lease alone can't be asked for: that is told too, if only after two lease
/// durations, and nothing is written meanwhile.
#[tokio::test]
async fn a_lease_that_is_not_told_of() -> Result {
    let env = Env::new().await?;
    let lanes = Lane::create(&env, &["web"]).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &QUICK_LEASE).await?;
    operator.start().await?;
    operator.all_in_sync(1).await?;
    let meter = Meter::begin(&proxy, &operator).await?;
    proxy.rule(|request| match request.uri.path().contains("/leases") {
        true => Act::Answer(500, status(500, "InternalError")),
        false => Act::Pass,
    });
    eventually("readiness tells of it", async || {
        let text = ensure_ready(&operator, false).await?;
        ensure!(
            text.contains("[-]lease failed: who leads is not known"),
            "{text}"
        );
        Ok(Some(()))
    })
    .await?;
    let edit = env.set(&lanes[0].source, "a", "1").await?;
    operator.seen(&[&edit]).await?;
    env.assert_only(&[]).await?;
    // At most a read and a write each time, five times a second.
    meter
        .assert_bounded(&proxy, &operator, "lease", 80, |_| true)
        .await?;
    proxy.rule(|_| Act::Pass);
    heals(&env, "lease", [&lanes[0].workload]).await?;
    eventually("it is ready", async || {
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;
    env.assert_only(&[(&lanes[0].workload, 1)]).await
}

#[tokio::test]
async fn an_api_server_that_is_of_no_use_for_a_while() -> Result {
    try_join_all(FAULTS.map(meets)).await?;
    Ok(())
}

async fn meets(faults: &[&'static str]) -> Result {
    let env = Env::new().await?;
    let lanes = Lane::create(&env, faults).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(lanes.len()).await?;

    let mut edits = Vec::new();
    for (&name, lane) in faults.iter().zip(&lanes) {
        let meter = Meter::begin(&proxy, &operator).await?;
        let failed = failures(&operator).await?;
        proxy.rule(move |_| fault(name));
        match name {
            "refused" => proxy.close().await,
            _ => proxy.cut().await?,
        }
        edits.push(env.set(&lane.source, "a", "1").await?);
        told(&operator, name, failed).await?;
        meter
            .assert_bounded(&proxy, &operator, name, REQUESTS, |_| true)
            .await?;
        proxy.rule(|_| Act::Pass);
        if name == "refused" {
            proxy.open().await?;
        }
        heals(&env, name, [&lane.workload]).await?;
        env.rolled_out(&lane.workload).await?;
        // An event on the watch ends the row of failures: the next is a first one.
        let mark = env.annotate(&lane.source, "mark", Some(name)).await?;
        operator.seen(&[&mark]).await?;
        eventually("it is ready", async || {
            ensure_ready(&operator, true).await.map(Some)
        })
        .await?;
    }
    operator.seen(&edits.iter().collect::<Vec<_>>()).await?;
    operator.all_in_sync(lanes.len()).await?;
    let rolls: Vec<_> = lanes.iter().map(|lane| (&lane.workload, 1)).collect();
    env.assert_only(&rolls).await
}

/// Nothing fails, all takes long: half a second for each request.
#[tokio::test]
async fn an_api_server_that_is_slow() -> Result {
    let env = Env::new().await?;
    let lanes = Lane::create(&env, &["first", "second", "third"]).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    proxy.rule(|_| Act::Late(Duration::from_millis(500)));
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(lanes.len()).await?;
    let meter = Meter::begin(&proxy, &operator).await?;
    for lane in &lanes {
        env.set(&lane.source, "a", "1").await?;
    }
    heals(&env, "slow", lanes.iter().map(|lane| &lane.workload)).await?;
    for lane in &lanes {
        env.rolled_out(&lane.workload).await?;
    }
    operator.all_in_sync(lanes.len()).await?;
    ensure_ready(&operator, true).await?;
    // Of each source a read, of each workload a patch, an Event and some Projections;
    // the Lease and the policy.
    meter
        .assert_bounded(&proxy, &operator, "slow", 12 * lanes.len(), |_| true)
        .await?;
    let rolls: Vec<_> = lanes.iter().map(|lane| (&lane.workload, 1)).collect();
    env.assert_only(&rolls).await
}
