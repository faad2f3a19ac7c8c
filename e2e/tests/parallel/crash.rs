//! A value with which the container fails.

use anyhow::ensure;
use e2e::{Namespace, Result, Workload, env, eventually, object, pod};
use serde_json::json;

/// Waits until the Projection and an Event say that the roll does not progress because
/// of one Pod, and returns its name.
async fn blocked_by(web: &Workload) -> Result<String> {
    let (pod, message) = eventually("a Pod that blocks the roll", async || {
        let message = web.decided("Blocked").await?;
        let pods = web.pod_names().await?.into_iter();
        let mut named = pods.filter(|name| message.contains(&format!("Pod {name},")));
        Ok(named.next_back().map(|name| (name, message)))
    })
    .await?;
    ensure!(message.contains("CrashLoopBackOff"), "{message}");
    eventually("an Event that names it", async || {
        let events = web.events().await?;
        let found = events
            .iter()
            .any(|(reason, note)| reason == "Blocked" && note.contains(&pod));
        ensure!(found, "{events:?}");
        Ok(Some(()))
    })
    .await?;
    Ok(pod)
}

#[tokio::test]
async fn a_deployment_keeps_its_good_pods_and_takes_the_corrected_value_by_itself() -> Result {
    let namespace = Namespace::create("crash").await?;
    namespace
        .policy(json!({"settle": "1s", "minInterval": "1s"}))
        .await?;
    let app = namespace
        .config_map("app", json!({"behavior": "good"}))
        .await?;
    let spec = pod(json!({"env": [env(&app, "BEHAVIOR", "behavior")]}));
    let web = namespace.deployment("web", 2, &spec).await?;
    web.in_sync().await?;
    let good = web.pod_names().await?;

    namespace.set(&app, "behavior", "crash").await?;
    let broken = blocked_by(&web).await?;
    ensure!(!good.contains(&broken));
    let there = web.pod_names().await?;
    ensure!(good.iter().all(|pod| there.contains(pod)), "{there:?}");
    assert_eq!(web.object().await?["status"]["availableReplicas"], 2);
    assert_eq!(
        web.templates().await?,
        2,
        "a value that fails is rolled once"
    );

    namespace.set(&app, "behavior", "better").await?;
    web.rolled(3).await?;
    for report in web.reports().await? {
        assert_eq!(report.env["BEHAVIOR"], "better");
    }
    namespace.done().await
}

#[tokio::test]
async fn an_ordered_stateful_set_takes_it_once_the_pod_that_is_named_is_deleted() -> Result {
    let namespace = Namespace::create("ordered").await?;
    namespace
        .policy(json!({"settle": "1s", "minInterval": "1s"}))
        .await?;
    let app = namespace
        .config_map("app", json!({"behavior": "good"}))
        .await?;
    // A container that restarts has its variables anew, so another value alone may heal the Pod;
    // but not where the bad one has spoilt data that live as long as the Pod.
    let mut spec = pod(json!({
        "env": [env(&app, "BEHAVIOR", "behavior")],
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
    }));
    spec["volumes"] = json!([{"name": "shared", "emptyDir": {}}]);
    let web = namespace.stateful_set("web", 2, &spec).await?;
    web.in_sync().await?;

    namespace.set(&app, "behavior", "spoil").await?;
    assert_eq!(blocked_by(&web).await?, "web-1");

    namespace.set(&app, "behavior", "better").await?;
    eventually("the corrected value is rolled", async || {
        Ok((web.templates().await? == 3).then_some(()))
    })
    .await?;
    let pod = blocked_by(&web).await?;
    let reference = object("v1", "Pod", &pod);
    let before = namespace.get(&reference).await?["metadata"]["uid"].take();
    namespace.delete(&reference).await?;
    web.rolled(3).await?;
    assert_ne!(namespace.get(&reference).await?["metadata"]["uid"], before);
    for report in web.reports().await? {
        assert_eq!(report.env["BEHAVIOR"], "better");
    }
    namespace.done().await
}
