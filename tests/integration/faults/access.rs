//! Credentials and certificates that end, and others in their place.

use anyhow::ensure;
use http::header::AUTHORIZATION;
use testkit::{Result, eventually};

use super::{Lane, Meter, ensure_ready, heals, tells};
use crate::env::Env;
use crate::proxy::{Act, Authority, Proxy, status};

/// The most requests within a minute that are refused: 12 watches, each tried after
/// 0.8 s, then ever later, and the Lease twice in 2 seconds.
const REQUESTS: usize = 200;

/// Its file holds another soon, which is read once a minute.
#[tokio::test]
async fn a_token_that_expires_is_replaced() -> Result {
    let env = Env::new().await?;
    let lane = Lane::create(&env, &["web"]).await?.remove(0);
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(1).await?;

    let meter = Meter::begin(&proxy, &operator).await?;
    let old = format!("Bearer {}", env.renew_token(&operator).await?);
    proxy.rule(move |request| match request.headers.get(AUTHORIZATION) {
        Some(token) if *token != *old => Act::Pass,
        _ => Act::Answer(401, status(401, "Unauthorized")),
    });
    proxy.cut().await?;
    env.set(&lane.source, "a", "1").await?;
    tells(&operator, "401 Unauthorized").await?;
    // A watch that failed for so long may wait for another minute.
    eventually("the new token is used", async || {
        let asked = meter.asked(&proxy);
        Ok(asked.iter().any(|one| one.code == Some(200)).then_some(()))
    })
    .await?;
    env.rolls(&lane.workload, 1).await?;
    meter
        .assert_bounded(&proxy, &operator, "token", REQUESTS, |passed| {
            passed.code == Some(401)
        })
        .await?;
    env.rolled_out(&lane.workload).await?;
    eventually("it is ready", async || {
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;
    operator.all_in_sync(1).await?;
    env.assert_only(&[(&lane.workload, 1)]).await
}

#[tokio::test]
async fn a_certificate_that_is_rotated_goes_unnoticed() -> Result {
    let env = Env::new().await?;
    let lanes = Lane::create(&env, &["rotated", "strange"]).await?;
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path().join("ca.crt"))?;
    let proxy = Proxy::secure(&env.cluster, authority).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(lanes.len()).await?;
    let authority = proxy.authority.clone().expect("it was given one");

    // All connections end, and the next ones show another certificate.
    authority.rotate()?;
    proxy.cut().await?;
    env.set(&lanes[0].source, "a", "1").await?;
    heals(&env, "rotated", [&lanes[0].workload]).await?;
    env.rolled_out(&lanes[0].workload).await?;
    // The other watches are tried again each in their own time.
    eventually("it is ready", async || {
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;

    // One that nobody vouches for is not taken.
    let meter = Meter::begin(&proxy, &operator).await?;
    authority.pretend()?;
    proxy.cut().await?;
    env.set(&lanes[1].source, "a", "1").await?;
    tells(&operator, "certificate").await?;
    ensure!(
        meter.asked(&proxy).is_empty(),
        "something was asked all the same"
    );
    authority.rotate()?;
    heals(&env, "strange", [&lanes[1].workload]).await?;
    env.rolled_out(&lanes[1].workload).await?;
    eventually("it is ready", async || {
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;
    operator.all_in_sync(lanes.len()).await?;
    let rolls: Vec<_> = lanes.iter().map(|lane| (&lane.workload, 1)).collect();
    env.assert_only(&rolls).await
}
