//! Restarts at awkward moments, and at none.

use anyhow::{Context as _, ensure};
use testkit::{
    Request, Result, Workload, config_map, daemon_set, deployment, eventually, policy, projected,
    secret, stateful_set,
};

use super::assert_found;
use crate::aba::{half_rolled, slow};
use crate::env::{Env, Told as _};

#[tokio::test]
async fn killed_in_the_middle_of_a_roll_it_goes_on() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let (app, db) = (
        config_map("app").data("a", "1"),
        secret("db").data("a", "1"),
    );
    let web = slow(deployment("web").replicas(3).uses(app.volume()));
    let store = slow(stateful_set("store").replicas(3).uses(db.env("A", "a")));
    env.create_all(&[&app, &db, &web, &store]).await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&store).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    env.set(&app, "a", "2").await?;
    env.set(&db, "a", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolls(&store, 1).await?;
    half_rolled(&env, &web).await?;
    half_rolled(&env, &store).await?;
    operator.kill()?;
    // One of the two changes once more.
    let edit = env.set(&db, "a", "3").await?;
    operator.start().await?;
    assert_found(&env, &operator, &[(&web, 1), (&store, 2)]).await?;
    env.assert_started_after(&store, &edit).await
}

#[tokio::test]
async fn in_the_middle_of_a_wait_it_waits_or_rolls_once() -> Result {
    let env = Env::new().await?;
    env.create(&policy("calm").settle("1s").min_interval("10s"))
        .await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;

    let edit = env.set(&app, "a", "2").await?;
    operator.seen(&[&edit]).await?;
    operator.decided(&web, "Settling").await?;
    operator.kill()?;
    operator.start().await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.decided(&web, "InSync").await?;

    let edit = env.set(&app, "a", "3").await?;
    operator.seen(&[&edit]).await?;
    operator.decided(&web, "MinimumInterval").await?;
    operator.stop().await?;
    operator.start().await?;
    operator.decided(&web, "MinimumInterval").await?;
    env.assert_only(&[(&web, 1)]).await?;
    assert_found(&env, &operator, &[(&web, 2)]).await?;
    let projection = env.projection(&web).await?.context("no Projection")?;
    let rolls = projection.status.context("no status")?.rolls;
    let between = rolls[0].time.0.as_second() - rolls[1].time.0.as_second();
    ensure!((9..30).contains(&between), "{between} s between two rolls");
    Ok(())
}

/// Waits until the Projection says that all Pods are known.
async fn remembered(env: &Env, workload: &Workload) -> Result {
    let pods = env.pods(workload).await?.into_iter();
    let newest = pods.filter_map(|pod| pod.metadata.creation_timestamp).max();
    eventually("lastInSync covers all Pods", async || {
        let projection = env.projection(workload).await?.context("no Projection")?;
        let last = projection.status.and_then(|status| status.last_in_sync);
        Ok((last.map(|last| last.time) >= newest).then_some(()))
    })
    .await
}

#[tokio::test]
async fn with_nothing_changed_nothing_is_read_or_written() -> Result {
    let env = Env::own().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "1").binary("bin", b"\xff");
    let db = secret("db").data("b", "1");
    let absent = config_map("absent");
    let workloads = [
        deployment("web").replicas(2).uses(projected(&[&app, &db])),
        stateful_set("store")
            .uses(db.env("A", "b"))
            .uses(absent.env_from("").optional()),
        daemon_set("agent").uses(app.volume().sub_path("a")),
    ];
    env.create_all(&[&app, &db]).await?;
    for workload in &workloads {
        env.create(workload).await?;
    }
    for workload in &workloads {
        env.rolled_out(workload).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(3).await?;
    operator.caught_up(&[]).await?;
    for workload in &workloads {
        remembered(&env, workload).await?;
    }

    let in_space = |request: &Request| request.namespace == env.namespace;
    let is_read = |request: &Request| request.verb == "get" && in_space(request);
    let read = env.requests()?.into_iter().filter(is_read).count();
    ensure!(read == 2, "{read} reads of two sources");
    for round in 0..2 {
        let before = env.requests()?.len();
        match round {
            0 => operator.stop().await?,
            _ => operator.kill()?,
        }
        operator.start().await?;
        operator.all_in_sync(3).await?;
        operator.caught_up(&[]).await?;
        let new = env.requests()?.split_off(before);
        let other = new.into_iter().filter(|request| {
            in_space(request) && !["list", "watch"].contains(&request.verb.as_str())
        });
        let other: Vec<Request> = other.collect();
        ensure!(other.is_empty(), "{other:?}");
    }
    env.assert_only(&[]).await?;

    // One that changed meanwhile is read, once, and no other.
    operator.stop().await?;
    let before = env.requests()?.len();
    env.set(&app, "a", "2").await?;
    operator.start().await?;
    let [web, store, agent] = &workloads;
    assert_found(&env, &operator, &[(web, 1), (agent, 1), (store, 0)]).await?;
    let new = env.requests()?.split_off(before);
    let read: Vec<String> = new
        .into_iter()
        .filter(is_read)
        .map(|read| read.name)
        .collect();
    ensure!(read == ["app"], "{read:?}");
    Ok(())
}
