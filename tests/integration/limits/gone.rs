//! What goes in the middle of things: a workload, a namespace.

use anyhow::ensure;
use serde_json::json;
use testkit::{Object, Result, config_map, deployment, eventually, object, policy, until};

use crate::env::{Env, Told as _};

#[tokio::test]
async fn a_workload_deleted_in_its_roll_and_made_again() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    // Its Pods take their time to become ready, so that a roll has a middle.
    let web = deployment("web").uses(app.volume()).ready_after("2s");
    let bystander = deployment("bystander").uses(app.volume());
    env.create_all(&[&policy("fast").fast(), &app, &web, &bystander])
        .await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&bystander).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    ensure!(
        !env.rolled_out_now(&web).await?.is_empty(),
        "it is over already"
    );
    let gone = env.delete(&web).await?;
    env.rolls(&bystander, 1).await?;
    env.rolled_out(&bystander).await?;
    operator.caught_up(&[&gone]).await?;
    // Its Projection goes with it.
    until("the Projection is gone", true, async || {
        Ok(env.projection(&web).await?.is_none())
    })
    .await?;
    env.assert_only(&[(&web, 1), (&bystander, 1)]).await?;

    // Under the same name it is another one: it starts with what there is.
    until("its Pods are gone", 0, async || {
        Ok(env.pods(&web).await?.len())
    })
    .await?;
    let made = env.create(&web).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&made]).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 1), (&bystander, 1)]).await?;
    let again = env.projection(&web).await?;
    let uid = again.map(|projection| projection.spec.workload.uid);
    let wanted = env.get(&web).await?["metadata"]["uid"]
        .as_str()
        .map(str::to_owned);
    ensure!(
        uid == wanted,
        "the Projection is of {uid:?}, not of {wanted:?}"
    );

    // And rolls like any other.
    let edit = env.set(&app, "a", "3").await?;
    env.rolls(&web, 2).await?;
    env.rolled_out(&web).await?;
    env.assert_started_after(&web, &edit).await?;
    // So does it after a restart in between.
    operator.restart().await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 2), (&bystander, 2)]).await
}

/// One namespace goes, with objects that stay for a while. The other goes on.
#[tokio::test]
async fn a_namespace_that_is_terminating() -> Result {
    let env = Env::spanning(2).await?;
    let (here, there) = (&env.spaces[0], &env.spaces[1]);
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.volume());
    for space in [here, there] {
        space
            .create_all(&[&policy("fast").fast(), &app, &web])
            .await?;
        space.rolled_out(&web).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    let hold = json!({"metadata": {"finalizers": ["test.example.com/hold"]}});
    for held in [&app as &dyn Object, &web] {
        there.merge(held, hold.clone()).await?;
    }
    let namespace = object("v1", "Namespace", &there.namespace);
    there.delete(&namespace).await?;
    until("it is terminating", true, async || {
        Ok(there.get(&web).await?["metadata"]["deletionTimestamp"].is_string())
    })
    .await?;
    there.merge(&app, json!({"data": {"a": "2"}})).await?;

    for value in ["2", "3"] {
        let edit = here.set(&app, "a", value).await?;
        eventually("it rolls", async || {
            let rolled = env
                .roll_counts()?
                .get(&here.key(&web))
                .copied()
                .unwrap_or(0);
            ensure!(
                rolled.to_string() == (value.parse::<usize>()? - 1).to_string(),
                "{rolled}"
            );
            Ok(Some(()))
        })
        .await?;
        here.rolled_out(&web).await?;
        here.assert_started_after(&web, &edit).await?;
    }
    let rolls = env.roll_counts()?;
    ensure!(!rolls.contains_key(&there.key(&web)), "{rolls:?}");

    let free = json!({"metadata": {"finalizers": null}});
    for held in [&app as &dyn Object, &web] {
        there.merge(held, free.clone()).await?;
    }
    until("it is gone", false, async || there.exists(&namespace).await).await?;
    let edit = here.set(&app, "a", "4").await?;
    eventually("it rolls", async || {
        let rolled = env.roll_counts()?.get(&here.key(&web)).copied();
        ensure!(rolled == Some(3), "{rolled:?}");
        Ok(Some(()))
    })
    .await?;
    here.rolled_out(&web).await?;
    here.assert_started_after(&web, &edit).await?;
    operator.stop().await
}
