//! Nothing is rolled where nothing that is projected changed.

use controlplane::{Action, Component};
use serde_json::json;
use testkit::{
    Object, Operator, Result, Source, Workload, WorkloadKind, config_map, daemon_set, deployment,
    policy, projected, secret, stateful_set,
};

use crate::env::Env;

/// A workload of each kind; each uses `app` and `db` in other ways.
fn workloads(app: &Source, db: &Source) -> [Workload; 3] {
    [
        deployment("web")
            .uses(projected(&[app, db]))
            .uses(app.env("A", "a")),
        stateful_set("store")
            .uses(app.volume().sub_path("a"))
            .uses(db.env_from("DB_")),
        daemon_set("agent")
            .uses(app.env_from(""))
            .uses(db.volume().in_init()),
    ]
}

fn sources() -> (Source, Source) {
    (
        config_map("app").data("a", "1").data("b", "1"),
        secret("db").data("password", "1"),
    )
}

/// Sources and workloads under a policy, rolled out, before there is an operator.
async fn shop(env: &Env, settle: &str) -> Result<([Workload; 3], Source, Source)> {
    let (app, db) = sources();
    env.create(&policy("all").settle(settle).min_interval("0s"))
        .await?;
    env.create_all(&[&app, &db]).await?;
    let workloads = workloads(&app, &db);
    for workload in &workloads {
        env.create(workload).await?;
    }
    for workload in &workloads {
        env.rolled_out(workload).await?;
    }
    Ok((workloads, app, db))
}

