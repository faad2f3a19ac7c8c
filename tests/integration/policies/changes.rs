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
async fn a_policy_that_observes_no_more_replaces_every_outdated_pod() -> Result {
    let policy = policy("policy").fast().observe();
    let (env, app, [live, frozen], operator) = started(&policy).await?;
    let edit = env.set(&app, "a", "2").await?;
    // That one waits for the kubelet.
    operator.seen(&[&edit]).await?;
    for workload in [&live, &frozen] {
        operator.decided(workload, "ObserveOnly").await?;
    }
    env.reported(&live, (2, 0), |s| (s.pods.refreshing, s.pods.stale))
        .await?;
    env.reported(&frozen, (0, 2), |s| (s.pods.refreshing, s.pods.stale))
        .await?;
    says(
        &env,
        &policy,
        |s| (s.workloads, s.pods, s.stale_pods),
        (2, 4, 2),
    )
    .await?;
    // A Pod that starts now has it.
    env.scale(&frozen, 3).await?;
    env.rolled_out(&frozen).await?;
    env.reported(&frozen, (1, 2), |s| (s.pods.fresh, s.pods.stale))
        .await?;
    env.assert_only(&[]).await?;

    change(&env, &operator, &policy, json!({"strategy": "Rollout"})).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&live, 1), (&frozen, 1)]).await?;
    for workload in [&live, &frozen] {
        env.rolled_out(workload).await?;
        env.assert_started_after(workload, &edit).await?;
    }
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&live, 1), (&frozen, 1)]).await
}

#[tokio::test]
async fn a_policy_that_goes_leaves_its_workloads_to_the_next() -> Result {
    let strong = policy("strong").priority(1).suspended(true);
    let weak = policy("weak").fast();
    let (env, app, [live, frozen], operator) = started(&strong).await?;
    env.create(&weak).await?;
    says(&env, &weak, |s| (s.workloads, s.overridden), (0, 2)).await?;
    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&edit]).await?;
    env.assert_only(&[]).await?;
    env.delete(&strong).await?;
    for workload in [&live, &frozen] {
        env.rolls(workload, 1).await?;
    }
    operator.all_in_sync(2).await?;
    says(&env, &weak, |s| (s.workloads, s.overridden), (2, 0)).await?;
    env.assert_only(&[(&live, 1), (&frozen, 1)]).await
}

#[tokio::test]
async fn the_edit_of_a_policy_is_no_change() -> Result {
    let policy = policy("policy").fast();
    let (env, app, [live, frozen], operator) = started(&policy).await?;
    let everything = json!({"exclude": [{"name": "app"}]});
    for spec in [
        json!({"settle": "200ms"}),
        json!({"minInterval": "1s"}),
        json!({"priority": 7}),
        json!({"strategy": "Observe"}),
        json!({"strategy": "Rollout"}),
        json!({"sources": {"include": [{"kind": "ConfigMap", "name": "a*"}]}}),
        json!({"sources": everything.clone()}),
    ] {
        change(&env, &operator, &policy, spec).await?;
        operator.all_in_sync(2).await?;
    }
    env.assert_only(&[]).await?;
    // What does not count has no say, nor what happened to it meanwhile.
    env.set(&app, "a", "2").await?;
    let nothing = json!({"sources": {"exclude": null, "include": null}});
    change(&env, &operator, &policy, nothing).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[]).await?;
    let edit = env.set(&app, "a", "3").await?;
    operator.acted(&[&edit]).await?;
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
