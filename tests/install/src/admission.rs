//! The admission policy: whatever RBAC allows, Projsync's account changes nothing of a
//! workload but its one annotation.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::render::{kubectl, kustomize, succeeded};
use crate::served::apply;

const ACCOUNT: &str = "system:serviceaccount:projsync-system:projsync";

/// A namespace with one workload of each kind, and the account with every right.
const SETUP: &str = r#"
{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "admission"}}
---
{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "every-right"},
 "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
 "subjects": [{"kind": "ServiceAccount", "name": "projsync", "namespace": "projsync-system"}]}
---
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "admission", "annotations": {"a": "b"}},
 "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
  "spec": {"containers": [{"name": "web", "image": "web", "resources": {"limits": {"cpu": "1"}}}]}}}}
---
{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "admission", "annotations": {"a": "b"}},
 "spec": {"replicas": 1, "serviceName": "web", "selector": {"matchLabels": {"app": "db"}}, "template": {"metadata": {"labels": {"app": "db"}, "annotations": {"kept": "x"}},
  "spec": {"containers": [{"name": "web", "image": "web"}]}}}}
---
{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web", "namespace": "admission", "annotations": {"a": "b"}},
 "spec": {"selector": {"matchLabels": {"app": "node"}}, "template": {"metadata": {"labels": {"app": "node"}},
  "spec": {"containers": [{"name": "web", "image": "web"}]}}}}
"#;

/// What the account may do: set, change and remove its annotation.
const ALLOWED: [&str; 3] = [
    r#"{"spec": {"template": {"metadata": {"annotations": {"projsync.dev/revision": "v1.a"}}}}}"#,
    r#"{"spec": {"template": {"metadata": {"annotations": {"projsync.dev/revision": "v1.b"}}}}}"#,
    r#"{"spec": {"template": {"metadata": {"annotations": {"projsync.dev/revision": null}}}}}"#,
];

/// What it may not, and the end of the sentence that says so.
const REFUSED: [(&str, &str); 11] = [
    (
        r#"{"metadata": {"labels": {"x": "y"}}}"#,
        "no metadata of a workload",
    ),
    (
        r#"{"metadata": {"annotations": {"a": null}}}"#,
        "no annotation of a workload",
    ),
    (
        r#"{"metadata": {"annotations": {"projsync.dev/sync": "false"}}}"#,
        "no annotation of a workload",
    ),
    (
        r#"{"metadata": {"finalizers": ["example.com/x"]}}"#,
        "no metadata of a workload",
    ),
    (
        r#"{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x"}]}}"#,
        "no metadata of a workload",
    ),
    (
        r#"{"spec": {"minReadySeconds": 7}}"#,
        "spec but its Pod template",
    ),
    (
        r#"{"spec": {"revisionHistoryLimit": 0}}"#,
        "spec but its Pod template",
    ),
    (
        r#"{"spec": {"template": {"spec": {"hostNetwork": true}}}}"#,
        "Pod template but its annotations",
    ),
    (
        r#"{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "other"}]}}}}"#,
        "Pod template but its annotations",
    ),
    (
        r#"{"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}"#,
        "metadata but its annotations",
    ),
    (
        r#"{"spec": {"template": {"metadata": {"annotations": {"other": "x", "projsync.dev/revision": "v1.c"}}}}}"#,
        "but projsync.dev/revision",
    ),
];

/// Patches a workload as the account.
fn patch(kind: &str, patch: &str, options: &[&str]) -> Result<String> {
    succeeded(
        kubectl()
            .args(["--as", ACCOUNT, "--namespace", "admission"])
            .args(["patch", kind, "web", "--type=merge", "--patch", patch])
            .args(options)
            .output()?,
    )
}

/// The command, as the account, fails with a message that has `sentence` in it.
fn ensure_refused(result: Result<String>, what: &str, sentence: &str) -> Result<()> {
    let error = match result {
        Ok(done) => anyhow::bail!("{what} was allowed: {done}"),
        Err(error) => error.to_string(),
    };
    ensure!(error.contains(sentence), "{what}: {error}");
    Ok(())
}

/// The API server takes a policy into use some time after it is made.
fn await_in_force() -> Result<()> {
    let end = Instant::now() + Duration::from_secs(180);
    while patch("deployment", REFUSED[0].0, &["--dry-run=server"]).is_ok() {
        ensure!(Instant::now() < end, "the policy is not in force");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn the_account_changes_one_annotation_and_nothing_else() -> Result<()> {
    apply(SETUP, &[])?;
    apply(&kustomize("admission")?, &[])?;
    await_in_force()?;
    for kind in ["deployment", "statefulset", "daemonset"] {
        for change in ALLOWED {
            patch(kind, change, &[])?;
        }
        for (change, sentence) in REFUSED {
            ensure_refused(
                patch(kind, change, &[]),
                &format!("{kind} {change}"),
                sentence,
            )?;
        }
        let status = patch(
            kind,
            r#"{"status": {"observedGeneration": 1}}"#,
            &["--subresource=status"],
        );
        ensure_refused(status, &format!("the status of a {kind}"), "no subresource")?;
        let delete = kubectl()
            .args([
                "--as",
                ACCOUNT,
                "--namespace",
                "admission",
                "delete",
                kind,
                "web",
            ])
            .output()?;
        ensure_refused(
            succeeded(delete),
            &format!("to delete a {kind}"),
            "only updates workloads",
        )?;
    }
    let create = kubectl()
        .args(["--as", ACCOUNT, "--namespace", "admission"])
        .args(["create", "deployment", "new", "--image=web"])
        .output()?;
    ensure_refused(succeeded(create), "to create", "only updates workloads")?;

    // Others are not confined.
    let by_admin = kubectl()
        .args([
            "--namespace",
            "admission",
            "scale",
            "deployment",
            "web",
            "--replicas=2",
        ])
        .output()?;
    succeeded(by_admin)?;
    Ok(())
}

#[test]
fn the_expressions_are_well_typed() -> Result<()> {
    apply(&kustomize("admission")?, &[])?;
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        let status = kubectl()
            .args(["get", "validatingadmissionpolicy", "projsync-workloads"])
            .arg("--output=jsonpath={.status.typeChecking}")
            .output()?;
        match succeeded(status)?.as_str() {
            "" => ensure!(Instant::now() < end, "the expressions were not checked"),
            "{}" => return Ok(()),
            warnings => anyhow::bail!("{warnings}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
