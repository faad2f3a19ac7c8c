//! The admission policies: whatever RBAC allows, Projsync's account changes nothing of a
//! workload but its one annotation, and nobody else says anything in a Projection.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::render::{kubectl, kustomize, succeeded};
use crate::served::{apply, prepare};

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
  "spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web", "image": "web", "resources": {"limits": {"cpu": "1"}}}]}}}}
---
{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web", "namespace": "admission", "annotations": {"a": "b"}},
 "spec": {"replicas": 1, "serviceName": "web", "selector": {"matchLabels": {"app": "db"}}, "template": {"metadata": {"labels": {"app": "db"}, "annotations": {"kept": "x"}},
  "spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web", "image": "web"}]}}}}
---
{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web", "namespace": "admission", "annotations": {"a": "b"}},
 "spec": {"selector": {"matchLabels": {"app": "node"}}, "template": {"metadata": {"labels": {"app": "node"}},
  "spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web", "image": "web"}]}}}}
"#;

/// What the account may not change, each as a part of the object.
const REFUSED: [&str; 12] = [
    r#"{"metadata": {"labels": {"x": "y"}}}"#,
    r#"{"metadata": {"annotations": {"a": "other"}}}"#,
    r#"{"metadata": {"annotations": {"projsync.dev/sync": "false"}}}"#,
    r#"{"metadata": {"finalizers": ["example.com/x"]}}"#,
    r#"{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "x"}]}}"#,
    r#"{"spec": {"minReadySeconds": 7}}"#,
    r#"{"spec": {"revisionHistoryLimit": 0}}"#,
    r#"{"spec": {"template": {"spec": {"hostNetwork": true}}}}"#,
    r#"{"spec": {"template": {"spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web", "image": "other"}]}}}}"#,
    r#"{"spec": {"template": {"spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web", "image": "web", "env": [{"name": "A", "value": "b"}]}]}}}}"#,
    r#"{"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}"#,
    r#"{"spec": {"template": {"metadata": {"annotations": {"other": "x"}}}}}"#,
];

/// What can be taken away by a merge patch alone. Nobody owns the last of them, as if a webhook had
/// added it.
const REMOVED: [&str; 3] = [
    r#"{"metadata": {"annotations": {"a": null}}}"#,
    r#"{"spec": {"template": {"metadata": {"annotations": {"projsync.dev/revision": null}}}}}"#,
    r#"{"spec": {"template": {"spec": {"securityContext": null}}}}"#,
];

const KINDS: [&str; 3] = ["deployment", "statefulset", "daemonset"];

/// A webhook's work in the same request: policies that mutate what the account writes.
const MUTATIONS: [&str; 4] = [
    r#"[JSONPatch{op: "add", path: "/metadata/labels", value: {"scanned": "yes"}}]"#,
    r#"[JSONPatch{op: "add", path: "/metadata/annotations/checked", value: "yes"}]"#,
    r#"[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: "web@sha256:1111111111111111111111111111111111111111111111111111111111111111"}]"#,
    r#"[JSONPatch{op: "add", path: "/spec/template/spec/securityContext", value: {"runAsNonRoot": true}}]"#,
];

/// kubectl as the account, in a namespace.
fn account(namespace: &str) -> Command {
    let mut command = kubectl();
    command.args(["--as", ACCOUNT, "--namespace", namespace]);
    command
}

/// Patches a workload as the account.
fn patch(kind: &str, patch: &str, options: &[&str]) -> Result<String> {
    let mut command = account("admission");
    command
        .args(["patch", kind, "web", "--type=merge", "--patch", patch])
        .args(options);
    succeeded(command.output()?)
}

