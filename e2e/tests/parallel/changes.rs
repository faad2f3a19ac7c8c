//! What is a change, and how many rolls it is.

use e2e::{Namespace, Result, env, eventually, pod};
use serde_json::json;

#[tokio::test]
async fn another_key_and_metadata_roll_nothing() -> Result {
    let namespace = Namespace::create("other").await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let app = namespace
        .config_map("app", json!({"key": "old", "other": "old"}))
        .await?;
    let web = namespace
        .deployment("web", 1, &pod(json!({"env": [env(&app, "KEY", "key")]})))
        .await?;
    let other = namespace
        .deployment(
            "other",
            1,
            &pod(json!({"env": [env(&app, "KEY", "other")]})),
        )
        .await?;
    web.in_sync().await?;
    other.in_sync().await?;
    assert_eq!(web.templates().await?, 1, "nothing rolls at first sight");

    namespace
        .merge(
            &app,
            json!({"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}}),
        )
        .await?;
    namespace.set(&app, "other", "new").await?;
    // All edits are known by then, and would have rolled it as soon.
    other.rolled(2).await?;
    web.in_sync().await?;
    assert_eq!(web.templates().await?, 1);

    namespace.set(&app, "key", "new").await?;
    web.rolled(2).await?;
    assert_eq!(web.reports().await?[0].env["KEY"], "new");
    assert_eq!(other.templates().await?, 2);
    namespace.done().await
}

#[tokio::test]
async fn a_config_map_and_then_the_deployment_are_one_rollout() -> Result {
    let namespace = Namespace::create("both").await?;
    namespace
        .policy(json!({"settle": "5s", "minInterval": "0s"}))
        .await?;
    let app = namespace.config_map("app", json!({"key": "old"})).await?;
    let main =
        |version| json!({"env": [env(&app, "KEY", "key"), {"name": "VERSION", "value": version}]});
    let change = |version| json!({"spec": {"template": {"spec": pod(main(version))}}});
    let web = namespace.deployment("web", 2, &pod(main("1"))).await?;
    web.in_sync().await?;

    namespace.set(&app, "key", "new").await?;
    web.merge(change("2")).await?;
    web.rolled(2).await?;
    for report in web.reports().await? {
        assert_eq!((&*report.env["KEY"], &*report.env["VERSION"]), ("new", "2"));
    }

    // The other way round the first new Pods may have the old value: at most one roll more.
    web.merge(change("3")).await?;
    namespace.set(&app, "key", "newer").await?;
    eventually("the third version", async || {
        Ok((web.templates().await? >= 3).then_some(()))
    })
    .await?;
    web.in_sync().await?;
    assert!((3..=4).contains(&web.templates().await?));
    for report in web.reports().await? {
        assert_eq!(
            (&*report.env["KEY"], &*report.env["VERSION"]),
            ("newer", "3")
        );
    }
    namespace.done().await
}

#[tokio::test]
async fn a_source_that_comes_later_starts_the_pods_and_rolls_nothing() -> Result {
    let namespace = Namespace::create("later").await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let optional = json!({"name": "OPTIONAL", "valueFrom":
        {"configMapKeyRef": {"name": "optional", "key": "key", "optional": true}}});
    let required = json!({"name": "KEY", "valueFrom":
        {"secretKeyRef": {"name": "app", "key": "key"}}});
    let web = namespace
        .deployment("web", 1, &pod(json!({"env": [required, optional]})))
        .await?;
    let message = web.decided("SourceMissing").await?;
    assert!(message.contains("Secret/app"), "{message}");

    namespace.secret("app", json!({"key": "first"})).await?;
    web.in_sync().await?;
    assert_eq!(web.templates().await?, 1);
    let report = &web.reports().await?[0];
    assert_eq!(report.env["KEY"], "first");
    assert!(!report.env.contains_key("OPTIONAL"));

    // What is optional was absent for the process, so now it lacks it.
    namespace
        .config_map("optional", json!({"key": "here"}))
        .await?;
    web.rolled(2).await?;
    assert_eq!(web.reports().await?[0].env["OPTIONAL"], "here");
    namespace.done().await
}
