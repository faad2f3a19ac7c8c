//! Rule 2, its second half: the last start of each container counts. On a node of
//! the test's own, which is its kubelet.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::{Edit, Object, Result, Source, Workload, config_map, deployment, object};

use super::{counts, observed_policy, pod_name};
use crate::env::Env;

const NODE: &str = "own";

/// Tells of the last starts of all containers of a workload's one Pod: `started` of
/// the init container, the others' `again`.
async fn report(env: &Env, workload: &Workload, started: Timestamp, again: Timestamp) -> Result {
    let pods = env.pods(workload).await?;
    let pod = serde_json::to_value(&pods[0])?;
    let status = |container: &Value, state: Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "",
            "ready": true, "restartCount": 0, "state": state,
        })
    };
    let statuses = |field: &str| -> Vec<Value> {
        let containers = pod["spec"][field].as_array().into_iter().flatten();
        containers
            .map(|container| match (field, &container["restartPolicy"]) {
                ("initContainers", Value::Null) => status(
                    container,
                    json!({"terminated": {"exitCode": 0, "reason": "Completed",
                        "startedAt": started, "finishedAt": started}}),
                ),
                _ => status(container, json!({"running": {"startedAt": again}})),
            })
            .collect()
    };
    let patch = json!({"status": {
        "phase": "Running",
        // Its clock is right.
        "startTime": pod["metadata"]["creationTimestamp"],
        "conditions": [{"type": "Ready", "status": "True"}],
        "initContainerStatuses": statuses("initContainers"),
        "containerStatuses": statuses("containers"),
    }});
    env.merge_status(&object("v1", "Pod", pod_name(&pods[0])), patch)
        .await?;
    Ok(())
}

async fn on_own_node(env: &Env, workload: &Workload) -> Result {
    let mut manifest = workload.manifest();
    manifest["spec"]["template"]["spec"]["nodeName"] = json!(NODE);
    env.create(&manifest).await?;
    Ok(())
}

/// An edit, with a time that is a second or two later.
async fn edited(env: &Env, app: &Source, value: &str) -> Result<(Edit, Timestamp)> {
    let edit = env.set(app, "a", value).await?;
    Ok((edit, after(2)?))
}

fn after(seconds: i64) -> Result<Timestamp> {
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    Ok(now.checked_add(SignedDuration::from_secs(seconds))?)
}

#[tokio::test]
async fn a_pod_is_as_old_as_its_oldest_container() -> Result {
    let env = Env::own().await?;
    env.create(&object("v1", "Node", NODE)).await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").uses(app.env("A", "a"));
    let deep = deployment("deep")
        .uses(app.env("A", "a"))
        .uses(app.env("A", "a").in_init())
        .uses(app.env("A", "a").in_sidecar());
    env.create_all(&[&observed_policy(), &app]).await?;
    let mut operator = env.operator(&[]).await?;
    on_own_node(&env, &web).await?;
    on_own_node(&env, &deep).await?;
    let both = [&web, &deep];
    let expect = async |operator: &_, outdated: [u64; 2]| -> Result {
        for (workload, outdated) in both.into_iter().zip(outdated) {
            counts(&env, operator, workload, (1, outdated, 0)).await?;
        }
        Ok(())
    };
    expect(&operator, [0, 0]).await?;

    // No container has started: it will have whatever there is then.
    let (edit, _) = edited(&env, &app, "1").await?;
    operator.seen(&[&edit]).await?;
    expect(&operator, [0, 0]).await?;
    for workload in both {
        report(&env, workload, after(0)?, after(0)?).await?;
    }
    let (edit, later) = edited(&env, &app, "2").await?;
    operator.seen(&[&edit]).await?;
    expect(&operator, [1, 1]).await?;

    // Restarted, save the init container: what it wrote is of the old content.
    report(&env, &deep, after(-60)?, later).await?;
    report(&env, &web, later, later).await?;
    expect(&operator, [0, 1]).await?;
    report(&env, &deep, later, later).await?;
    expect(&operator, [0, 0]).await?;

    // A node whose clock is an hour ahead: that start was shown before the edit.
    for workload in both {
        report(&env, workload, after(3600)?, after(3600)?).await?;
    }
    operator.seen(&[]).await?;
    let (edit, later) = edited(&env, &app, "3").await?;
    operator.seen(&[&edit]).await?;
    expect(&operator, [1, 1]).await?;
    report(&env, &web, later, later).await?;
    expect(&operator, [0, 1]).await?;

    // Starts that only a list shows: a node's clock counts beyond ten seconds.
    let (edit, later) = edited(&env, &app, "4").await?;
    operator.seen(&[&edit]).await?;
    expect(&operator, [1, 1]).await?;
    operator.stop().await?;
    report(&env, &web, later, later).await?;
    report(&env, &deep, after(60)?, after(60)?).await?;
    operator.start().await?;
    expect(&operator, [1, 0]).await?;
    env.assert_only(&[]).await
}
