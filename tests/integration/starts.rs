//! The operator starts, becomes ready, and stops.

use testkit::{Result, config_map, deployment, eventually, policy};

use crate::env::{Env, Told as _};

#[tokio::test]
async fn rolls_a_deployment_when_a_key_that_it_projects_changes() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1").data("b", "1");
    let web = deployment("web").uses(app.volume().items(&["a"]));
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;

    let edit = env.set(&app, "b", "2").await?;
    operator.caught_up(&[&edit]).await?;
    env.assert_only(&[]).await?;

    env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;
    operator.stop().await
}

/// A removal, which moves no managedFields time. (That what is stored is taken up
/// though the lease may come first, see the tests of `controller::ingest`.)
#[tokio::test]
async fn a_change_made_while_it_was_down_is_found() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1").data("b", "1");
    let web = deployment("web").uses(app.env_from(""));
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    eventually("it is remembered", async || {
        Ok(env.projection(&web).await?.and_then(|one| one.status))
    })
    .await?;
    operator.stop().await?;

    env.unset(&app, "b").await?;
    operator.start().await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;
    operator.stop().await
}
