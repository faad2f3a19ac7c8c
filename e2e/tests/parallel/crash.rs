//! A value with which the container fails.

use anyhow::ensure;
use e2e::{Namespace, Result, Workload, eventually, pod};
use serde_json::json;

/// Waits until the Projection and an Event say that the roll does not progress because
/// of one Pod, and returns its name.
fn blocked_by(namespace: &Namespace, web: &Workload, kind: &str) -> Result<String> {
    let (pod, message) = eventually("a Pod that blocks the roll", || {
        let message = web.decided("Blocked")?;
        let pods = web.pod_names()?.into_iter();
        let mut named = pods.filter(|name| message.contains(&format!("Pod {name},")));
        Ok(named.next_back().map(|name| (name, message)))
    })?;
    ensure!(message.contains("CrashLoopBackOff"), "{message}");
    eventually("an Event that names it", || {
        let events = namespace.events(kind, "web")?;
        let found = events
            .iter()
            .any(|event| event.starts_with("Blocked: ") && event.contains(&pod));
        ensure!(found, "{events:?}");
        Ok(Some(()))
    })?;
    Ok(pod)
}

#[test]
fn a_deployment_keeps_its_good_pods_and_takes_the_corrected_value_by_itself() -> Result<()> {
    let namespace = Namespace::create("crash")?;
    namespace.policy(&json!({"settle": "1s", "minInterval": "1s"}))?;
    let app = namespace.config_map("app", &json!({"behavior": "good"}))?;
    let spec = pod(&json!({"env": [app.env("BEHAVIOR", "behavior")]}));
    let web = namespace.deployment("web", 2, &spec)?;
    web.in_sync()?;
    let good = web.pod_names()?;

    app.set("behavior", "crash")?;
    let broken = blocked_by(&namespace, &web, "Deployment")?;
    ensure!(!good.contains(&broken));
    let there = web.pod_names()?;
    ensure!(good.iter().all(|pod| there.contains(pod)), "{there:?}");
    assert_eq!(web.object()?["status"]["availableReplicas"], 2);
    assert_eq!(web.templates()?, 2, "a value that fails is rolled once");

    app.set("behavior", "better")?;
    web.rolled(3)?;
    for report in web.reports()? {
        assert_eq!(report.env["BEHAVIOR"], "better");
    }
    namespace.done()
}

#[test]
fn an_ordered_stateful_set_takes_it_once_the_pod_that_is_named_is_deleted() -> Result<()> {
    let namespace = Namespace::create("ordered")?;
    namespace.policy(&json!({"settle": "1s", "minInterval": "1s"}))?;
    let app = namespace.config_map("app", &json!({"behavior": "good"}))?;
    // A container that restarts has its variables anew, so another value alone may heal the Pod;
    // but not where the bad one has spoilt data that live as long as the Pod.
    let mut spec = pod(&json!({
        "env": [app.env("BEHAVIOR", "behavior")],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }));
    spec["volumes"] = json!([{"name": "shared", "emptyDir": {}}]);
    let web = namespace.stateful_set("web", 2, &spec)?;
    web.in_sync()?;

    app.set("behavior", "spoil")?;
    assert_eq!(blocked_by(&namespace, &web, "StatefulSet")?, "web-1");

    app.set("behavior", "better")?;
    eventually("the corrected value is rolled", || {
        Ok((web.templates()? == 3).then_some(()))
    })?;
    let pod = blocked_by(&namespace, &web, "StatefulSet")?;
    let uid = |name: &str| anyhow::Ok(namespace.get("Pod", name)?["metadata"]["uid"].clone());
    let before = uid(&pod)?;
    namespace.delete("Pod", &pod)?;
    web.rolled(3)?;
    assert_ne!(uid(&pod)?, before);
    for report in web.reports()? {
        assert_eq!(report.env["BEHAVIOR"], "better");
    }
    namespace.done()
}
