//! Policies that come, change and go: they release what waits, and change nothing.

use projsync::api::projection::State;
use serde_json::json;
use testkit::{Operator, Policy, Result, Source, Workload, config_map, deployment, policy};

use super::{change, says};
use crate::env::{Env, Told as _};

/// `app`, and a workload of each class that projects it, in sync under a policy.
async fn started(policy: &Policy) -> Result<(Env, Source, [Workload; 2], Operator)> {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let live = deployment("live").replicas(2).uses(app.volume());
    let frozen = deployment("frozen").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[policy, &app, &live, &frozen]).await?;
    env.rolled_out(&live).await?;
    env.rolled_out(&frozen).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;
    Ok((env, app, [live, frozen], operator))
}

#[tokio::test]
async fn a_policy_that_is_suspended_no_more_releases_what_waits() -> Result {
    let policy = policy("policy").fast().suspended(true);
    let (env, app, [live, frozen], operator) = started(&policy).await?;
    for value in ["2", "3"] {
        let edit = env.set(&app, "a", value).await?;
        operator.acted(&[&edit]).await?;
    }
    for workload in [&live, &frozen] {
        operator.decided(workload, "Suspended").await?;
        env.reported(workload, Some(State::Held), |s| s.summary.state)
            .await?;
    }
    says(
        &env,
        &policy,
        |s| (s.workloads, s.pods, s.stale_pods),
        (2, 4, 2),
    )
    .await?;
    env.assert_only(&[]).await?;

    change(&env, &operator, &policy, json!({"suspend": false})).await?;
    operator.all_in_sync(2).await?;
    says(&env, &policy, |s| (s.workloads, s.stale_pods), (2, 0)).await?;
    env.assert_only(&[(&live, 1), (&frozen, 1)]).await?;

    // It releases; it is no change itself.
    for suspend in [true, false] {
        change(&env, &operator, &policy, json!({"suspend": suspend})).await?;
    }
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&live, 1), (&frozen, 1)]).await
}

#[tokio::test]
async fn a_workload_opts_in_and_out() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.env("A", "a"));
    let policy = policy("policy").fast();
    env.create_all(&[&policy, &app, &web.clone().sync("false")])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    let sync = async |value: Option<&str>| {
        let annotation = projsync::api::names::SYNC_ANNOTATION;
        env.annotate(&web, annotation, value).await
    };
    says(&env, &policy, |s| s.workloads, 0).await?;
    env.set(&app, "a", "2").await?;
    // In: seen for the first time, so nothing is rolled for what was before.
    let edit = sync(None).await?;
    operator.acted(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    says(&env, &policy, |s| s.workloads, 1).await?;
    env.assert_only(&[]).await?;
    let edit = env.set(&app, "a", "3").await?;
    operator.acted(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;

    // Out: its Projection stays for a while.
    let edit = sync(Some("false")).await?;
    operator.acted(&[&edit]).await?;
    says(&env, &policy, |s| s.workloads, 0).await?;
    env.set(&app, "a", "4").await?;
    operator.acted(&[]).await?;
    env.assert_only(&[(&web, 1)]).await?;
    assert!(env.projection(&web).await?.is_some());

    // In again: what went by is known from that.
    sync(Some("true")).await?;
    env.rolls(&web, 2).await?;
    operator.decided(&web, "InSync").await?;
    operator.acted(&[]).await?;
    says(&env, &policy, |s| s.workloads, 1).await?;
    // A workload that is deleted counts no more.
    env.delete(&web).await?;
    says(&env, &policy, |s| s.workloads, 0).await?;
    env.assert_only(&[(&web, 2)]).await
}
