//! Rules 1 to 4: which came first.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use testkit::{Edit, Result, Workload, config_map, deployment, eventually, object, policy, until};

use super::{all_started, next_second, observed, pod_name};
use crate::env::{Env, Told as _};

/// An edit and its value, with a second in which it was not made yet, and one in
/// which it had been read.
type Step = (Edit, &'static str, i64, i64);

/// What a Pod may have: the value of the last edit that it is not older than, or of
/// a later one if its container started after that: so many seconds later for sure,
/// else, from the second of the edit on, either may be.
async fn possible(
    env: &Env,
    workload: &Workload,
    pod: &Pod,
    steps: &[Step],
    margin: i64,
) -> Result<BTreeSet<&'static str>> {
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    let container = serde_json::to_value(pod)?["status"]["containerStatuses"][0].clone();
    let started = &container["state"]["running"]["startedAt"];
    let started: jiff::Timestamp = started.as_str().context("not started")?.parse()?;
    let mut values = BTreeSet::from(["0"]);
    for (edit, value, before, after) in steps {
        let older = env.pods_before(workload, edit).await?.contains(&uid);
        if !older || started.as_second() > after + margin {
            values = BTreeSet::from([*value]);
        } else if started.as_second() >= *before {
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
    let mut steps: Vec<Step> = Vec::new();
    // As many contents as are remembered, with the first.
    for (step, value) in ["1", "2", "1", "0", "2", "1", "0"].iter().enumerate() {
        let pods = env.pods(&web).await?;
        env.delete(&object("v1", "Pod", pod_name(&pods[step % pods.len()])))
            .await?;
        let before = jiff::Timestamp::now().as_second();
        let edit = env.set(&app, "a", value).await?;
        // Each version is to be read: one that is not equals nothing.
        operator.seen(&[&edit]).await?;
        steps.push((edit, value, before, jiff::Timestamp::now().as_second()));
    }
    all_started(&env, &web, 8).await?;

    let now = steps.last().map_or("0", |(_, value, ..)| value);
    let (mut may_have, mut listed) = (Vec::new(), Vec::new());
    for pod in env.pods(&web).await? {
        let name = pod_name(&pod).to_owned();
        may_have.push((name, possible(&env, &web, &pod, &steps, 0).await?));
        // A list shows starts of containers too late: see the margin of rule 2.
        listed.push(possible(&env, &web, &pod, &steps, 10).await?);
    }
    until("which Pods are Fresh", Vec::<String>::new(), async || {
        let projection = env.projection(&web).await?.context("no Projection")?;
        let pods = projection.status.context("no status")?.pods;
        let shown: BTreeSet<&str> = pods.not_fresh.iter().map(|pod| pod.name.as_str()).collect();
        let wrong = may_have
            .iter()
            .filter(|(name, values)| match shown.contains(&**name) {
                true => values.iter().all(|value| *value == now),
                false => !values.contains(now),
            });
        Ok(wrong
            .map(|(name, values)| format!("{name} has {values:?}, {shown:?}"))
            .collect())
    })
    .await?;

    // The same after a restart, whatever the seconds say.
    operator.restart().await?;
    let stale = listed.iter().filter(|values| !values.contains(now)).count();
    let fresh = listed
        .iter()
        .filter(|values| **values == BTreeSet::from([now]));
    let range = stale as u64..=(listed.len() - fresh.count()) as u64;
    eventually(format!("{range:?} outdated Pods"), async || {
        let index = operator.index().await?;
        let view = index.workloads.get(&env.key(&web)).context("not managed")?;
        let planned = view.reason.is_some() && view.pods == listed.len() as u64;
        ensure!(planned && range.contains(&view.outdated), "{view:?}");
        ensure!(view.unknown == 0, "{view:?}");
        Ok(Some(()))
    })
    .await?;
    env.assert_only(&[]).await
}

/// Rule 3: where versions can't be compared times are, and within the same second
/// the Pod counts as older, but not one that carries the trigger (rule 4).
#[tokio::test]
async fn times_are_compared_where_versions_can_not_be() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    next_second().await?;
    let operator = env
        .operator(&["--resource-versions-comparable=false"])
        .await?;
    operator.all_in_sync(1).await?;
    for count in 1..=3 {
        // The edit and the Pods of its roll fall into the same second.
        next_second().await?;
        let edit = env.set(&app, "a", &count.to_string()).await?;
        env.rolls(&web, count).await?;
        env.rolled_out(&web).await?;
        operator.caught_up(&[&edit]).await?;
        operator.decided(&web, "InSync").await?;
        env.assert_started_after(&web, &edit).await?;
        env.assert_only(&[(&web, count)]).await?;
    }
    Ok(())
}

/// Rules 4 and 9: the operator is killed as soon as a roll is on record. Its Pods start
/// unseen, in the second of the content, and carry the trigger.
#[tokio::test]
async fn a_pod_that_carries_the_trigger_started_after_it() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").settle("0s").min_interval("0s"))
        .await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;
    let mut same_second = 0;
    for count in 1..=4 {
        next_second().await?;
        let edit = env.set(&app, "a", &count.to_string()).await?;
        let second = jiff::Timestamp::now().as_second();
        eventually("the roll is on record", async || {
            let projection = env.projection(&web).await?.context("no Projection")?;
            let rolls = projection.status.context("no status")?.rolls;
            Ok((rolls.len() == count).then_some(()))
        })
        .await?;
        operator.kill()?;
        env.rolled_out(&web).await?;
        for pod in env.pods(&web).await? {
            let created = pod.metadata.creation_timestamp.context("no time")?.0;
            same_second += usize::from(created.as_second() == second);
        }
        operator.start().await?;
        operator.caught_up(&[&edit]).await?;
        operator.decided(&web, "InSync").await?;
        env.assert_only(&[(&web, count)]).await?;
    }
    println!("{same_second} Pods in the second of their content");
    Ok(())
}
