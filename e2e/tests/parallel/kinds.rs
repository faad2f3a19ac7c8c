//! Kinds of workload: those that Projsync rolls, and those that it only shows.

use anyhow::{Context as _, ensure};
use e2e::{Namespace, Result, Workload, eventually, pod, projsync};
use jiff::Timestamp;
use serde_json::{Value, json};

#[test]
fn a_stateful_set_is_rolled() -> Result<()> {
    let namespace = Namespace::create("stateful")?;
    rolled(&namespace, |spec| namespace.stateful_set("web", 3, spec))?;
    namespace.done()
}

#[test]
fn a_daemon_set_is_rolled() -> Result<()> {
    let namespace = Namespace::create("daemon")?;
    rolled(&namespace, |spec| namespace.daemon_set("web", spec))?;
    namespace.done()
}

fn rolled(namespace: &Namespace, create: impl Fn(&Value) -> Result<Workload>) -> Result<()> {
    namespace.policy(&json!({"settle": "100ms", "minInterval": "0s"}))?;
    let secret = namespace.secret("app", &json!({"variable": "old", "file": "old"}))?;
    let mut spec = pod(&json!({
        "env": [secret.env("VARIABLE", "variable")],
        "volumeMounts": [{"name": "app", "mountPath": "/config"}],
    }));
    spec["volumes"] = json!([secret.volume()]);
    let web = create(&spec)?;
    web.in_sync()?;
    for (number, key) in ["variable", "file"].into_iter().enumerate() {
        secret.set(key, "new")?;
        web.rolled(number + 2)?;
    }
    for report in web.reports()? {
        assert_eq!(report.env["VARIABLE"], "new");
        assert_eq!(report.files["/config/file"], "new");
    }
    Ok(())
}

#[test]
fn a_bare_pod_and_a_job_are_shown_as_stale_and_never_touched() -> Result<()> {
    let namespace = Namespace::create("bare")?;
    namespace.policy(&json!({"settle": "100ms", "minInterval": "0s"}))?;
    let app = namespace.config_map("app", &json!({"key": "old"}))?;
    let mut spec = pod(&json!({"env": [app.env("KEY", "key")]}));
    let web = namespace.deployment("web", 1, &spec)?;
    spec["restartPolicy"] = json!("Never");
    namespace.add(&json!({
        "apiVersion": "v1", "kind": "Pod", "spec": spec,
        "metadata": {"name": "bare", "labels": {"app": "unmanaged"}},
    }))?;
    namespace.add(&json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"},
        "spec": {"template": {"metadata": {"labels": {"app": "unmanaged"}}, "spec": spec}},
    }))?;
    web.in_sync()?;
    let unmanaged = Workload::existing(&namespace, "Pod", "unmanaged", 2);
    let before = eventually("both run", || {
        let reports = unmanaged.reports()?;
        Ok((reports.len() == 2).then_some(reports))
    })?;
    // A change so soon after their start could not be told from one before.
    eventually("both are older than clocks may differ", || {
        let newest = before.iter().map(|report| report.started).max();
        let age = Timestamp::now().duration_since(newest.context("a report")?);
        Ok((age.as_secs() > 10).then_some(()))
    })?;

    app.set("key", "new")?;
    web.rolled(2)?;
    eventually("both are shown as stale", || {
        let tree = ["tree", "configmap/app", "--namespace", namespace.name()];
        let tree = projsync(&[&tree[..], &["--output=json"]].concat())?;
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
    })?;
    assert_eq!(unmanaged.reports()?, before, "the same processes");
    namespace.done()
}
