//! What a Pod has: the rules that order changes and Pods, one after the other.
//!
//! Most look with strategy Observe, so that the states stay to be seen. Handover
//! has tests of its own.

mod containers;
mod followed;
mod order;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use projsync::api::conditions::STATE_KNOWN;
use projsync::api::projection::State;
use testkit::{Operator, Policy, Result, Workload, eventually, object, policy, until};

use crate::env::{Env, Told as _};

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

/// Deletes a Pod and waits until the one in its place has started.
pub(crate) async fn replace_pod(env: &Env, workload: &Workload, name: &str) -> Result {
    let old = env.pod_uids(workload).await?;
    env.delete(&object("v1", "Pod", name)).await?;
    eventually(format!("a Pod in place of {name}"), async || {
        let pods = env.pod_uids(workload).await?;
        let new = pods.difference(&old).count();
        Ok((new > 0 && pods.len() == old.len()).then_some(()))
    })
    .await?;
    all_started(env, workload, old.len()).await?;
    env.rolled_out(workload).await
}

/// Waits until there are so many Pods and all have started. A workload's status may not have
/// told yet of the last that was deleted.
pub(crate) async fn all_started(env: &Env, workload: &Workload, count: usize) -> Result {
    let started = |pod: &Pod| {
        let running = pod.status.as_ref().and_then(|status| {
            let container = status.container_statuses.as_ref()?.first()?;
            container.state.as_ref()?.running.as_ref()
        });
        running.is_some()
    };
    eventually("every Pod has started", async || {
        let pods = env.pods(workload).await?;
        Ok((pods.len() == count && pods.iter().all(started)).then_some(()))
    })
    .await
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

fn observed_policy() -> Policy {
    policy("look").fast().observe()
}

/// Waits until the Projection tells of so many Pods of which it can't be told.
pub(crate) async fn assert_unknown(env: &Env, workload: &Workload, count: u32) -> Result {
    let status = eventually("the Projection tells of them", async || {
        let projection = env.projection(workload).await?.context("no Projection")?;
        let status = projection.status.context("no status")?;
        ensure!(status.pods.unknown == count, "{:?}", status.pods);
        Ok(Some(status))
    })
    .await?;
    let condition = status
        .conditions
        .iter()
        .find(|one| one.type_ == STATE_KNOWN);
    let condition = condition.context("no condition")?;
    ensure!(status.pods.not_fresh.len() == count as usize);
    ensure!(status.summary.state == Some(State::Unknown));
    ensure!(condition.status == "False" && condition.reason == "StateUnknown");
    Ok(())
}
