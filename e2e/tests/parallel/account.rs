//! What the operator's account may do to workloads, with its own token: set one annotation.

use anyhow::{Result, bail, ensure};
use e2e::{Namespace, Operator, account, path, pod};
use serde_json::{Value, json};

/// Changes that are refused, and why.
const REFUSED: [(&str, &str); 6] = [
    (
        r#"{"spec": {"replicas": 0}}"#,
        "nothing of a workload's spec",
    ),
    (
        r#"{"metadata": {"labels": {"a": "b"}}}"#,
        "no metadata of a workload",
    ),
    (
        r#"{"metadata": {"annotations": {"projsync.dev/sync": "true"}}}"#,
        "no annotation of a workload",
    ),
    (
        r#"{"spec": {"template": {"spec": {"hostNetwork": true}}}}"#,
        "nothing of a Pod template",
    ),
    (
        r#"{"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}"#,
        "metadata but its annotations",
    ),
    (
        r#"{"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}"#,
        "projsync.dev/revision",
    ),
];

fn refused<T>(what: &str, answer: Result<T>, why: &str) -> Result<()> {
    let Err(error) = answer else {
        bail!("allowed: {what}");
    };
    ensure!(format!("{error:#}").contains(why), "{what}: {error:#}");
    Ok(())
}

#[test]
fn it_may_change_nothing_of_a_workload_but_the_annotation() -> Result<()> {
    let namespace = Namespace::create("account")?;
    let web = namespace.deployment("web", 1, &pod(&json!({})))?;
    web.rolled_out()?;
    let account = account(Operator::INSTALLED)?;
    let at = |kind: &str, name: &str| path(namespace.name(), kind, name);
    let deployment = at("Deployment", "web");

    for (change, why) in REFUSED {
        let patch: Value = serde_json::from_str(change)?;
        refused(change, account.merge(&deployment, &patch), why)?;
    }
    let none = json!({"spec": {"replicas": 0}});
    let scale = format!("{deployment}/scale");
    refused("to scale", account.merge(&scale, &none), "forbidden")?;
    refused("to delete", account.delete(&deployment), "forbidden")?;
    let pod = at("Pod", &web.pod_names()?[0]);
    refused("to delete a Pod", account.delete(&pod), "forbidden")?;
    let own = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}});
    let create = account.create(&at("ConfigMap", ""), &own);
    refused("to create a ConfigMap", create, "forbidden")?;
    assert_eq!(web.object()?["metadata"]["generation"], 1);

    let allowed = json!({"projsync.dev/revision": "v1.a"});
    let patch = json!({"spec": {"template": {"metadata": {"annotations": allowed}}}});
    account.merge(&deployment, &patch)?;
    web.rolled_out()?;
    assert_eq!(web.templates()?, 2);
    namespace.done()
}
