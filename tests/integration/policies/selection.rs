//! Which policy is in force, and what policies say of that.

use projsync::api::policy::PolicyStatus;
use projsync::api::projection::PolicyKind;
use serde_json::json;
use testkit::{
    Object as _, Policy, Result, Space, cluster_policy, config_map, deployment, eventually, object,
    policy, stateful_set, until,
};

use super::{reason, says};
use crate::env::{Env, Told as _};

#[tokio::test]
async fn the_nearest_policy_is_in_force_and_says_so() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    // Cluster policies bear the namespace, as tests share the control plane.
    let everywhere = cluster_policy(&format!("{}-all", env.namespace), &[&env.namespace]).fast();
    let fast = |name: &str| policy(name).fast().label("tier", "front");
    let (first, second) = (fast("first").priority(1), fast("second"));
    let front = |name: &str| deployment(name).label("tier", "front").uses(app.volume());
    let by_cluster = stateful_set("by-cluster").uses(app.volume());
    let (selected, names) = (front("selected"), front("names").sync("second"));
    let (out, lost) = (front("out").sync("false"), front("lost").sync("such"));
    env.create_all(&[&everywhere, &first, &second, &app])
        .await?;
    env.create_all(&[&by_cluster, &selected, &names, &out, &lost])
        .await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(3).await?;
    let cluster = (Some(PolicyKind::ClusterSyncPolicy), Some(everywhere.name()));
    let own = |policy: &Policy| (Some(PolicyKind::SyncPolicy), Some(policy.name()));
    for (workload, in_force) in [
        (&by_cluster, cluster),
        (&selected, own(&first)),
        (&names, own(&second)),
    ] {
        env.reported(workload, Some(in_force), |status| {
            status
                .policy
                .clone()
                .map(|policy| (policy.kind, policy.name))
        })
        .await?;
    }
    until(
        "the Event of what is lost",
        vec!["PolicyNotFound".to_owned()],
        async || {
            let events = env.events(&lost).await?.into_iter();
            Ok(events.map(|(reason, _)| reason).collect::<Vec<_>>())
        },
    )
    .await?;
    assert_eq!(env.events(&out).await?, []);
    says(&env, &first, |s| (s.workloads, s.overridden), (1, 1)).await?;
    says(&env, &second, |s| (s.workloads, s.overridden), (1, 1)).await?;
    // This operator sees a part of the cluster: it leaves their status to others.
    assert_eq!(env.get(&everywhere).await?["status"], json!(null));
    for workload in [&by_cluster, &selected, &names, &out, &lost] {
        env.rolled_out(workload).await?;
    }
    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&edit]).await?;
    env.assert_only(&[(&by_cluster, 1), (&selected, 1), (&names, 1)])
        .await
}

#[tokio::test]
async fn cluster_policies_select_namespaces_by_label() -> Result {
    let env = Env::cluster_wide(3).await?;
    let [prod, test, bare] = &env.spaces[..] else {
        anyhow::bail!("three namespaces");
    };
    let namespace = |space: &Space| object("v1", "Namespace", &space.namespace);
    let label = async |space: &Space, value: Option<&str>| {
        env.merge(
            &namespace(space),
            json!({"metadata": {"labels": {"env": value}}}),
        )
        .await
    };
    label(prod, Some("prod")).await?;
    label(test, Some("test")).await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.env("A", "a"));
    for space in &env.spaces {
        space.create_all(&[&app, &web]).await?;
        space.rolled_out(&web).await?;
    }
    let selecting = |name, expression| {
        let selector = json!({"matchExpressions": [expression]});
        cluster_policy(name, &[])
            .fast()
            .with("namespaceSelector", selector)
    };
    let strict = selecting(
        "strict",
        json!({"key": "env", "operator": "In", "values": ["prod"]}),
    )
    .suspended(true)
    .priority(1);
    let others = selecting(
        "others",
        json!({"key": "env", "operator": "NotIn", "values": ["test"]}),
    );
    let bad = selecting("bad", json!({"key": "-env", "operator": "Exists"}));
    env.create_all(&[&strict, &others, &bad]).await?;
    let operator = env.operator(&[]).await?;
    // The operator's own namespace and those of the system have no workloads.
    operator.all_in_sync(2).await?;
    let counts = |s: &PolicyStatus| (s.workloads, s.overridden, reason(s));
    let accepted = || "Accepted".to_owned();
    says(&env, &strict, counts, (1, 0, accepted())).await?;
    says(&env, &others, counts, (1, 1, accepted())).await?;
    says(&env, &bad, counts, (0, 0, "InvalidSelector".to_owned())).await?;

    // One waits, one is rolled, one is not managed.
    let rolls = async |prod_rolls: usize, test_rolls: usize, bare_rolls: usize| {
        let mut wanted = std::collections::BTreeMap::new();
        for (space, count) in [(prod, prod_rolls), (test, test_rolls), (bare, bare_rolls)] {
            if count > 0 {
                wanted.insert(space.key(&web), count);
            }
        }
        until("the rolls", wanted, async || env.roll_counts()).await?;
        operator.acted(&[]).await?;
        env.assert_nothing_else()
    };
    for space in &env.spaces {
        space.set(&app, "a", "2").await?;
    }
    rolls(0, 0, 1).await?;
    says(&env, &strict, |s| (s.pods, s.stale_pods), (1, 1)).await?;

    // A label moves a namespace to another policy, which releases what waits.
    label(prod, None).await?;
    rolls(1, 0, 1).await?;
    says(&env, &strict, counts, (0, 0, accepted())).await?;
    says(&env, &others, counts, (2, 0, accepted())).await?;
    label(bare, Some("test")).await?;
    says(&env, &others, counts, (1, 0, accepted())).await?;
    for space in &env.spaces {
        space.set(&app, "a", "3").await?;
    }
    rolls(2, 0, 1).await?;

    // A SyncPolicy of the namespace comes first.
    let own = policy("own").fast();
    test.create(&own).await?;
    says(test, &own, counts, (1, 0, accepted())).await?;
    operator.acted(&[]).await?;
    let edit = test.set(&app, "a", "4").await?;
    operator.acted(&[&edit]).await?;
    rolls(2, 1, 1).await?;
    test.rolled_out(&web).await?;
    eventually("all in sync", async || {
        let workloads = operator.index().await?.workloads;
        let synced = workloads
            .values()
            .filter(|view| view.reason.as_deref() == Some("InSync"));
        Ok((synced.count() == 2).then_some(()))
    })
    .await
}
