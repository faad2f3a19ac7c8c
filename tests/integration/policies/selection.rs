//! Which policy is in force, and what policies say of that.

use projsync::api::policy::PolicyStatus;
use projsync::api::projection::PolicyKind;
use serde_json::json;
use testkit::{
    Object as _, Policy, Result, Space, Workload, cluster_policy, config_map, daemon_set,
    deployment, eventually, object, policy, stateful_set, until,
};

use super::{reason, says};
use crate::env::{Env, Told as _};

/// What is in force for a workload.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Force {
    Sync(&'static str),
    /// By the name without the namespace in front.
    Cluster(&'static str),
    Defaults,
    /// Not managed, and the reason of the Event that says why, if one does.
    None(Option<&'static str>),
}

/// Cluster policies bear the namespace, as tests share the control plane.
fn cluster(space: &Space, name: &str) -> Policy {
    cluster_policy(&format!("{}-{name}", space.namespace), &[&space.namespace]).fast()
}

async fn assert_in_force(env: &Env, workload: &Workload, force: Force) -> Result {
    let (kind, name) = match force {
        Force::Sync(name) => (Some(PolicyKind::SyncPolicy), Some(name.to_owned())),
        Force::Cluster(name) => {
            let name = format!("{}-{name}", env.namespace);
            (Some(PolicyKind::ClusterSyncPolicy), Some(name))
        }
        Force::Defaults => (None, None),
        Force::None(reason) => {
            assert_eq!(env.projection(workload).await?, None, "{workload:?}");
            let wanted = reason.map(str::to_owned).into_iter().collect();
            let what = format!("the Events of {}", workload.name());
            return until(what, wanted, async || {
                let events = env.events(workload).await?;
                Ok(events
                    .into_iter()
                    .map(|(reason, _)| reason)
                    .collect::<Vec<_>>())
            })
            .await;
        }
    };
    env.reported(workload, Some((kind, name)), |status| {
        let policy = status.policy.clone()?;
        Some((policy.kind, policy.name))
    })
    .await
}

#[tokio::test]
async fn the_policy_in_force_is_the_one_that_comes_first() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let fast = |name: &str, tier: &str| policy(name).fast().label("tier", tier);
    let of_cluster = |name: &str, tier: &str| cluster(&env, name).label("tier", tier);
    let policies = [
        fast("first", "front"),
        fast("second", "front"),
        fast("a-low", "high").priority(1),
        fast("z-high", "high").priority(10),
        policy("sets").fast().with(
            "workloads",
            json!({"kinds": ["StatefulSet"], "selector": {"matchLabels": {"tier": "kinds"}}}),
        ),
        fast("apart", "none"),
        fast("bad", "-no-label-"),
    ];
    let clusters = [
        of_cluster("front", "front").priority(100),
        of_cluster("back", "back"),
        of_cluster("apart", "none"),
    ];
    let apart = format!("{}-apart", env.namespace);
    let back = |name: &str| deployment(name).label("tier", "back");
    let front = |name: &str| deployment(name).label("tier", "front");
    let cases = [
        (deployment("plain"), Force::None(None)),
        (deployment("asks").sync("true"), Force::Defaults),
        (deployment("names").sync("apart"), Force::Sync("apart")),
        (
            deployment("names-cluster").sync(&apart),
            Force::Cluster("apart"),
        ),
        (
            deployment("names-none").sync("such"),
            Force::None(Some("PolicyNotFound")),
        ),
        (
            deployment("names-bad").sync("bad"),
            Force::None(Some("PolicyInvalid")),
        ),
        (front("selected"), Force::Sync("first")),
        (front("selected-asks").sync("true"), Force::Sync("first")),
        (
            front("selected-names").sync("second"),
            Force::Sync("second"),
        ),
        (front("selected-not").sync("false"), Force::None(None)),
        (back("cluster"), Force::Cluster("back")),
        (back("cluster-not").sync("false"), Force::None(None)),
        (
            deployment("priority").label("tier", "high"),
            Force::Sync("z-high"),
        ),
        (
            stateful_set("kind").label("tier", "kinds"),
            Force::Sync("sets"),
        ),
        (
            daemon_set("no-kind").label("tier", "kinds"),
            Force::None(None),
        ),
    ]
    .map(|(workload, force)| (workload.uses(app.volume()), force));

    env.create(&app).await?;
    for one in policies.iter().chain(&clusters) {
        env.create(one).await?;
    }
    for (workload, _) in &cases {
        env.create(workload).await?;
    }
    for (workload, _) in &cases {
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    let managed = |force: &Force| !matches!(force, Force::None(_));
    let count = cases.iter().filter(|(_, force)| managed(force)).count();
    operator.all_in_sync(count).await?;
    for (workload, force) in &cases {
        assert_in_force(&env, workload, *force).await?;
    }
    env.assert_only(&[]).await?;

    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&edit]).await?;
    operator.all_in_sync(count).await?;
    let rolls: Vec<_> = cases
        .iter()
        .map(|(workload, force)| (workload, usize::from(managed(force))))
        .collect();
    env.assert_only(&rolls).await?;

    // What each says of itself: workloads in force and overridden, and whether it is accepted.
    let expected = [
        (2, 1, "Accepted"),
        (1, 2, "Accepted"),
        (0, 1, "Accepted"),
        (1, 0, "Accepted"),
        (1, 0, "Accepted"),
        (1, 0, "Accepted"),
        (0, 0, "InvalidSelector"),
    ];
    for (one, expected) in policies.iter().zip(expected) {
        says(
            &env,
            one,
            |status| (status.workloads, status.overridden, reason(status)),
            (expected.0, expected.1, expected.2.to_owned()),
        )
        .await?;
    }
    // This operator sees a part of the cluster: it leaves their status to others.
    for one in &clusters {
        assert_eq!(env.get(one).await?["status"], json!(null));
    }
    Ok(())
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
