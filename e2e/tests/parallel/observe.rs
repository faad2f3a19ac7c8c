//! Classes and Pod states are true: with the strategy Observe nothing rolls, and what
//! the Projection says of each Pod is what its process sees.

use anyhow::{Context as _, ensure};
use e2e::{Namespace, Result, Workload, eventually, pod};
use serde_json::{Value, json};

/// How many of the Pods are in which state.
fn states(web: &Workload) -> Result<Value> {
    let projection = web.projection()?;
    let pods = &projection["pods"];
    let counts =
        ["fresh", "refreshing", "stale"].map(|state| (state.to_owned(), pods[state].clone()));
    Ok(Value::Object(counts.into_iter().collect()))
}

/// Waits until the only Pod is in this state.
fn await_state(web: &Workload, state: &str) -> Result<()> {
    eventually(state, || {
        let seen = states(web)?;
        ensure!(seen[state] == 1, "{seen}");
        Ok(Some(()))
    })
}

#[test]
fn files_are_refreshed_in_the_running_container() -> Result<()> {
    let namespace = Namespace::create("live")?;
    namespace.policy(&json!({"strategy": "Observe", "settle": "100ms"}))?;
    let app = namespace.config_map("app", &json!({"key": "old"}))?;
    let mut spec = pod(&json!({"volumeMounts": [
        {"name": "app", "mountPath": "/config/plain"},
        {"name": "projected", "mountPath": "/config/projected"},
    ]}));
    spec["volumes"] = json!([
        app.volume(),
        {"name": "projected", "projected": {"sources": [{"configMap": {"name": "app"}}]}},
    ]);
    let web = namespace.deployment("web", 1, &spec)?;
    web.in_sync()?;
    let before = web.reports()?;
    let refreshed = || {
        let report = web.reports()?.pop().context("a report")?;
        let volumes = ["/config/plain/key", "/config/projected/key"];
        anyhow::Ok(volumes.iter().all(|path| report.has(path, "new")))
    };

    app.set("key", "new")?;
    await_state(&web, "refreshing")?;
    eventually("the kubelet refreshes the files", || {
        Ok(refreshed()?.then_some(()))
    })?;
    await_state(&web, "fresh")?;
    ensure!(refreshed()?);
    let after = web.reports()?;
    assert_eq!(after[0].started, before[0].started, "the same process");
    assert_eq!(web.templates()?, 1);
    namespace.done()
}

#[test]
fn what_is_frozen_stays_old_until_the_container_starts_again() -> Result<()> {
    let namespace = Namespace::create("frozen")?;
    namespace.policy(&json!({"strategy": "Observe", "settle": "100ms"}))?;
    // The same change, by each Frozen way, and by a Live one that tells when it has arrived.
    let app = namespace.config_map("app", &json!({"key": "old"}))?;
    let mut spec = pod(&json!({
        "env": [app.env("KEY", "key")],
        "envFrom": [app.env_from("ALL_")],
        "volumeMounts": [
            {"name": "app", "mountPath": "/config/sub", "subPath": "key"},
            {"name": "app", "mountPath": "/config/live"},
        ],
    }));
    spec["volumes"] = json!([app.volume()]);
    let web = namespace.deployment("web", 1, &spec)?;
    web.in_sync()?;
    let pod = web.pod_names()?.pop().context("a Pod")?;
    let frozen = || {
        let report = web.reports()?.pop().context("a report")?;
        let values = [
            &report.env["KEY"],
            &report.env["ALL_key"],
            &report.files["/config/sub"],
        ];
        anyhow::Ok(values.map(String::clone))
    };

    app.set("key", "new")?;
    await_state(&web, "stale")?;
    let projection = web.projection()?;
    assert_eq!(projection["pods"]["notFresh"][0]["name"], json!(pod));
    assert_eq!(projection["decision"]["reason"], "ObserveOnly");
    eventually("the kubelet refreshes the file", || {
        Ok((web.reports()?[0].has("/config/live/key", "new")).then_some(()))
    })?;
    assert_eq!(frozen()?, ["old"; 3].map(str::to_owned));
    assert_eq!(states(&web)?["stale"], 1);

    namespace.crash(&pod, 8080)?;
    eventually("the container starts again", || {
        Ok((frozen()? == ["new"; 3].map(str::to_owned)).then_some(()))
    })?;
    await_state(&web, "fresh")?;
    assert_eq!(web.pod_names()?, [pod], "the same Pod");
    assert_eq!(web.templates()?, 1);
    namespace.done()
}