/// Sends a body to a command of kubectl.
fn send(mut command: Command, body: &Value) -> Result<String> {
    let mut child = command
        .arg("--filename=-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    stdin
        .context("no stdin")?
        .write_all(body.to_string().as_bytes())?;
    succeeded(child.wait_with_output()?)
}

/// Applies a part of a workload as the account.
fn apply_part(kind: &str, manager: &str, namespace: &str, part: &Value) -> Result<String> {
    let mut body = part.clone();
    body["apiVersion"] = json!("apps/v1");
    body["kind"] = json!(match kind {
        "deployment" => "Deployment",
        "statefulset" => "StatefulSet",
        _ => "DaemonSet",
    });
    body["metadata"]["name"] = json!("web");
    let mut command = account(namespace);
    command
        .args(["apply", "--server-side", "--force-conflicts"])
        .arg(format!("--field-manager={manager}"));
    send(command, &body)
}

/// A value of the revision that no other call has made.
fn fresh() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("v1.a.{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// What Projsync applies, with a new value.
fn roll() -> Value {
    json!({"spec": {"template": {"metadata": {"annotations": {"projsync.dev/revision": fresh()}}}}})
}

/// A part, and a new revision beside it.
fn with_roll(part: &str) -> Result<Value> {
    let mut part: Value = serde_json::from_str(part)?;
    part["spec"]["template"]["metadata"]["annotations"]["projsync.dev/revision"] = json!(fresh());
    Ok(part)
}

fn get(kind: &str, namespace: &str) -> Result<Value> {
    let mut command = kubectl();
    command.args(["get", kind, "web", "--namespace", namespace]);
    command.args(["--output=json", "--show-managed-fields"]);
    Ok(serde_json::from_str(&succeeded(command.output()?)?)?)
}

/// The policy about workloads refuses what the account asks for.
fn ensure_refused(result: Result<String>, what: &str) -> Result<()> {
    ensure_refused_by("projsync-workloads", result, what)
}

fn ensure_refused_by(policy: &str, result: Result<String>, what: &str) -> Result<()> {
    let error = match result {
        Ok(done) => anyhow::bail!("{what} was allowed: {done}"),
        Err(error) => error.to_string(),
    };
    ensure!(
        error.contains(&format!("ValidatingAdmissionPolicy '{policy}'")),
        "{what}: {error}"
    );
    Ok(())
}

/// Installs the policy, which the API server takes into use some time later, and rolls each workload once.
fn in_force() -> Result<()> {
    static LOCK: Mutex<bool> = Mutex::new(false);
    let Ok(mut done) = LOCK.lock() else {
        anyhow::bail!("it failed in another test");
    };
    if *done {
        return Ok(());
    }
    apply(SETUP, &[])?;
    for kind in KINDS {
        let disown = r#"[{"op": "remove", "path": "/metadata/managedFields/0/fieldsV1/f:spec/f:template/f:spec/f:securityContext"}]"#;
        let mut command = kubectl();
        command.args(["--namespace", "admission", "patch", kind, "web"]);
        command.args(["--type=json", "--patch", disown]);
        succeeded(command.output()?)?;
    }
    apply(&kustomize("admission")?, &[])?;
    let end = Instant::now() + Duration::from_secs(180);
    while patch("deployment", REFUSED[0], &["--dry-run=server"]).is_ok() {
        ensure!(Instant::now() < end, "the policy is not in force");
        std::thread::sleep(Duration::from_millis(100));
    }
    *done = true;
    Ok(())
}

#[test]
fn the_account_changes_one_annotation_and_nothing_else() -> Result<()> {
    in_force()?;
    for kind in KINDS {
        apply_part(kind, "projsync", "admission", &roll())?;
        for change in REFUSED.iter().chain(&REMOVED) {
            for options in [&[][..], &["--field-manager=projsync"]] {
                let what = format!("{kind} {options:?} {change}");
                ensure_refused(patch(kind, change, options), &what)?;
                let both = with_roll(change)?.to_string();
                ensure_refused(patch(kind, &both, options), &format!("{what} in a roll"))?;
            }
        }
        for change in REFUSED {
            for manager in ["projsync", "other"] {
                let part = with_roll(change)?;
                let applied = apply_part(kind, manager, "admission", &part);
                ensure_refused(applied, &format!("{kind} {manager} applies {change}"))?;
            }
        }
        let other = apply_part(kind, "other", "admission", &roll());
        ensure_refused(other, &format!("a roll of a {kind} by another manager"))?;
        let status = patch(
            kind,
            r#"{"status": {"observedGeneration": 1}}"#,
            &["--subresource=status"],
        );
        ensure_refused(status, &format!("the status of a {kind}"))?;
        let delete = account("admission")
            .args(["delete", kind, "web"])
            .output()?;
        ensure_refused(succeeded(delete), &format!("to delete a {kind}"))?;
    }
    let create = account("admission")
        .args(["create", "deployment", "new", "--image=web"])
        .output()?;
    ensure_refused(succeeded(create), "to create")?;

    // Others are not confined.
    let by_admin = kubectl()
        .args(["--namespace", "admission"])
        .args(["scale", "deployment", "web", "--replicas=2"])
        .output()?;
    succeeded(by_admin)?;
    Ok(())
}

/// What a request changes in managedFields.
type Lie = fn(&mut Vec<Value>);

/// managedFields are what the policy goes by, and a request that replaces an object brings its own.
#[test]
fn the_account_cannot_forge_who_owns_what() -> Result<()> {
    in_force()?;
    for kind in KINDS {
        let lies: [(&str, Lie); 7] = [
            ("the same", |_| {}),
            ("a later time", |entries| {
                for entry in entries {
                    if entry["manager"] == "projsync" {
                        entry["time"] = json!("2040-01-01T00:00:00Z");
                    }
                }
            }),
            ("so many that the oldest are put together", |entries| {
                let entry = entries[0].clone();
                entries.extend((0..12).map(|number| {
                    let mut entry = entry.clone();
                    entry["manager"] = json!(format!("m{number}"));
                    entry["operation"] = json!("Update");
                    entry["time"] = json!("2040-01-01T00:00:00Z");
                    entry
                }));
            }),
            ("a version that can't be read", |entries| {
                let mut entry = entries[0].clone();
                entry["manager"] = json!("m");
                entry["apiVersion"] = json!("a/b/c");
                entries.push(entry);
            }),
            ("none", |entries| *entries = vec![json!({})]),
            ("more for Projsync", |entries| {
                for entry in entries {
                    if entry["manager"] == "projsync" {
                        entry["fieldsV1"]["f:spec"]["f:minReadySeconds"] = json!({});
                    }
                }
            }),
            ("less for others", |entries| {
                entries.retain(|entry| entry["manager"] == "projsync");
            }),
        ];
        for (lie, change) in lies {
            for part in ["an image", "an image in a roll", "nothing else"] {
                if part == "nothing else"
                    && !["more for Projsync", "less for others"].contains(&lie)
                {
                    continue;
                }
                let what = format!("{kind}: {part} with managedFields: {lie}");
                ensure_refused(replace(kind, part, change), &what)?;
            }
        }
    }
    Ok(())
}

/// Rolls a workload, and then replaces it with changed managedFields and `part` changed.
fn replace(kind: &str, part: &str, change: Lie) -> Result<String> {
    apply_part(kind, "projsync", "admission", &roll())?;
    loop {
        let mut object = get(kind, "admission")?;
        if let Some(entries) = object["metadata"]["managedFields"].as_array_mut() {
            change(entries);
        }
        let template = &mut object["spec"]["template"];
        if part != "nothing else" {
            template["spec"]["containers"][0]["image"] = json!("other");
        }
        if part == "an image in a roll" {
            template["metadata"]["annotations"]["projsync.dev/revision"] = json!(fresh());
        }
        let mut replace = account("admission");
        replace.args(["replace", "--field-manager=projsync"]);
        let result = send(replace, &object);
        // A controller has written the status meanwhile.
        let conflict = |error: &anyhow::Error| error.to_string().contains("(Conflict)");
        if !result.as_ref().is_err_and(conflict) {
            return result;
        }
    }
}

/// A policy that mutates the workloads of a namespace in whatever request the account makes.
fn mutating(name: &str, namespace: &str, expression: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy", "metadata": {"name": name},
         "spec": {"failurePolicy": "Fail", "reinvocationPolicy": "Never",
          "matchConstraints": {
           "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
           "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["deployments", "statefulsets", "daemonsets"]}]},
          "matchConditions": [{"name": "account", "expression": format!("request.userInfo.username == '{ACCOUNT}'")}],
          "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}]}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name},
         "spec": {"policyName": name}},
    ]})
}

