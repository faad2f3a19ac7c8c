//! What the operator's account may do to workloads, with its own token: set one annotation.

use anyhow::{bail, ensure};
use e2e::{Namespace, Operator, Result, object, pod};
use serde_json::{Value, json};

/// Changes that the admission policy refuses.
const REFUSED: [&str; 7] = [
    r#"{"spec": {"replicas": 0}}"#,
    r#"{"metadata": {"labels": {"a": "b"}}}"#,
    r#"{"metadata": {"annotations": {"projsync.dev/sync": "true"}}}"#,
    r#"{"spec": {"template": {"spec": {"hostNetwork": true}}}}"#,
    r#"{"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}"#,
    r#"{"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}"#,
    // Not as its field manager.
    r#"{"spec": {"template": {"metadata": {"annotations": {"projsync.dev/revision": "v1.a"}}}}}"#,
];

const POLICY: &str = "ValidatingAdmissionPolicy 'projsync-workloads'";

fn refused<T>(what: &str, answer: Result<T>, why: &str) -> Result {
    let Err(error) = answer else {
        bail!("allowed: {what}");
    };
    ensure!(format!("{error:#}").contains(why), "{what}: {error:#}");
    Ok(())
}

#[tokio::test]
async fn it_may_change_nothing_of_a_workload_but_the_annotation() -> Result {
    let namespace = Namespace::create("account").await?;
    let web = namespace.deployment("web", 1, &pod(json!({}))).await?;
    web.rolled_out().await?;
    let account = namespace.of(&Operator::installed().await?.account().await?);
    let deployment = object("apps/v1", "Deployment", "web");

    for change in REFUSED {
        let patch: Value = serde_json::from_str(change)?;
        refused(change, account.merge(&deployment, patch).await, POLICY)?;
    }
    let none = json!({"spec": {"replicas": 0}});
    let scale = account.merge_into(&deployment, Some("scale"), none).await;
    refused("to scale", scale, "forbidden")?;
    refused("to delete", account.delete(&deployment).await, "forbidden")?;
    let pod = object("v1", "Pod", &web.pod_names().await?[0]);
    refused("to delete a Pod", account.delete(&pod).await, "forbidden")?;
    let own = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}});
    refused(
        "to create a ConfigMap",
        account.create(&own).await,
        "forbidden",
    )?;
    assert_eq!(web.object().await?["metadata"]["generation"], 1);

    let allowed = json!({"projsync.dev/revision": "v1.a"});
    let mut own = deployment.clone();
    own["spec"] = json!({"template": {"metadata": {"annotations": allowed}}});
    account.apply_as("projsync", &own).await?;
    web.rolled_out().await?;
    assert_eq!(web.templates().await?, 2);
    namespace.done().await
}
