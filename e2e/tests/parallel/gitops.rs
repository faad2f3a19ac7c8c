//! Whoever keeps the manifests applies them again and again: nothing rolls for it, and
//! nothing conflicts.

use std::process::Command;

use anyhow::{Context as _, Result};
use e2e::{Namespace, Workload, kubectl, output, pod};
use serde_json::{Value, json};

/// A ConfigMap, and a Deployment that has a value of it, as their owner keeps them.
fn manifests(value: &str) -> [Value; 2] {
    let key = json!({"name": "KEY", "valueFrom":
        {"configMapKeyRef": {"name": "app", "key": "key"}}});
    [
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"},
            "data": {"key": value},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "annotations": {"projsync.dev/sync": "policy"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}, "annotations": {"team": "shop"}},
                    "spec": pod(&json!({"env": [key]})),
                },
            },
        }),
    ]
}

/// Lets an owner apply the manifests by `apply`, before and after rolls.
fn kept_by(case: &str, apply: impl Fn(&Namespace, &[Value; 2]) -> Result<()>) -> Result<()> {
    let namespace = Namespace::create(case)?;
    namespace.policy(&json!({"settle": "100ms", "minInterval": "0s"}))?;
    let web = Workload::existing(&namespace, "Deployment", "web", 1);
    apply(&namespace, &manifests("one"))?;
    web.in_sync()?;
    for (number, value) in ["two", "three"].into_iter().enumerate() {
        apply(&namespace, &manifests(value))?;
        web.rolled(number + 2)?;
        assert_eq!(web.reports()?[0].env["KEY"], value);
        let generation = web.object()?["metadata"]["generation"].clone();
        apply(&namespace, &manifests(value))?;
        assert_eq!(web.object()?["metadata"]["generation"], generation);
        let annotations = &web.object()?["spec"]["template"]["metadata"]["annotations"];
        assert!(
            annotations["projsync.dev/revision"].is_string(),
            "{annotations}"
        );
    }
    namespace.done()
}

fn list(manifests: &[Value; 2]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string()
}

#[test]
fn client_side_apply() -> Result<()> {
    kept_by("client-side", |namespace, manifests| {
        let apply = ["--namespace", namespace.name(), "apply", "--filename=-"];
        kubectl(&apply, &list(manifests))?;
        Ok(())
    })
}

#[test]
fn server_side_apply_by_another_manager() -> Result<()> {
    kept_by("server-side", |namespace, manifests| {
        let apply = [
            "--namespace",
            namespace.name(),
            "apply",
            "--server-side",
            "--field-manager=gitops",
            "--filename=-",
        ];
        kubectl(&apply, &list(manifests))?;
        Ok(())
    })
}

#[test]
fn helm_upgrade() -> Result<()> {
    let helm = std::env::var("HELM").context("HELM names the binary")?;
    let chart = tempfile::tempdir()?;
    let templates = chart.path().join("templates");
    std::fs::create_dir(&templates)?;
    std::fs::write(
        chart.path().join("Chart.yaml"),
        r#"{"apiVersion": "v2", "name": "shop", "version": "0.1.0"}"#,
    )?;
    kept_by("helm", |namespace, manifests| {
        for (number, manifest) in manifests.iter().enumerate() {
            let file = templates.join(format!("{number}.yaml"));
            std::fs::write(file, manifest.to_string())?;
        }
        let mut upgrade = Command::new(&helm);
        upgrade.args([
            "upgrade",
            "--install",
            "shop",
            "--namespace",
            namespace.name(),
        ]);
        output(upgrade.arg(chart.path()), "")?;
        Ok(())
    })
}