/// Another's mutation in the same request is not Projsync's (kyverno #948).
#[test]
fn what_webhooks_change_in_the_same_request_is_let_through() -> Result<()> {
    in_force()?;
    apply(&SETUP.replace(r#""admission""#, r#""mutations""#), &[])?;
    for (number, expression) in MUTATIONS.iter().enumerate() {
        let policy = mutating(&format!("mutates-{number}"), "mutations", expression);
        apply(&policy.to_string(), &[])?;
    }
    let mutated = |object: &Value| {
        let template = &object["spec"]["template"]["spec"];
        let image = template["containers"][0]["image"].as_str();
        object["metadata"]["labels"]["scanned"] == "yes"
            && object["metadata"]["annotations"]["checked"] == "yes"
            && image.is_some_and(|image| image.starts_with("web@sha256:"))
            && template["securityContext"]["runAsNonRoot"] == true
    };
    for kind in KINDS {
        let end = Instant::now() + Duration::from_secs(180);
        loop {
            let roll = roll();
            apply_part(kind, "projsync", "mutations", &roll)?;
            let object = get(kind, "mutations")?;
            let annotations = |of: &Value| {
                of["spec"]["template"]["metadata"]["annotations"]["projsync.dev/revision"].clone()
            };
            assert_eq!(annotations(&object), annotations(&roll));
            if mutated(&object) {
                break;
            }
            ensure!(Instant::now() < end, "not mutated: {object}");
            std::thread::sleep(Duration::from_millis(1100));
        }
    }
    Ok(())
}

/// A webhook that takes the annotation away leaves a request that changes nothing. It is Projsync that
/// tells so; the policy doesn't stand in its way.
#[test]
fn a_roll_that_a_webhook_takes_away_is_let_through() -> Result<()> {
    in_force()?;
    apply(&SETUP.replace(r#""admission""#, r#""strips""#), &[])?;
    let strip = r#"[JSONPatch{op: "remove", path: "/spec/template/metadata/annotations/projsync.dev~1revision"}]"#;
    apply(&mutating("strips", "strips", strip).to_string(), &[])?;
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        apply_part("statefulset", "projsync", "strips", &roll())?;
        let object = get("statefulset", "strips")?;
        let annotations = &object["spec"]["template"]["metadata"]["annotations"];
        if *annotations == json!({"kept": "x"}) {
            break;
        }
        ensure!(Instant::now() < end, "not removed: {object}");
        std::thread::sleep(Duration::from_millis(1100));
        let remove = r#"[{"op": "remove", "path": "/spec/template/metadata/annotations/projsync.dev~1revision"}]"#;
        let mut command = kubectl();
        command.args(["--namespace", "strips", "patch", "statefulset", "web"]);
        command.args(["--type=json", "--patch", remove]);
        succeeded(command.output()?)?;
    }
    apply_part("statefulset", "projsync", "strips", &roll())?;
    Ok(())
}

#[test]
fn the_expressions_are_well_typed() -> Result<()> {
    prepare();
    apply(&kustomize("admission")?, &[])?;
    well_typed("projsync-workloads")?;
    well_typed("projsync-projections")
}

fn well_typed(policy: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        let status = kubectl()
            .args(["get", "validatingadmissionpolicy", policy])
            .arg("--output=jsonpath={.status.typeChecking}")
            .output()?;
        match succeeded(status)?.as_str() {
            "" => ensure!(Instant::now() < end, "{policy} was not checked"),
            "{}" => return Ok(()),
            warnings => anyhow::bail!("{policy}: {warnings}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A Projection as somebody would write it who wants the operator to believe that all is well.
const FORGED: &str = r#"
{"apiVersion": "projsync.dev/v1alpha1", "kind": "Projection",
 "metadata": {"name": "deployment-web", "namespace": "forged"},
 "spec": {"workload": {"kind": "Deployment", "name": "web", "uid": "u"}},
 "status": {"decision": {"outcome": "Nothing", "reason": "InSync", "message": "", "since": "2026-01-01T00:00:00Z"}}}
"#;

const NAMESPACE: &str =
    r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "forged"}}"#;

/// Changes the Projection, as the account or, without it, as the cluster's administrator.
fn change_projection(account: Option<&str>, patch: &str) -> Result<String> {
    let mut kubectl = kubectl();
    kubectl
        .args(["--namespace", "forged", "patch", "projection"])
        .args(["deployment-web", "--type=merge", "--patch", patch]);
    succeeded(
        kubectl
            .args(account.map(|one| format!("--as={one}")))
            .output()?,
    )
}

#[test]
fn only_the_account_says_something_in_a_projection() -> Result<()> {
    let refused = |result, what| ensure_refused_by("projsync-projections", result, what);
    prepare();
    apply(NAMESPACE, &[])?;
    in_force()?;
    let end = Instant::now() + Duration::from_secs(180);
    while apply(FORGED, &["--dry-run=server"]).is_ok() {
        ensure!(Instant::now() < end, "the policy is not in force");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Even an administrator of the cluster.
    refused(apply(FORGED, &[]), "to create one")?;
    apply(FORGED, &["--as", ACCOUNT])?;
    let never = r#"{"status": {"contested": {"revision": "v1.a", "removals": 2}}}"#;
    refused(change_projection(None, never), "to write its status")?;
    let other = r#"{"spec": {"workload": {"name": "other"}}}"#;
    refused(change_projection(None, other), "to turn it to another")?;
    change_projection(Some(ACCOUNT), never)?;
    // What says nothing may be changed, and anybody with the right may delete it.
    change_projection(None, r#"{"metadata": {"labels": {"seen": "true"}}}"#)?;
    let delete = kubectl()
        .args([
            "--namespace",
            "forged",
            "delete",
            "projection",
            "deployment-web",
        ])
        .output()?;
    succeeded(delete)?;
    Ok(())
}
