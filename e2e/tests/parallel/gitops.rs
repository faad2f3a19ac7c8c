//! Whoever keeps the manifests applies them again and again: nothing rolls for it, and
//! nothing conflicts.

use std::io::Write as _;

use e2e::{Namespace, Result, Workload, helm, pod};
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
                    "spec": pod(json!({"env": [key]})),
                },
            },
        }),
    ]
}

/// Lets an owner apply the manifests by `apply`, before and after rolls.
async fn kept_by(
    case: &str,
    apply: impl AsyncFn(&Namespace, &[Value; 2]) -> Result<String>,
) -> Result {
    let namespace = Namespace::create(case).await?;
    namespace
        .policy(json!({"settle": "100ms", "minInterval": "0s"}))
        .await?;
    let web = Workload::existing(&namespace, "Deployment", "web", 1);
    apply(&namespace, &manifests("one")).await?;
    web.in_sync().await?;
    for (number, value) in ["two", "three"].into_iter().enumerate() {
        apply(&namespace, &manifests(value)).await?;
        web.rolled(number + 2).await?;
        assert_eq!(web.reports().await?[0].env["KEY"], value);
        let generation = web.object().await?["metadata"]["generation"].take();
        apply(&namespace, &manifests(value)).await?;
        let object = web.object().await?;
        assert_eq!(object["metadata"]["generation"], generation);
        let annotations = &object["spec"]["template"]["metadata"]["annotations"];
        assert!(
            annotations["projsync.dev/revision"].is_string(),
            "{annotations}"
        );
    }
    namespace.done().await
}

/// Applies them by kubectl.
async fn applied(namespace: &Namespace, manifests: &[Value; 2], how: &[&str]) -> Result<String> {
    let mut file = tempfile::NamedTempFile::new()?;
    let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests});
    file.write_all(list.to_string().as_bytes())?;
    let name = format!("--filename={}", file.path().display());
    namespace.kubectl(&[&["apply", &name], how].concat()).await
}

#[tokio::test]
async fn client_side_apply() -> Result {
    kept_by("client-side", async |namespace, manifests| {
        applied(namespace, manifests, &[]).await
    })
    .await
}

#[tokio::test]
async fn server_side_apply_by_another_manager() -> Result {
    kept_by("server-side", async |namespace, manifests| {
        applied(
            namespace,
            manifests,
            &["--server-side", "--field-manager=gitops"],
        )
        .await
    })
    .await
}

#[tokio::test]
async fn helm_upgrade() -> Result {
    let chart = tempfile::tempdir()?;
    let templates = chart.path().join("templates");
    std::fs::create_dir(&templates)?;
    std::fs::write(
        chart.path().join("Chart.yaml"),
        r#"{"apiVersion": "v2", "name": "shop", "version": "0.1.0"}"#,
    )?;
    kept_by("helm", async |namespace, manifests| {
        for (number, manifest) in manifests.iter().enumerate() {
            let file = templates.join(format!("{number}.yaml"));
            std::fs::write(file, manifest.to_string())?;
        }
        let chart = chart.path().display().to_string();
        helm(
            Some(&namespace.namespace),
            &["upgrade", "--install", "shop", &chart],
        )
        .await
    })
    .await
}
