//! What admission puts into Pods beside their template, as meshes and secret agents do.

use serde_json::{Value, json};
use testkit::{
    Result, Source, config_map, deployment, object, policy, secret, stateful_set, until,
};

use crate::env::Env;

/// A policy that puts all keys of a Secret into the first container of each Pod that has this
/// label, and its binding, for one namespace.
fn injector(namespace: &str, source: &str, label: &str) -> [Value; 2] {
    let api = "admissionregistration.k8s.io/v1";
    let name = format!("inject-{namespace}");
    let mut policy = object(api, "MutatingAdmissionPolicy", &name);
    let patch = format!(
        r#"[JSONPatch{{op: "add", path: "/spec/containers/0/envFrom", value: [
            Object.spec.containers.envFrom{{
                secretRef: Object.spec.containers.envFrom.secretRef{{name: "{source}"}}
            }}
        ]}}]"#
    );
    policy["spec"] = json!({
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "objectSelector": {"matchLabels": {"app": label}},
            "resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                "operations": ["CREATE"],
            }],
        },
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    });
    let mut binding = object(api, "MutatingAdmissionPolicyBinding", &name);
    binding["spec"] = json!({"policyName": name});
    [policy, binding]
}

#[tokio::test]
async fn a_secret_that_only_pods_name_rolls_them_once() -> Result {
    let env = Env::new().await?;
    let mesh: Source = secret("mesh").data("token", "1");
    let app = config_map("app").data("a", "1");
    let [injector, binding] = injector(&env.namespace, "mesh", "web");
    env.create_all(&[&injector, &binding, &mesh, &app, &policy("fast").fast()])
        .await?;
    until("the policy is in force", true, async || {
        let run = [
            "run",
            "probe",
            "--image=fake",
            "--labels=app=web",
            "--dry-run=server",
            "-ojson",
        ];
        Ok(env.kubectl(&run).await?.contains("\"mesh\""))
    })
    .await?;
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    let plain = stateful_set("plain").uses(app.env("A", "a"));
    env.create_all(&[&web, &plain]).await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&plain).await?;
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;

    let edit = env.set(&mesh, "token", "2").await?;
    operator.caught_up(&[&edit]).await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 1)]).await?;

    // What every Pod has by itself makes no difference.
    let root = object("v1", "ConfigMap", "kube-root-ca.crt");
    let label = json!({"metadata": {"labels": {"seen": "yes"}}});
    env.merge(&root, label).await?;
    let edit = env.set(&app, "a", "2").await?;
    operator.caught_up(&[&edit]).await?;
    env.rolls(&plain, 1).await?;
    env.rolls(&web, 2).await?;
    operator.all_in_sync(2).await?;
    env.assert_only(&[(&web, 2), (&plain, 1)]).await
}
