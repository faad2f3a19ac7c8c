//! The Projection is the memory: without it nothing rolls that can't be told.

use testkit::{Result, config_map, deployment, policy};

use super::assert_found;
use crate::env::{Env, projection_of};
use crate::pods::{assert_unknown, counts, next_second};

#[tokio::test]
async fn a_projection_deleted_during_downtime_leaves_pods_unknown() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "1").data("b", "1");
    let web = deployment("web")
        .replicas(2)
        .uses(app.volume().items(&["a"]));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;
    operator.caught_up(&[]).await?;
    next_second().await?;
    let edit = env.set(&app, "b", "2").await?;
    operator.caught_up(&[&edit]).await?;
    // While there is a memory they are known, after a restart too.
    counts(&env, &operator, &web, (2, 0, 0)).await?;
    operator.restart().await?;
    operator.all_in_sync(1).await?;
    counts(&env, &operator, &web, (2, 0, 0)).await?;

    operator.stop().await?;
    env.delete(&projection_of(&web)?).await?;
    operator.start().await?;
    counts(&env, &operator, &web, (2, 0, 2)).await?;
    operator.decided(&web, "InSync").await?;
    assert_unknown(&env, &web, 2).await?;
    env.assert_only(&[]).await?;

    env.set(&app, "a", "2").await?;
    assert_found(&env, &operator, &[(&web, 1)]).await?;
    counts(&env, &operator, &web, (2, 0, 0)).await
}
