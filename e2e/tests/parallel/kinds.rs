//! Kinds of workload: those that Projsync rolls, and those that it only shows.

use anyhow::{Context as _, ensure};
use e2e::{Namespace, Result, Workload, env, eventually, pod, projsync, volume};
use jiff::Timestamp;
use serde_json::{Value, json};

#[tokio::test]
async fn stateful_sets_and_daemon_sets_are_rolled() -> Result {
    let namespace = Namespace::create("kinds").await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let secret = namespace
        .secret("app", json!({"variable": "old", "file": "old"}))
        .await?;
    let mut spec = pod(json!({
        "env": [env(&secret, "VARIABLE", "variable")],
        "volumeMounts": [{"name": "app", "mountPath": "/config"}],
    }));
    spec["volumes"] = json!([volume(&secret)]);
    let both = [
        namespace.stateful_set("store", 3, &spec).await?,
        namespace.daemon_set("agent", &spec).await?,
    ];
    for workload in &both {
        workload.in_sync().await?;
    }
    for (number, key) in ["variable", "file"].into_iter().enumerate() {
        namespace.set(&secret, key, "new").await?;
        for workload in &both {
            workload.rolled(number + 2).await?;
        }
    }
    for workload in &both {
        for report in workload.reports().await? {
            assert_eq!(report.env["VARIABLE"], "new");
            assert_eq!(report.files["/config/file"], "new");
        }
    }
    namespace.done().await
}

#[tokio::test]
async fn a_bare_pod_and_a_job_are_shown_as_stale_and_never_touched() -> Result {
    let namespace = Namespace::create("bare").await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let app = namespace.config_map("app", json!({"key": "old"})).await?;
    let mut spec = pod(json!({"env": [env(&app, "KEY", "key")]}));
    let web = namespace.deployment("web", 1, &spec).await?;
    spec["restartPolicy"] = json!("Never");
    namespace
        .create(&json!({
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": "bare", "labels": {"app": "unmanaged"}},
        }))
        .await?;
    namespace
        .create(&json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"},
            "spec": {"template": {"metadata": {"labels": {"app": "unmanaged"}}, "spec": spec}},
        }))
        .await?;
    web.in_sync().await?;
    let unmanaged = Workload::existing(&namespace, "Pod", "unmanaged", 2);
    let before = eventually("both run", async || {
        let reports = unmanaged.reports().await?;
        Ok((reports.len() == 2).then_some(reports))
    })
    .await?;
    // A change so soon after their start could not be told from one before.
    eventually("both are older than clocks may differ", async || {
        let newest = before.iter().map(|report| report.started).max();
        let age = Timestamp::now().duration_since(newest.context("a report")?);
        Ok((age.as_secs() > 10).then_some(()))
    })
    .await?;

    namespace.set(&app, "key", "new").await?;
    web.rolled(2).await?;
    eventually("both are shown as stale", async || {
        let tree = ["tree", "configmap/app", "--namespace", &namespace.namespace];
        let tree = projsync(&[&tree[..], &["--output=json"]].concat()).await?;
        let tree: Value = serde_json::from_str(&tree)?;
        let consumers = tree["uses"][0]["consumers"].as_array();
        let shown = |name: &str, effect: &str| {
            consumers.into_iter().flatten().any(|consumer| {
                consumer["name"] == name
                    && consumer["effect"] == effect
                    && consumer["pods"][0]["state"] == "Stale"
            })
        };
        ensure!(shown("pod/bare", "ToRecreate"), "{tree}");
        ensure!(shown("job/job", "NextRun"), "{tree}");
        Ok(Some(()))
    })
    .await?;
    assert_eq!(unmanaged.reports().await?, before, "the same processes");
    namespace.done().await
}
