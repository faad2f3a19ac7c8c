//! What a Pod has: the rules that order changes and Pods, one after the other.
//!
//! Most look with strategy Observe, so that the states stay to be seen. Handover
//! has tests of its own.

use std::collections::BTreeSet;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;

use crate::harness::{
    Edit, Env, Operator, Result, Source, Workload, config_map, deployment, eventually, object,
    policy, until,
};

/// Waits until the operator counts so many Pods, outdated ones and unknown ones.
pub(crate) async fn counts(
    env: &Env,
    operator: &Operator,
    workload: &Workload,
    wanted: (u64, u64, u64),
) -> Result {
    let key = env.key(workload);
    until(
        format!("Pods, outdated, unknown of {key}"),
        wanted,
        async || {
            let index = operator.index().await?;
            let view = index.workloads.get(&key).context("not managed")?;
            Ok((view.pods, view.outdated, view.unknown))
        },
    )
    .await
}

/// Deletes a Pod and waits for the one in its place.
pub(crate) async fn replace_pod(env: &Env, workload: &Workload, name: &str) -> Result {
    let old = env.pod_uids(workload).await?;
    env.delete(&object("v1", "Pod", name)).await?;
    eventually(format!("a Pod in place of {name}"), async || {
        let pods = env.pod_uids(workload).await?;
        let new = pods.difference(&old).count();
        Ok((new > 0 && pods.len() == old.len()).then_some(()))
    })
    .await?;
    env.rolled_out(workload).await
}

pub(crate) fn pod_name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// Waits for the next second of the clock that dates all objects.
pub(crate) async fn next_second() -> Result {
    let now = jiff::Timestamp::now().as_second();
    eventually("the next second", async || {
        Ok((jiff::Timestamp::now().as_second() > now).then_some(()))
    })
    .await
}

/// A ConfigMap, a Deployment that has it in its environment, and an operator.
async fn observed(env: &Env, replicas: u32) -> Result<(Source, Workload, Operator)> {
    let app = config_map("app").data("a", "0").data("b", "0");
    let web = deployment("web").replicas(replicas).uses(app.env("A", "a"));
    env.create_all(&[&policy("look").fast().observe(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    counts(env, &operator, &web, (u64::from(replicas), 0, 0)).await?;
    Ok((app, web, operator))
}

/// What a Pod may have: the value of the last edit that it is not older than, or of
/// a later one if its container started after that: in a later second. Within a
/// second of it either may be.
async fn possible<'a>(
    env: &Env,
    workload: &Workload,
    pod: &Pod,
    edits: &[(Edit, &'a str, i64)],
) -> Result<BTreeSet<&'a str>> {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let container = serde_json::to_value(pod)?["status"]["containerStatuses"][0].clone();
    let started = &container["state"]["running"]["startedAt"];
    let started: jiff::Timestamp = started.as_str().context("not started")?.parse()?;
    let mut values = BTreeSet::from(["0"]);
    for (edit, value, second) in edits {
        let older = env.pods_before(workload, edit).await?.contains(&uid);
        if !older || started.as_second() > second + 1 {
            values = BTreeSet::from([*value]);
        } else if started.as_second() > *second {
            values.insert(value);
        }
    }
    Ok(values)
}

/// Changes and Pods as fast as can be, in one second and another. What each Pod has
/// is then known from the store alone: the value of the last edit that it is not
/// older than.
#[tokio::test]
async fn since_and_start_are_ordered_by_resource_version() -> Result {
    let env = Env::new().await?;
    let (app, web, mut operator) = observed(&env, 8).await?;
    let mut edits = Vec::new();
    for (step, value) in ["1", "2", "1", "0", "2", "0", "1", "0"].iter().enumerate() {
        let pods = env.pods(&web).await?;
        env.delete(&object("v1", "Pod", pod_name(&pods[step % pods.len()])))
            .await?;
        let second = jiff::Timestamp::now().as_second();
        let edit = env.set(&app, "a", value).await?;
        // Each version is to be read: one that is not equals nothing.
        operator.seen(&[&edit]).await?;
        edits.push((edit, *value, second));
    }
    env.rolled_out(&web).await?;

    let now = edits.last().map_or("0", |(_, value, _)| value);
    let mut stale = 0;
    let mut may_have = Vec::new();
    for pod in env.pods(&web).await? {
        may_have.push((pod_name(&pod).to_owned(), possible(&env, &web, &pod, &edits).await?));
    }
    until("which Pods are Fresh", Vec::<String>::new(), async || {
        let projection = env.projection(&web).await?.context("no Projection")?;
        let pods = projection.status.context("no status")?.pods;
        let shown: BTreeSet<&str> = pods.not_fresh.iter().map(|pod| pod.name.as_str()).collect();
        stale = shown.len() as u64;
        let wrong = may_have.iter().filter(|(name, values)| match shown.contains(&**name) {
            true => values.iter().all(|value| *value == now),
            false => !values.contains(now),
        });
        Ok(wrong.map(|(name, values)| format!("{name} has {values:?}, {shown:?}")).collect())
    })
    .await?;

    // The same after a restart, whatever the seconds say.
    operator.restart().await?;
    counts(&env, &operator, &web, (8, stale, 0)).await?;
    env.assert_only(&[]).await
}
