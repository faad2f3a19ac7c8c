//! What can't be told, what was never read, and what was absent.

use serde_json::json;
use testkit::{Result, config_map, deployment, policy, secret};

use super::{assert_unknown, counts, next_second, observed, pod_name, replace_pod};
use crate::env::Env;

/// Rule 5: a version that was edited over before it was read equals nothing.
#[tokio::test]
async fn a_pod_that_started_in_an_unread_version_is_outdated() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    let other = deployment("other").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web, &other]).await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&other).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    operator.pause()?;
    env.set(&app, "a", "2").await?;
    replace_pod(&env, &web, pod_name(&env.pods(&web).await?[0])).await?;
    let back = env.set(&app, "a", "1").await?;
    operator.resume()?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&back]).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 1)]).await
}

/// Rule 7: a Pod that is older than the last edit, when nothing is known from before.
#[tokio::test]
async fn a_pod_at_first_sight_is_unknown_and_outdated_once_the_content_moves() -> Result {
    let env = Env::new().await?;
    env.create(&policy("calm").settle("2s").min_interval("0s"))
        .await?;
    let app = config_map("app").data("a", "1");
    let db = secret("db").data("a", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    let store = deployment("store").uses(db.volume());
    let young = deployment("young").uses(app.env("A", "a"));
    env.create_all(&[&app, &db, &web, &store]).await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&store).await?;
    next_second().await?;
    env.set(&app, "a", "2").await?;
    env.set(&db, "a", "2").await?;
    next_second().await?;
    env.create(&young).await?;
    env.rolled_out(&young).await?;

    let operator = env.operator(&[]).await?;
    operator.all_in_sync(3).await?;
    counts(&env, &operator, &web, (2, 0, 2)).await?;
    counts(&env, &operator, &store, (1, 0, 1)).await?;
    counts(&env, &operator, &young, (1, 0, 0)).await?;
    assert_unknown(&env, &web, 2).await?;
    env.assert_only(&[]).await?;

    // Away and back: they count as having what was known first.
    let away = env.set(&db, "a", "3").await?;
    operator.seen(&[&away]).await?;
    operator.decided(&store, "Settling").await?;
    counts(&env, &operator, &store, (1, 1, 0)).await?;
    let back = env.set(&db, "a", "2").await?;
    operator.seen(&[&back]).await?;
    counts(&env, &operator, &store, (1, 0, 1)).await?;
    env.assert_only(&[]).await?;

    let edit = env.set(&app, "a", "3").await?;
    env.rolls(&web, 1).await?;
    env.rolls(&young, 1).await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&young).await?;
    operator.caught_up(&[&edit]).await?;
    counts(&env, &operator, &web, (2, 0, 0)).await?;
    env.assert_only(&[(&web, 1), (&young, 1)]).await
}

/// Rule 7: of a workload that is known, nothing is unknown.
#[tokio::test]
async fn a_reference_added_later_is_outdated_if_edited_before_our_first_read() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "1");
    let more = config_map("more").data("a", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &more, &web]).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;

    operator.pause()?;
    let web = web.uses(more.env("B", "a"));
    env.apply(&web).await?;
    env.rolled_out(&web).await?;
    next_second().await?;
    let edit = env.set(&more, "a", "2").await?;
    operator.resume()?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&edit]).await?;
    operator.all_in_sync(1).await?;
    env.assert_started_after(&web, &edit).await?;
    env.assert_only(&[(&web, 1)]).await
}

/// Rule 8: what could not start while something required was absent has what then
/// appeared; what ran all the same has something else.
#[tokio::test]
async fn a_pod_that_waits_for_what_is_absent_has_what_appears() -> Result {
    let env = Env::new().await?;
    let (app, web, operator) = observed(&env, 2).await?;
    // As a kubelet does it: no container starts before. kwok starts those of `web` at once.
    let late = deployment("late").ready_after("20s");
    let late = late.uses(config_map("late").env("A", "a"));
    env.create(&late).await?;
    operator.decided(&late, "SourceMissing").await?;
    let edit = env.create(&config_map("late").data("a", "1")).await?;
    operator.seen(&[&edit]).await?;

    // The source, then a key of it.
    for missing in ["SourceMissing", "KeyMissing"] {
        let gone = match missing {
            "SourceMissing" => env.delete(&app).await?,
            _ => env.unset(&app, "a").await?,
        };
        operator.seen(&[&gone]).await?;
        operator.decided(&web, missing).await?;
        replace_pod(&env, &web, pod_name(&env.pods(&web).await?[0])).await?;
        let edit = match missing {
            "SourceMissing" => env.create(&app.clone().data("a", "new")).await?,
            _ => env.set(&app, "a", "newer").await?,
        };
        operator.seen(&[&edit]).await?;
        operator.decided(&web, "ObserveOnly").await?;
        counts(&env, &operator, &web, (2, 2, 0)).await?;
        for pod in env.pods(&web).await? {
            replace_pod(&env, &web, pod_name(&pod)).await?;
        }
        counts(&env, &operator, &web, (2, 0, 0)).await?;
    }

    env.rolled_out(&late).await?;
    operator.decided(&late, "InSync").await?;
    counts(&env, &operator, &late, (1, 0, 0)).await?;
    env.assert_only(&[]).await
}

/// Rule 10: other uses are another reference, and what was pending of it is dropped.
#[tokio::test]
async fn a_reference_with_other_uses_is_another() -> Result {
    let env = Env::new().await?;
    let calm = policy("calm").fast();
    env.create(&calm.clone().suspended(true)).await?;
    let app = config_map("app").data("a", "1").data("b", "1");
    let web = deployment("web").replicas(2);
    env.create_all(&[&app, &web.clone().uses(app.volume().items(&["a"]))])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;

    let edit = env.set(&app, "a", "2").await?;
    operator.seen(&[&edit]).await?;
    operator.decided(&web, "Suspended").await?;
    counts(&env, &operator, &web, (2, 2, 0)).await?;
    // Its owner has it project another key, and by that renews its Pods.
    env.replace(&web.clone().uses(app.volume().items(&["b"])))
        .await?;
    env.rolled_out(&web).await?;
    operator.decided(&web, "InSync").await?;
    env.merge(&calm, json!({"spec": {"suspend": false}}))
        .await?;
    let edit = env.set(&app, "a", "3").await?;
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[]).await?;

    let edit = env.set(&app, "b", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await
}
