//! A content, another one, and the first again: it counts what each Pod started with.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::json;
use testkit::{
    Edit, Operator, Result, Source, Workload, WorkloadKind, config_map, daemon_set, deployment,
    eventually, object, policy, stateful_set, until,
};

use crate::env::Env;

/// A ConfigMap with content 1, and a workload of each kind that projects it, each
/// in another way.
fn workloads() -> (Source, [Workload; 3]) {
    let app = config_map("app").data("a", "1");
    let workloads = [
        deployment("web").replicas(3).uses(app.projected()),
        stateful_set("store").replicas(3).uses(app.env("A", "a")),
        daemon_set("agent").uses(app.volume().sub_path("a")),
    ];
    (app, workloads)
}

/// Creates them, and an operator that finds them in sync.
async fn started(env: &Env, app: &Source, workloads: &[Workload]) -> Result<Operator> {
    env.create(app).await?;
    for workload in workloads {
        env.create(workload).await?;
    }
    for workload in workloads {
        env.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(workloads.len()).await?;
    Ok(operator)
}

/// Waits until all is done; then each workload was rolled so often and no more,
/// and has Pods of `last` or later contents only.
async fn assert_rolled(
    env: &Env,
    operator: &Operator,
    workloads: &[Workload],
    count: usize,
    last: &Edit,
) -> Result {
    for workload in workloads {
        env.rolls(workload, count).await?;
        env.rolled_out(workload).await?;
    }
    operator.caught_up(&[last]).await?;
    operator.all_in_sync(workloads.len()).await?;
    for workload in workloads {
        env.assert_started_after(workload, last).await?;
    }
    let rolls: Vec<_> = workloads.iter().map(|workload| (workload, count)).collect();
    env.assert_only(&rolls).await
}

#[tokio::test]
async fn with_a_pod_born_between_rolls_once() -> Result {
    let env = Env::new().await?;
    env.create(&policy("calm").settle("5s").min_interval("0s"))
        .await?;
    let (app, workloads) = workloads();
    let operator = started(&env, &app, &workloads).await?;

    let away = env.set(&app, "a", "2").await?;
    operator.seen(&[&away]).await?;
    for workload in &workloads {
        operator.decided(workload, "Settling").await?;
        let old = env.pod_uids(workload).await?;
        let pods = env.pods(workload).await?;
        let victim = pods[0].metadata.name.as_deref().unwrap_or_default();
        env.delete(&object("v1", "Pod", victim)).await?;
        eventually("a Pod in its place", async || {
            let pods = env.pod_uids(workload).await?;
            let new = pods.difference(&old).count();
            Ok((new == 1 && pods.len() == old.len()).then_some(()))
        })
        .await?;
    }
    env.assert_only(&[]).await?;
    let back = env.set(&app, "a", "1").await?;
    operator.seen(&[&back]).await?;
    let outdated = async || {
        let index = operator.index().await?;
        Ok(workloads
            .iter()
            .map(|workload| index.workloads[&env.key(workload)].outdated)
            .collect())
    };
    until("one outdated Pod each", vec![1, 1, 1], outdated).await?;
    // All Pods are newer than the edit in the end, as all were replaced.
    assert_rolled(&env, &operator, &workloads, 1, &back).await
}

/// A workload whose rolls replace one Pod after the other, each in its time.
pub(crate) fn slow(workload: Workload) -> Workload {
    let (field, how) = match workload.kind() {
        WorkloadKind::Deployment => ("strategy", json!({"maxUnavailable": 1, "maxSurge": 0})),
        WorkloadKind::StatefulSet => ("updateStrategy", json!({"partition": 0})),
        WorkloadKind::DaemonSet => ("updateStrategy", json!({"maxUnavailable": 1})),
    };
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": how});
    workload.ready_after("4s").with(field, strategy)
}

/// Waits until some Pods have started with our trigger and others are still without;
/// gives their uids.
pub(crate) async fn half_rolled(
    env: &Env,
    workload: &Workload,
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    eventually("a roll in its middle", async || {
        let (new, old) = by_trigger(env, workload).await?;
        Ok((!new.is_empty() && !old.is_empty()).then_some((new, old)))
    })
    .await
}

/// Back while some Pods have started with the other content and some are not yet
/// replaced.
async fn in_the_middle(env: &Env, kind: WorkloadKind) -> Result {
    env.create(&policy("fast").fast()).await?;
    let (app, workloads) = workloads();
    let workload = workloads.into_iter().find(|one| one.kind() == kind);
    let workload = slow(workload.context("no workload of this kind")?);
    let operator = started(env, &app, std::slice::from_ref(&workload)).await?;

    env.set(&app, "a", "2").await?;
    let (new, old) = half_rolled(env, &workload).await?;
    let back = env.set(&app, "a", "1").await?;
    let before = env.pods_before(&workload, &back).await?;
    ensure!(!new.is_disjoint(&before), "the roll had not begun");
    ensure!(!old.is_disjoint(&before), "the roll was over");
    assert_rolled(env, &operator, std::slice::from_ref(&workload), 2, &back).await
}

#[tokio::test]
async fn in_the_middle_of_a_roll_of_a_deployment_rolls_once_more() -> Result {
    let env = Env::new().await?;
    in_the_middle(&env, WorkloadKind::Deployment).await
}

/// The uids of the Pods that started with our trigger, and of those without it.
async fn by_trigger(
    env: &Env,
    workload: &Workload,
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut new, mut old) = (BTreeSet::new(), BTreeSet::new());
    for pod in env.pods(workload).await? {
        let (uid, annotations) = (pod.metadata.uid, pod.metadata.annotations);
        let running = pod.status.and_then(|status| status.phase).as_deref() == Some("Running");
        let trigger = annotations
            .unwrap_or_default()
            .contains_key(projsync::api::names::REVISION_ANNOTATION);
        match (trigger, running) {
            (true, true) => new.extend(uid),
            (true, false) => {}
            (false, _) => old.extend(uid),
        }
    }
    Ok((new, old))
}