/// Waits until all is done and in sync, and asserts that so many rolls were made in all.
async fn assert_rolls(
    env: &Env,
    operator: &Operator,
    workloads: &[Workload],
    rolls: usize,
) -> Result {
    for workload in workloads {
        env.rolled_out(workload).await?;
    }
    operator.caught_up(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;
    let rolls: Vec<_> = workloads.iter().map(|workload| (workload, rolls)).collect();
    env.assert_only(&rolls).await
}

#[tokio::test]
async fn at_first_sight_and_after_restarts() -> Result {
    let env = Env::new().await?;
    let (workloads, app, db) = shop(&env, "100ms").await?;
    // Nobody can tell what these Pods have: Unknown, and no reason to roll.
    env.set(&app, "a", "2").await?;
    env.set(&db, "password", "2").await?;

    let mut operator = env.operator(&[]).await?;
    assert_rolls(&env, &operator, &workloads, 0).await?;
    operator.restart().await?;
    assert_rolls(&env, &operator, &workloads, 0).await?;
    operator.kill()?;
    operator.start().await?;
    assert_rolls(&env, &operator, &workloads, 0).await?;

    // It is not asleep.
    let edits = [
        env.set(&app, "a", "3").await?,
        env.set(&db, "password", "3").await?,
    ];
    operator.caught_up(&[&edits[0], &edits[1]]).await?;
    for workload in &workloads {
        let count = env.roll_count(workload)?;
        assert!((1..=2).contains(&count), "{count}");
        env.rolled_out(workload).await?;
    }
    operator.all_in_sync(workloads.len()).await?;

    // What was rolled needs no roll after a restart, with the seconds still close.
    let counts = env.roll_counts()?;
    operator.restart().await?;
    operator.all_in_sync(workloads.len()).await?;
    operator.caught_up(&[]).await?;
    assert_eq!(env.roll_counts()?, counts);
    env.assert_nothing_else()
}

#[tokio::test]
async fn after_the_api_server_was_away() -> Result {
    let env = Env::own().await?;
    let (workloads, app, _) = shop(&env, "100ms").await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;

    // Its watch cache begins anew, so that watches are answered 410 and relist.
    env.cluster
        .tell(Action::Kill, Component::KubeApiserver)
        .await?;
    env.cluster
        .tell(Action::Start, Component::KubeApiserver)
        .await?;
    let edit = env.set(&app, "b", "2").await?;
    operator.caught_up(&[&edit]).await?;
    // `b` is seen by the volume of the one and the envFrom of the other.
    let [web, store, agent] = &workloads;
    env.assert_only(&[(web, 1), (store, 0), (agent, 1)]).await?;
    operator.all_in_sync(workloads.len()).await
}

#[tokio::test]
async fn when_owners_change_their_workloads() -> Result {
    let env = Env::new().await?;
    let (workloads, app, _) = shop(&env, "100ms").await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;
    let name = |workload: &Workload| {
        format!(
            "{}/{}",
            workload.kind_name().to_lowercase(),
            workload.name()
        )
    };

    for workload in &workloads {
        let edit = env.apply(&workload.clone().image("app:2")).await?;
        operator.seen(&[&edit]).await?;
    }
    assert_rolls(&env, &operator, &workloads, 0).await?;
    for workload in &workloads {
        env.kubectl(&["rollout", "restart", &name(workload)])
            .await?;
    }
    assert_rolls(&env, &operator, &workloads, 0).await?;

    // A change, so that there is something of ours to undo.
    let edit = env.set(&app, "a", "2").await?;
    operator.caught_up(&[&edit]).await?;
    assert_rolls(&env, &operator, &workloads, 1).await?;
    for workload in &workloads {
        let revision = env.revision(workload).await?;
        assert!(revision.is_some());
        env.kubectl(&["rollout", "undo", &name(workload)]).await?;
        assert_eq!(env.revision(workload).await?, None);
    }
    assert_rolls(&env, &operator, &workloads, 1).await?;
    // And forward again, to a revision that is not the one in force.
    for workload in &workloads {
        env.kubectl(&["rollout", "undo", &name(workload)]).await?;
        assert!(env.revision(workload).await?.is_some());
    }
    assert_rolls(&env, &operator, &workloads, 1).await
}

#[tokio::test]
async fn when_workloads_are_scaled() -> Result {
    let env = Env::new().await?;
    let (workloads, app, _) = shop(&env, "100ms").await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;
    let scaled: Vec<Workload> = workloads
        .iter()
        .filter(|workload| workload.kind() != WorkloadKind::DaemonSet)
        .cloned()
        .collect();

    for replicas in [3, 1, 0] {
        for workload in &scaled {
            let edit = env.scale(workload, replicas).await?;
            operator.seen(&[&edit]).await?;
        }
        assert_rolls(&env, &operator, &workloads, 0).await?;
    }
    // Without a Pod nothing is outdated; the Pods that come have the new content.
    let edit = env.set(&app, "a", "2").await?;
    operator.caught_up(&[&edit]).await?;
    for workload in &scaled {
        env.scale(workload, 2).await?;
        env.rolled_out(workload).await?;
        assert_eq!(env.pods(workload).await?.len(), 2);
    }
    operator.caught_up(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;
    env.assert_only(&[(&workloads[2], 1)]).await
}

#[tokio::test]
async fn when_only_metadata_changes() -> Result {
    let env = Env::new().await?;
    let (workloads, app, db) = shop(&env, "100ms").await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;

    let mut edits = Vec::new();
    for source in [&app, &db] {
        edits.push(
            env.annotate(source, "example.com/note", Some("new"))
                .await?,
        );
        edits.push(
            env.merge(source, json!({"metadata": {"labels": {"tier": "back"}}}))
                .await?,
        );
        // The same content, written again by others.
        edits.push(env.apply(source).await?);
        edits.push(env.replace(source).await?);
        edits.push(env.merge(source, json!({"immutable": true})).await?);
    }
    for workload in &workloads {
        edits.push(
            env.annotate(workload, "example.com/note", Some("new"))
                .await?,
        );
        for pod in env.pods(workload).await? {
            let pod =
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod.metadata.name}});
            env.merge(&pod, json!({"metadata": {"labels": {"note": "new"}}}))
                .await?;
        }
    }
    operator
        .caught_up(&edits.iter().collect::<Vec<_>>())
        .await?;
    assert_rolls(&env, &operator, &workloads, 0).await
}
