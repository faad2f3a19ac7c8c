//! Which workloads are managed, and how; what policies say of themselves.

use crate::harness::{
    Env, Object as _, Operator, Policy, Result, Source, Space, Workload, cluster_policy,
    config_map, daemon_set, deployment, eventually, object, policy, stateful_set, until,
};
use projsync::api::policy::PolicyStatus;
use projsync::api::projection::{PolicyKind, State};
use serde_json::json;

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
    operator.caught_up(&[&edit]).await?;
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

/// Of the one condition of a policy, which is of the same generation.
fn reason(status: &PolicyStatus) -> String {
    let [condition] = &status.conditions[..] else {
        return format!("{:?}", status.conditions);
    };
    let accepted = condition.status == "True";
    let consistent = condition.type_ == "Accepted"
        && accepted == (condition.reason == "Accepted")
        && condition.observed_generation == status.observed_generation;
    match consistent {
        true => condition.reason.clone(),
        false => format!("{condition:?}"),
    }
}

/// Waits until the status of a policy says this of its newest version.
async fn says<T: std::fmt::Debug + PartialEq>(
    env: &Space,
    policy: &Policy,
    look: impl Fn(&PolicyStatus) -> T,
    want: T,
) -> Result {
    let what = format!("the status of {}", policy.name());
    until(what, want, async || {
        Ok(look(&env.policy_status(policy).await?))
    })
    .await
}

/// Changes a policy, and waits until that has been taken in.
async fn change(
    env: &Env,
    operator: &Operator,
    policy: &Policy,
    spec: serde_json::Value,
) -> Result {
    env.merge(policy, json!({"spec": spec})).await?;
    env.policy_status(policy).await?;
    operator.caught_up(&[]).await
}

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
        operator.caught_up(&[&edit]).await?;
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
    operator.caught_up(&[&edit]).await?;
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
    operator.caught_up(&[&edit]).await?;
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
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    says(&env, &policy, |s| s.workloads, 1).await?;
    env.assert_only(&[]).await?;
    let edit = env.set(&app, "a", "3").await?;
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;

    // Out: its Projection stays for a while.
    let edit = sync(Some("false")).await?;
    operator.caught_up(&[&edit]).await?;
    says(&env, &policy, |s| s.workloads, 0).await?;
    env.set(&app, "a", "4").await?;
    operator.caught_up(&[]).await?;
    env.assert_only(&[(&web, 1)]).await?;
    assert!(env.projection(&web).await?.is_some());

    // In again: what went by is known from that.
    sync(Some("true")).await?;
    env.rolls(&web, 2).await?;
    operator.decided(&web, "InSync").await?;
    operator.caught_up(&[]).await?;
    says(&env, &policy, |s| s.workloads, 1).await?;
    // A workload that is deleted counts no more.
    env.delete(&web).await?;
    says(&env, &policy, |s| s.workloads, 0).await?;
    env.assert_only(&[(&web, 2)]).await
}

#[tokio::test]
async fn a_bad_policy_is_refused_or_reported_while_others_go_on() -> Result {
    let env = Env::new().await?;
    let bad = policy("bad").fast();
    let selector = |expression| json!({"selector": {"matchExpressions": [expression]}});
    for (field, value, told) in [
        (
            "workloads",
            selector(json!({"key": "a", "operator": "Like", "values": ["b"]})),
            "operator",
        ),
        (
            "workloads",
            selector(json!({"key": "a", "operator": "In"})),
            "In and NotIn need values",
        ),
        ("workloads", json!({"kinds": ["Job"]}), "kinds"),
        ("settle", json!("11m"), "settle must be between"),
        ("minInterval", json!("soon"), "minInterval"),
        ("strategy", json!("Restart"), "strategy"),
        (
            "sources",
            json!({"include": [{}]}),
            "kind or name must be given",
        ),
    ] {
        let refused = env
            .create(&bad.clone().with(field, value))
            .await
            .unwrap_err();
        let refused = format!("{refused:#}");
        assert!(refused.contains(told), "{refused}");
    }
    let name = env.create(&policy("true")).await.unwrap_err();
    assert!(
        format!("{name:#}").contains("can't be named true"),
        "{name:#}"
    );

    // What the schema can't tell is reported.
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.volume());
    let good = policy("good").fast();
    let pattern = json!({"exclude": [{"name": "[a"}]});
    let reported = [
        (
            policy("a").label("a/b/c", "d"),
            "InvalidSelector",
            "spec.workloads.selector",
        ),
        (
            policy("b").with("sources", pattern),
            "InvalidPattern",
            "spec.sources.exclude[0].name",
        ),
    ];
    env.create_all(&[&app, &web, &good]).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    for (policy, what, field) in &reported {
        env.create(policy).await?;
        let status = env.policy_status(policy).await?;
        assert_eq!((reason(&status), status.workloads), ((*what).to_owned(), 0));
        let message = &status.conditions[0].message;
        assert!(message.starts_with(field), "{message}");
    }
    // One that was good selects nothing any more, and is corrected in the end.
    change(&env, &operator, &reported[0].0, json!({"workloads": {"selector": {"matchLabels": {"a/b/c": null}}}, "suspend": true, "priority": 1})).await?;
    says(
        &env,
        &reported[0].0,
        |s| (reason(s), s.workloads),
        ("Accepted".to_owned(), 1),
    )
    .await?;
    let edit = env.set(&app, "a", "2").await?;
    operator.caught_up(&[&edit]).await?;
    operator.decided(&web, "Suspended").await?;
    env.assert_only(&[]).await?;
    change(
        &env,
        &operator,
        &reported[0].0,
        json!({"workloads": {"selector": {"matchLabels": {"a/b/c": "d"}}}}),
    )
    .await?;
    env.rolls(&web, 1).await?;
    operator.decided(&web, "InSync").await?;
    says(
        &env,
        &good,
        |s| (reason(s), s.workloads, s.stale_pods),
        ("Accepted".to_owned(), 1, 0),
    )
    .await?;
    operator.caught_up(&[]).await?;
    env.assert_only(&[(&web, 1)]).await
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
        operator.caught_up(&[]).await?;
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
    operator.caught_up(&[]).await?;
    let edit = test.set(&app, "a", "4").await?;
    operator.caught_up(&[&edit]).await?;
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
