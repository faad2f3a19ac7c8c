//! What is a change, and how many rolls it is.

use e2e::{Namespace, Result, eventually, pod};
use serde_json::json;

#[test]
fn another_key_and_metadata_roll_nothing() -> Result<()> {
    let namespace = Namespace::create("other")?;
    namespace.policy(&json!({"settle": "100ms", "minInterval": "0s"}))?;
    let app = namespace.config_map("app", &json!({"key": "old", "other": "old"}))?;
    let web = namespace.deployment("web", 1, &pod(&json!({"env": [app.env("KEY", "key")]})))?;
    let other =
        namespace.deployment("other", 1, &pod(&json!({"env": [app.env("KEY", "other")]})))?;
    web.in_sync()?;
    other.in_sync()?;
    assert_eq!(web.templates()?, 1, "nothing rolls at first sight");

    app.merge(&json!({"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}}))?;
    app.set("other", "new")?;
    // All edits are known by then, and would have rolled it as soon.
    other.rolled(2)?;
    web.in_sync()?;
    assert_eq!(web.templates()?, 1);

    app.set("key", "new")?;
    web.rolled(2)?;
    assert_eq!(web.reports()?[0].env["KEY"], "new");
    assert_eq!(other.templates()?, 2);
    namespace.done()
}

#[test]
fn edits_in_quick_succession_are_one_roll() -> Result<()> {
    let namespace = Namespace::create("settle")?;
    namespace.policy(&json!({"settle": "5s", "minInterval": "0s"}))?;
    let app = namespace.config_map("app", &json!({"key": "0"}))?;
    let web = namespace.deployment("web", 2, &pod(&json!({"env": [app.env("KEY", "key")]})))?;
    web.in_sync()?;
    for value in ["1", "2", "3", "4", "5"] {
        app.set("key", value)?;
    }
    web.rolled(2)?;
    for report in web.reports()? {
        assert_eq!(report.env["KEY"], "5");
    }
    namespace.done()
}

#[test]
fn a_value_that_is_set_back_in_time_rolls_nothing() -> Result<()> {
    let namespace = Namespace::create("back")?;
    namespace.policy(&json!({"settle": "60s", "minInterval": "0s"}))?;
    let app = namespace.config_map("app", &json!({"key": "old"}))?;
    let web = namespace.deployment("web", 1, &pod(&json!({"env": [app.env("KEY", "key")]})))?;
    web.in_sync()?;
    app.set("key", "new")?;
    web.decided("Settling")?;
    app.set("key", "old")?;
    web.decided("InSync")?;
    web.in_sync()?;
    assert_eq!(web.templates()?, 1);
    namespace.done()
}

#[test]
fn a_config_map_and_then_the_deployment_are_one_rollout() -> Result<()> {
    let namespace = Namespace::create("both")?;
    namespace.policy(&json!({"settle": "5s", "minInterval": "0s"}))?;
    let app = namespace.config_map("app", &json!({"key": "old"}))?;
    let main =
        |version| json!({"env": [app.env("KEY", "key"), {"name": "VERSION", "value": version}]});
    let change = |version| json!({"spec": {"template": {"spec": pod(&main(version))}}});
    let web = namespace.deployment("web", 2, &pod(&main("1")))?;
    web.in_sync()?;

    app.set("key", "new")?;
    web.merge(&change("2"))?;
    web.rolled(2)?;
    for report in web.reports()? {
        assert_eq!((&*report.env["KEY"], &*report.env["VERSION"]), ("new", "2"));
    }

    // The other way round the first new Pods may have the old value: at most one roll more.
    web.merge(&change("3"))?;
    app.set("key", "newer")?;
    eventually("the third version", || {
        Ok((web.templates()? >= 3).then_some(()))
    })?;
    web.in_sync()?;
    assert!((3..=4).contains(&web.templates()?));
    for report in web.reports()? {
        assert_eq!(
            (&*report.env["KEY"], &*report.env["VERSION"]),
            ("newer", "3")
        );
    }
    namespace.done()
}

#[test]
fn a_source_that_comes_later_starts_the_pods_and_rolls_nothing() -> Result<()> {
    let namespace = Namespace::create("later")?;
    namespace.policy(&json!({"settle": "100ms", "minInterval": "0s"}))?;
    let optional = json!({"name": "OPTIONAL", "valueFrom":
        {"configMapKeyRef": {"name": "optional", "key": "key", "optional": true}}});
    let required = json!({"name": "KEY", "valueFrom":
        {"secretKeyRef": {"name": "app", "key": "key"}}});
    let web = namespace.deployment("web", 1, &pod(&json!({"env": [required, optional]})))?;
    let message = web.decided("SourceMissing")?;
    assert!(message.contains("Secret/app"), "{message}");

    namespace.secret("app", &json!({"key": "first"}))?;
    web.in_sync()?;
    assert_eq!(web.templates()?, 1);
    let report = &web.reports()?[0];
    assert_eq!(report.env["KEY"], "first");
    assert!(!report.env.contains_key("OPTIONAL"));

    // What is optional was absent for the process, so now it lacks it.
    namespace.config_map("optional", &json!({"key": "here"}))?;
    web.rolled(2)?;
    assert_eq!(web.reports()?[0].env["OPTIONAL"], "here");
    namespace.done()
}
