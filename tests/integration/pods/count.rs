//! How much is remembered, and of which Pods.

use anyhow::{Context as _, ensure};
use serde_json::json;
use testkit::{Result, config_map, deployment, object, policy, until};

use super::{counts, observed, pod_name, replace_pod};
use crate::env::{Env, Told as _};

/// Rule 11: a timeline keeps eight contents, those of live Pods before others.
#[tokio::test]
async fn a_pod_older_than_what_is_remembered_is_outdated() -> Result {
    let env = Env::new().await?;
    let (app, web, operator) = observed(&env, 10).await?;
    let first = env.pod_uids(&web).await?;
    let set = async |value: usize| -> Result {
        let edit = env.set(&app, "a", &value.to_string()).await?;
        operator.seen(&[&edit]).await
    };
    // A content, and a Pod that starts in it.
    let born_in = async |value: usize| -> Result {
        set(value).await?;
        let pods = env.pods(&web).await?;
        let old = pods.iter().find(|pod| {
            pod.metadata
                .uid
                .as_ref()
                .is_some_and(|uid| first.contains(uid))
        });
        replace_pod(&env, &web, pod_name(old.context("no old Pod")?)).await
    };
    for value in 1..=5 {
        born_in(value).await?;
    }
    counts(&env, &operator, &web, (10, 9, 0)).await?;
    set(0).await?;
    counts(&env, &operator, &web, (10, 5, 0)).await?;
    for value in 6..=9 {
        born_in(value).await?;
    }
    // Ten contents, a Pod in each: the oldest two are forgotten.
    set(0).await?;
    counts(&env, &operator, &web, (10, 10, 0)).await?;
    until("stale Pods, contents remembered", (10, 8), async || {
        let projection = env.projection(&web).await?.context("no Projection")?;
        let status = projection.status.context("no status")?;
        Ok((status.pods.stale, status.references[0].timeline.len()))
    })
    .await?;
    env.assert_only(&[]).await
}

/// Rule 13: what goes and what has ended does not count.
#[tokio::test]
async fn terminating_and_finished_pods_are_not_counted() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    counts(&env, &operator, &web, (2, 0, 0)).await?;

    let pods = env.pods(&web).await?;
    let stays = object("v1", "Pod", pod_name(&pods[0]));
    let failed = object("v1", "Pod", pod_name(&pods[1]));
    env.merge(
        &stays,
        json!({"metadata": {"finalizers": ["test.dev/stays"]}}),
    )
    .await?;
    env.delete(&stays).await?;
    env.merge_status(&failed, json!({"status": {"phase": "Failed"}}))
        .await?;
    env.rolled_out(&web).await?;
    counts(&env, &operator, &web, (2, 0, 0)).await?;

    let edit = env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    counts(&env, &operator, &web, (2, 0, 0)).await?;
    // Both are still there, with the old content.
    ensure!(env.exists(&stays).await? && env.exists(&failed).await?);
    env.assert_only(&[(&web, 1)]).await
}
