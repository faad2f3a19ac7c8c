//! Changes while the operator is down.

use testkit::{
    Result, Source, Workload, config_map, daemon_set, deployment, policy, secret, stateful_set,
};

use super::assert_found;
use crate::env::Env;
use crate::pods::{next_second, pod_name, replace_pod};

/// What is done to a source while the operator is down, or to the workload after it.
#[derive(Clone, Copy)]
enum Change {
    Set(&'static str),
    Unset(&'static str),
    Delete,
    Create,
    /// Deleted and made again as it was.
    Recreate,
    /// Set and set back.
    Return,
    /// Set, and then its owner has all its Pods replaced.
    Renew,
    /// Set, and then one of its Pods is replaced.
    ReplacePod,
}

async fn make(env: &Env, change: Change, source: &Source, workload: &Workload) -> Result {
    match change {
        Change::Set(key) => env.set(source, key, "2").await?,
        Change::Unset(key) => env.unset(source, key).await?,
        Change::Delete => env.delete(source).await?,
        Change::Create => env.create(source).await?,
        Change::Recreate => {
            env.delete(source).await?;
            env.create(source).await?
        }
        Change::Return => {
            env.set(source, "a", "2").await?;
            env.set(source, "a", "1").await?
        }
        Change::Renew => {
            env.set(source, "a", "2").await?;
            next_second().await?;
            env.apply(&workload.clone().image("app:2")).await?
        }
        Change::ReplacePod => {
            let edit = env.set(source, "a", "2").await?;
            next_second().await?;
            replace_pod(env, workload, pod_name(&env.pods(workload).await?[0])).await?;
            edit
        }
    };
    Ok(())
}

#[tokio::test]
async fn are_found_at_start_and_roll_once() -> Result {
    use Change as C;
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let map = |name: &str| config_map(name).data("a", "1").data("b", "1");
    let hidden = secret("hidden").data("a", "1").data("b", "1");
    let all = |workload: Workload, app: &Source| workload.uses(app.volume().optional());
    let cases = [
        (daemon_set("value"), hidden, C::Set("a"), 1),
        (stateful_set("removed"), map("removed"), C::Unset("b"), 1),
        (deployment("gone"), map("gone"), C::Delete, 1),
        (deployment("new"), map("new"), C::Create, 1),
        (
            deployment("mixed").replicas(2),
            map("mixed"),
            C::ReplacePod,
            1,
        ),
        (deployment("same"), map("same"), C::Recreate, 0),
        (
            deployment("renewed").replicas(2),
            map("renewed"),
            C::Renew,
            0,
        ),
        (deployment("returned"), map("returned"), C::Return, 0),
    ]
    .map(|(workload, source, change, rolls)| (all(workload, &source), source, change, rolls));
    for (workload, source, change, _) in &cases {
        if !matches!(change, Change::Create) {
            env.create(source).await?;
        }
        env.create(workload).await?;
    }
    for (workload, ..) in &cases {
        env.rolled_out(workload).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(cases.len()).await?;
    operator.caught_up(&[]).await?;
    operator.stop().await?;

    next_second().await?;
    for (workload, source, change, _) in &cases {
        make(&env, *change, source, workload).await?;
    }
    for (workload, ..) in &cases {
        env.rolled_out(workload).await?;
    }
    operator.start().await?;
    let rolls: Vec<_> = cases
        .iter()
        .map(|(workload, .., rolls)| (workload, *rolls))
        .collect();
    assert_found(&env, &operator, &rolls).await?;

    // Found is found: the next start finds nothing.
    operator.restart().await?;
    assert_found(&env, &operator, &rolls).await
}
