//! Classes and Pod states are true: with the strategy Observe nothing rolls, and what
//! the Projection says of each Pod is what its process sees.

use anyhow::{Context as _, ensure};
use e2e::{Namespace, Result, Workload, eventually, pod};
use serde_json::{Value, json};

/// The class of the only source's references, and the state of each Pod.
fn state(web: &Workload) -> Result<Value> {
    let projection = web.projection()?;
    let pods = &projection["pods"];
    let counts =
        ["fresh", "refreshing", "stale"].map(|state| (state.to_owned(), pods[state].clone()));
    Ok(Value::Object(counts.into_iter().collect()))
}

fn await_state(web: &Workload, state_: &str) -> Result<()> {
    eventually(state_, || {
        let seen = state(web)?;
        ensure!(seen[state_] == 1, "{seen}");
        Ok(Some(()))
    })
}

#[test]
fn files_are_refreshed_in_the_running_container() -> Result<()> {
    let namespace = Namespace::create("live")?;
    namespace.policy(&json!({"strategy": "Observe", "settle": "100ms"}))?;
    let app = namespace.config_map("app", &json!({"key": "old"}))?;
    let mut spec = pod(&json!({"volumeMounts": [{"name": "app", "mountPath": "/config"}]}));
    spec["volumes"] = json!([app.volume()]);
    let web = namespace.deployment("web", 1, &spec)?;
    web.in_sync()?;
    let before = web.reports()?;

    app.set("key", "new")?;
    await_state(&web, "refreshing")?;
    eventually("the kubelet refreshes the file", || {
        Ok((web.reports()?[0].files["/config/key"] == "new").then_some(()))
    })?;
    await_state(&web, "fresh")?;
    let after = web.reports()?;
    assert_eq!(after[0].files["/config/key"], "new");
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
        Ok((web.reports()?[0].files["/config/live/key"] == "new").then_some(()))
    })?;
    assert_eq!(frozen()?, ["old"; 3].map(str::to_owned));
    assert_eq!(state(&web)?["stale"], 1);

    namespace.crash(&pod, 8080)?;
    eventually("the container starts again", || {
        Ok((frozen()? == ["new"; 3].map(str::to_owned)).then_some(()))
    })?;
    await_state(&web, "fresh")?;
    assert_eq!(web.pod_names()?, [pod], "the same Pod");
    assert_eq!(web.templates()?, 1);
    namespace.done()
}
