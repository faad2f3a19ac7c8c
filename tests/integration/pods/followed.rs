//! Rule 7: what is known of Pods when a reference begins to be followed.

use serde_json::json;
use testkit::{Result, config_map, deployment, policy};

use super::{all_started, assert_unknown, counts, next_second};
use crate::env::Env;
use crate::policies::change;

/// What Helm does at each upgrade: it applies all of a ConfigMap as the manager that owns its
/// data, with another label, or with another key that nobody uses here. The operator runs all the
/// time, and manages the workloads only after that: by a policy, by an annotation, or once a
/// policy leaves the source out no more.
#[tokio::test]
async fn upgrades_before_a_workload_is_managed_roll_nothing() -> Result {
    let env = Env::new().await?;
    let chart = |a: &str, b: &str, label: &str| {
        let app = config_map("app").data("a", a).data("b", b);
        app.label("helm.sh/chart", label)
    };
    let app = chart("1", "1", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    // It shows that the operator has seen an edit.
    let witness = deployment("witness").replicas(0).sync("true");
    let witness = witness.uses(app.env("A", "a"));
    let operator = env.operator(&[]).await?;
    env.apply(&app).await?;
    env.create_all(&[&witness, &web]).await?;
    all_started(&env, &web, 2).await?;
    env.rolled_out(&web).await?;
    next_second().await?;
    env.apply(&chart("1", "1", "2")).await?;
    let edit = env.apply(&chart("1", "2", "2")).await?;
    operator.seen(&[&edit]).await?;

    // Look first, act later.
    env.create(&policy("look").fast().observe()).await?;
    counts(&env, &operator, &web, (2, 0, 2)).await?;
    assert_unknown(&env, &web, 2).await?;
    let look = policy("look");
    change(&env, &operator, &look, json!({"strategy": "Rollout"})).await?;
    operator.decided(&web, "InSync").await?;
    // Another upgrade that changes nothing of what is used.
    let edit = env.apply(&chart("1", "3", "3")).await?;
    operator.caught_up(&[&edit]).await?;
    env.assert_only(&[]).await?;

    // A source that was left out, and is no more.
    let exclude = json!({"sources": {"exclude": [{"name": "app"}]}});
    change(&env, &operator, &look, exclude).await?;
    let edit = env.apply(&chart("1", "4", "4")).await?;
    operator.caught_up(&[&edit]).await?;
    change(&env, &operator, &look, json!({"sources": null})).await?;
    counts(&env, &operator, &web, (2, 0, 2)).await?;
    env.assert_only(&[]).await?;

    let edit = env.apply(&chart("2", "4", "5")).await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await
}
