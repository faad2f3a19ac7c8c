//! Many edits at once: few rolls, and the last content wins.

use std::time::Duration;

use testkit::{
    Edit, Operator, Result, Source, Workload, config_map, daemon_set, deployment, policy,
    projected, secret, stateful_set,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::env::Env;

/// An operator, and a workload of each kind that projects `app` and `db`.
async fn workloads(env: &Env) -> Result<(Operator, [Workload; 3], Source, Source)> {
    let app = config_map("app").data("a", "0");
    let db = secret("db").data("password", "0");
    let workloads = [
        deployment("web").replicas(2).uses(projected(&[&app, &db])),
        stateful_set("store")
            .replicas(2)
            .uses(app.env("A", "a"))
            .uses(db.env_from("")),
        daemon_set("agent")
            .uses(app.volume())
            .uses(db.volume().sub_path("password")),
    ];
    env.create_all(&[&app, &db]).await?;
    for workload in &workloads {
        env.create(workload).await?;
    }
    for workload in &workloads {
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;
    Ok((operator, workloads, app, db))
}

/// Waits until everything is done; then all Pods must have started after the edit.
async fn assert_fresh(env: &Env, operator: &Operator, workload: &Workload, last: &Edit) -> Result {
    operator.caught_up(&[last]).await?;
    env.rolled_out(workload).await?;
    operator.decided(workload, "InSync").await?;
    env.assert_started_after(workload, last).await
}

#[tokio::test]
async fn fifty_edits_in_five_seconds_make_at_most_two_rolls_and_the_last_content_wins() -> Result {
    let env = Env::new().await?;
    env.create(&policy("calm").settle("2s").min_interval("4s"))
        .await?;
    let (operator, workloads, app, _) = workloads(&env).await?;

    let mut tick = interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut last = None;
    for number in 1..=50 {
        tick.tick().await;
        last = Some(env.set(&app, "a", &number.to_string()).await?);
    }
    let last = last.unwrap();
    let mut rolls = Vec::new();
    for workload in &workloads {
        assert_fresh(&env, &operator, workload, &last).await?;
        let count = env.roll_count(workload)?;
        assert!((1..=2).contains(&count), "{count} rolls");
        rolls.push((workload, count));
    }
    env.assert_only(&rolls).await
}

#[tokio::test]
async fn a_workload_then_its_config_map_make_at_most_two_rollouts_and_none_is_stale() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let (operator, workloads, app, _) = workloads(&env).await?;

    for number in 1..=3 {
        let mut before = Vec::new();
        for workload in &workloads {
            before.push(env.templates(workload).await?);
            let image = format!("app:new-{number}");
            env.apply(&workload.clone().image(&image)).await?;
        }
        let edit = env.set(&app, "a", &number.to_string()).await?;
        for (workload, before) in workloads.iter().zip(before) {
            assert_fresh(&env, &operator, workload, &edit).await?;
            let rollouts = env.templates(workload).await? - before;
            assert!((1..=2).contains(&rollouts), "{rollouts} rollouts");
        }
        env.assert_nothing_else()?;
    }
    Ok(())
}
