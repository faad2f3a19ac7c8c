//! Rules 3 and 4: which came first.

use anyhow::Context as _;
use testkit::{Result, config_map, deployment, eventually, policy};

use super::next_second;
use crate::env::{Env, Told as _};

/// Rule 3: where versions can't be compared times are, and within the same second
/// the Pod counts as older, but not one that carries the trigger (rule 4).
#[tokio::test]
async fn times_are_compared_where_versions_can_not_be() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    next_second().await?;
    let operator = env
        .operator(&["--resource-versions-comparable=false"])
        .await?;
    operator.all_in_sync(1).await?;
    for count in 1..=3 {
        // The edit and the Pods of its roll fall into the same second.
        next_second().await?;
        let edit = env.set(&app, "a", &count.to_string()).await?;
        env.rolls(&web, count).await?;
        env.rolled_out(&web).await?;
        operator.caught_up(&[&edit]).await?;
        operator.decided(&web, "InSync").await?;
        env.assert_started_after(&web, &edit).await?;
        env.assert_only(&[(&web, count)]).await?;
    }
    Ok(())
}

/// Rules 4 and 9: the operator is killed as soon as a roll is on record. Its Pods start
/// unseen, in the second of the content, and carry the trigger.
#[tokio::test]
async fn a_pod_that_carries_the_trigger_started_after_it() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").settle("0s").min_interval("0s"))
        .await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;
    let mut same_second = 0;
    for count in 1..=4 {
        next_second().await?;
        let edit = env.set(&app, "a", &count.to_string()).await?;
        let second = jiff::Timestamp::now().as_second();
        eventually("the roll is on record", async || {
            let projection = env.projection(&web).await?.context("no Projection")?;
            let rolls = projection.status.context("no status")?.rolls;
            Ok((rolls.len() == count).then_some(()))
        })
        .await?;
        operator.kill()?;
        env.rolled_out(&web).await?;
        for pod in env.pods(&web).await? {
            let created = pod.metadata.creation_timestamp.context("no time")?.0;
            same_second += usize::from(created.as_second() == second);
        }
        operator.start().await?;
        operator.caught_up(&[&edit]).await?;
        operator.decided(&web, "InSync").await?;
        env.assert_only(&[(&web, count)]).await?;
    }
    println!("{same_second} Pods in the second of their content");
    Ok(())
}
