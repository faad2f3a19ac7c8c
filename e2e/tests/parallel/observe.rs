//! Classes and Pod states are true: with the strategy Observe nothing rolls, and what
//! the Projection says of each Pod is what its process sees.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::{Namespace, Result, Workload, env, env_from, eventually, pod, volume};
use serde_json::{Value, json};

/// How long the kubelet may take to refresh a volume, and some seconds for the clocks.
const REFRESH_BOUND: Duration = Duration::from_secs(125);

/// How many of the Pods are in which state.
async fn states(web: &Workload) -> Result<Value> {
    let projection = web.projection().await?;
    let pods = &projection["pods"];
    let counts =
        ["fresh", "refreshing", "stale"].map(|state| (state.to_owned(), pods[state].clone()));
    Ok(Value::Object(counts.into_iter().collect()))
}

/// Waits until the only Pod is in this state.
async fn await_state(web: &Workload, state: &str) -> Result {
    eventually(state, async || {
        let seen = states(web).await?;
        ensure!(seen[state] == 1, "{seen}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test]
async fn files_are_refreshed_in_the_running_container() -> Result {
    let namespace = Namespace::create("live").await?;
    namespace
        .policy(json!({"strategy": "Observe", "settle": "100ms"}))
        .await?;
    let app = namespace.config_map("app", json!({"key": "old"})).await?;
    let mut spec = pod(json!({"volumeMounts": [
        {"name": "app", "mountPath": "/config/plain"},
        {"name": "projected", "mountPath": "/config/projected"},
    ]}));
    spec["volumes"] = json!([
        volume(&app),
        {"name": "projected", "projected": {"sources": [{"configMap": {"name": "app"}}]}},
    ]);
    let web = namespace.deployment("web", 1, &spec).await?;
    web.in_sync().await?;
    let before = web.reports().await?;
    let refreshed = async || {
        let report = web.reports().await?.pop().context("a report")?;
        let volumes = ["/config/plain/key", "/config/projected/key"];
        anyhow::Ok(volumes.iter().all(|path| report.has(path, "new")))
    };

    namespace.set(&app, "key", "new").await?;
    await_state(&web, "refreshing").await?;
    eventually("the kubelet refreshes the files", async || {
        Ok(refreshed().await?.then_some(()))
    })
    .await?;
    await_state(&web, "fresh").await?;
    ensure!(refreshed().await?);
    let after = web.reports().await?;
    assert_eq!(after[0].started, before[0].started, "the same process");
    assert_eq!(web.templates().await?, 1);
    namespace.done().await
}

#[tokio::test]
async fn what_is_frozen_stays_old_until_the_container_starts_again() -> Result {
    let namespace = Namespace::create("frozen").await?;
    namespace
        .policy(json!({"strategy": "Observe", "settle": "100ms"}))
        .await?;
    // The same change, by each Frozen way, and by a Live one that tells when it has arrived.
    let app = namespace.config_map("app", json!({"key": "old"})).await?;
    let mut spec = pod(json!({
        "env": [env(&app, "KEY", "key")],
        "envFrom": [env_from(&app, "ALL_")],
        "volumeMounts": [
            {"name": "app", "mountPath": "/config/sub", "subPath": "key"},
            {"name": "app", "mountPath": "/config/live"},
        ],
    }));
    spec["volumes"] = json!([volume(&app)]);
    let web = namespace.deployment("web", 1, &spec).await?;
    web.in_sync().await?;
    let pod = web.pod_names().await?.pop().context("a Pod")?;
    let frozen = async || {
        let report = web.reports().await?.pop().context("a report")?;
        let values = [
            &report.env["KEY"],
            &report.env["ALL_key"],
            &report.files["/config/sub"],
        ];
        anyhow::Ok(values.map(String::clone))
    };

    namespace.set(&app, "key", "new").await?;
    let edited = Instant::now();
    await_state(&web, "stale").await?;
    let projection = web.projection().await?;
    assert_eq!(projection["pods"]["notFresh"][0]["name"], json!(pod));
    assert_eq!(projection["decision"]["reason"], "ObserveOnly");
    eventually("the kubelet refreshes the file", async || {
        Ok((web.reports().await?[0].has("/config/live/key", "new")).then_some(()))
    })
    .await?;
    assert_eq!(frozen().await?, ["old"; 3].map(str::to_owned));
    assert_eq!(states(&web).await?["stale"], 1);

    // A container that starts again before gets of a subPath what the kubelet had written by then.
    eventually("the volume must have been refreshed", async || {
        Ok((edited.elapsed() > REFRESH_BOUND).then_some(()))
    })
    .await?;
    namespace.crash(&pod, 8080).await?;
    eventually("the container starts again", async || {
        Ok((frozen().await? == ["new"; 3].map(str::to_owned)).then_some(()))
    })
    .await?;
    await_state(&web, "fresh").await?;
    assert_eq!(web.pod_names().await?, [pod], "the same Pod");
    assert_eq!(web.templates().await?, 1);
    namespace.done().await
}
