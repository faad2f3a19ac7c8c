//! Etcd is restored from a backup: the cluster goes back to an earlier state, and gives its
//! versions anew.

use std::path::Path;

use anyhow::ensure;
use controlplane::{Action, Component};
use testkit::{Result, config_map, eventually, until};

use super::{Lane, ensure_ready};
use crate::env::{Env, Told as _};

/// Writes after the backup: more than the API server makes at its start.
const WRITES: usize = 400;

/// Stops all of the control plane.
async fn stop(env: &Env) -> Result {
    for component in Component::ALL.into_iter().rev() {
        env.cluster.tell(Action::Stop, component).await?;
    }
    Ok(())
}

async fn start(env: &Env) -> Result {
    for component in Component::ALL {
        env.cluster.tell(Action::Start, component).await?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, to) = (entry?, to.to_owned());
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &to)?,
            false => drop(std::fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_is_restored_from_a_backup_is_seen_anew() -> Result {
    let env = Env::own().await?;
    let lane = Lane::create(&env, &["web"]).await?.remove(0);
    let noise = config_map("noise").data("a", "0");
    env.create(&noise).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;
    operator.caught_up(&[]).await?;

    // A copy of the data of an etcd that is stopped is a backup of it.
    let data = env.cluster.plane().data();
    let (etcd, backup) = (data.join("etcd"), data.join("backup"));
    stop(&env).await?;
    copy(&etcd, &backup)?;
    start(&env).await?;
    let lost = eventually("an edit", async || {
        env.set(&lane.source, "a", "1").await.map(Some)
    })
    .await?;
    env.rolls(&lane.workload, 1).await?;
    env.rolled_out(&lane.workload).await?;
    operator.caught_up(&[&lost]).await?;
    for round in 0..WRITES {
        env.set(&noise, "a", &round.to_string()).await?;
    }

    stop(&env).await?;
    std::fs::remove_dir_all(&etcd)?;
    copy(&backup, &etcd)?;
    start(&env).await?;
    eventually("it is seen", async || {
        let metrics = operator.metrics().await?;
        let mut lines = metrics.lines();
        ensure!(lines.any(|line| line.starts_with("projsync_server_restores_total{")));
        ensure_ready(&operator, true).await.map(Some)
    })
    .await?;
    // The content and the Pods are those of before: nothing is rolled.
    operator.all_in_sync(1).await?;
    operator.caught_up(&[]).await?;
    ensure!(
        env.roll_count(&lane.workload)? == 1,
        "{:#} {:#?}",
        operator.debug_text("/debug/index").await?,
        env.projection(&lane.workload).await?
    );
    ensure!(env.revision(&lane.workload).await?.is_none());
    until("an Event says so", true, async || {
        let events = env.events(&lane.workload).await?;
        Ok(events.iter().any(|(reason, _)| reason == "ServerRestored"))
    })
    .await?;

    let edit = env.set(&lane.source, "a", "2").await?;
    ensure!(
        edit.version < lost.version + WRITES as u64,
        "{edit:?} comes after {lost:?}"
    );
    env.rolls(&lane.workload, 2).await?;
    env.rolled_out(&lane.workload).await?;
    env.assert_started_after(&lane.workload, &edit).await?;
    operator.all_in_sync(1).await
}
