//! Parts of the control plane die under load, and come back.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use controlplane::{Action, Component};
use jiff::Timestamp;
use projsync::api::names::REVISION_ANNOTATION;
use serde_json::json;
use testkit::{Edit, Operator, Result, eventually, object};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval};

use super::{Lane, ensure_ready};
use crate::env::Env;

/// Time between two edits.
const PACE: Duration = Duration::from_millis(250);

/// How soon it is ready once all is back: a wait of at most a minute, and a list.
const BACK: Duration = Duration::from_secs(75);

const LANES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Edits one source after the other until told to stop, each as often as it takes;
/// gives the last edit of each, and how many there were.
async fn load(
    env: &Env,
    lanes: &[Lane],
    stop: watch::Receiver<bool>,
) -> Result<(Vec<Edit>, usize)> {
    let mut pace = interval(PACE);
    for round in 1.. {
        let mut edits = Vec::new();
        for lane in lanes {
            pace.tick().await;
            let edit = eventually("an edit", async || {
                env.set(&lane.source, "a", &round.to_string())
                    .await
                    .map(Some)
            });
            edits.push(edit.await?);
        }
        if *stop.borrow() {
            return Ok((edits, round));
        }
    }
    unreachable!()
}

/// Compacts etcd: versions before this one can't be watched any more.
async fn compact(env: &Env, version: u64) -> Result {
    let socket = env.cluster.plane().data().join("etcd.sock:0");
    let body = json!({"revision": version.to_string(), "physical": true}).to_string();
    let request = format!(
        "POST /v3/kv/compaction HTTP/1.1\r\nHost: etcd\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = spawn_blocking(move || {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    });
    let answer = answer.await??;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

/// Asserts that all containers of a lane's Pods have started after an edit: where the
/// nodes could not say so, they start long after their Pods were created.
async fn assert_has(env: &Env, lane: &Lane, edit: &Edit) -> Result {
    let before = env.pods_before(&lane.workload, edit).await?;
    let edited = env.get(&lane.source).await?["metadata"]["managedFields"][0]["time"].clone();
    let edited: Timestamp = serde_json::from_value(edited)?;
    for pod in env.pods(&lane.workload).await? {
        if !before.contains(&pod.metadata.uid.unwrap_or_default()) {
            continue;
        }
        let statuses = pod.status.and_then(|status| status.container_statuses);
        for status in statuses.context("a Pod without containers")? {
            let running = status.state.and_then(|state| state.running);
            let started = running.and_then(|running| running.started_at);
            ensure!(
                started.as_ref().is_some_and(|started| started.0 > edited),
                "{:?} runs since {started:?}, before {edit:?} at {edited}",
                pod.metadata.name
            );
        }
    }
    Ok(())
}

/// Waits until readiness says so, for as long as that may take.
async fn readiness(operator: &Operator, ready: bool, what: &str) -> Result {
    let begun = Instant::now();
    let mut last = String::new();
    while begun.elapsed() < BACK {
        match eventually(what, async || ensure_ready(operator, ready).await.map(Some)).await {
            Ok(_) => {
                println!("{what}: after {:.1?}", begun.elapsed());
                return Ok(());
            }
            Err(error) => last = format!("{error:#}"),
        }
    }
    anyhow::bail!("{what}: {last}")
}

async fn trouble(env: &Env, operator: &Operator, source: &Lane) -> Result {
    use Component::{Etcd, KubeApiserver};
    for component in [KubeApiserver, Etcd] {
        env.cluster.tell(Action::Kill, component).await?;
        let gone = format!("{component} is gone");
        readiness(operator, false, &gone).await?;
        let alive = operator.probe("/livez").await?.0 == 200;
        ensure!(alive, "a restart would not help");
        env.cluster.tell(Action::Start, component).await?;
        readiness(operator, true, &format!("{component} is back")).await?;
    }
    // What the operator watches from is forgotten: by etcd, and by an API server that
    // has seen nothing of it.
    let version = eventually("a version", async || {
        let found = env.get(&source.source).await?;
        let version = found["metadata"]["resourceVersion"]
            .as_str()
            .map(str::parse::<u64>);
        Ok(version.transpose()?)
    })
    .await?;
    env.cluster.tell(Action::Kill, KubeApiserver).await?;
    compact(env, version).await?;
    readiness(operator, false, "compacted").await?;
    env.cluster.tell(Action::Start, KubeApiserver).await?;
    readiness(operator, true, "compacted and back").await
}

#[tokio::test]
async fn what_dies_under_load_and_comes_back_costs_nothing_but_time() -> Result {
    let env = Env::own().await?;
    let lanes = Lane::create(&env, &LANES).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(lanes.len()).await?;
    let memory = super::memory(&operator).await?;
    let (stop, stopped) = watch::channel(false);
    let trouble = async {
        trouble(&env, &operator, &lanes[0]).await?;
        stop.send_replace(true);
        Ok(())
    };
    let ((edits, rounds), ()) = tokio::try_join!(load(&env, &lanes, stopped), trouble)?;
    let grown = super::memory(&operator).await? - memory;
    ensure!(grown <= super::MEMORY, "{grown} bytes more");

    operator
        .caught_up(&edits.iter().collect::<Vec<_>>())
        .await?;
    for lane in &lanes {
        env.rolled_out(&lane.workload).await?;
    }
    operator.all_in_sync(lanes.len()).await?;
    let mut rolls = Vec::new();
    for (lane, edit) in lanes.iter().zip(&edits) {
        assert_has(&env, lane, edit).await?;
        let count = env.roll_count(&lane.workload)?;
        ensure!(
            (1..=rounds).contains(&count),
            "{count} rolls for {rounds} edits"
        );
        rolls.push(count);
    }
    println!("{rolls:?} rolls for {rounds} edits each");
    // A revision that comes again would have a counter.
    for set in env.all(&object("apps/v1", "ReplicaSet", "")).await? {
        let revision = &set["spec"]["template"]["metadata"]["annotations"][REVISION_ANNOTATION];
        let parts = revision
            .as_str()
            .map_or(3, |revision| revision.split('.').count());
        ensure!(parts == 3, "{revision} was rolled twice");
    }
    env.assert_nothing_else().context("what was asked")
}
