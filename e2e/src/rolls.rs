//! A changed key reaches the process.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::cluster::{IDLE_IMAGE, Namespace, eventually, get, kubectl, list};

#[test]
fn a_deployment_rolls_once_when_its_config_map_changes() -> Result<()> {
    let namespace = Namespace::create("roll")?;
    namespace.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"key": "old", "other": "1"}},
        {"apiVersion": "apps/v1", "kind": "Deployment",
         "metadata": {"name": "web", "annotations": {"projsync.dev/sync": "true"}},
         "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
             "metadata": {"labels": {"app": "web"}},
             "spec": {"terminationGracePeriodSeconds": 1, "containers": [{
                 "name": "web", "image": IDLE_IMAGE, "imagePullPolicy": "Never",
                 "env": [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "web", "key": "key"}}}]}]}}}},
    ]}))?;
    in_sync(&namespace, 2)?;
    assert_eq!(revisions(&namespace)?, 1, "nothing rolls at first sight");

    let patch = |data: &str| {
        kubectl([
            "--namespace",
            namespace.name(),
            "patch",
            "configmap",
            "web",
            "--type=merge",
            "--patch",
            data,
        ])
    };
    patch(r#"{"data": {"other": "2"}}"#)?;
    patch(r#"{"data": {"key": "new"}}"#)?;
    eventually("a second ReplicaSet", Duration::from_secs(60), || {
        Ok((revisions(&namespace)? == 2).then_some(()))
    })?;
    in_sync(&namespace, 2)?;
    assert_eq!(revisions(&namespace)?, 2, "one roll");
    namespace.done()
}

/// Waits until so many Pods are Ready, no others are there, and the Projection calls all Fresh.
fn in_sync(namespace: &Namespace, replicas: usize) -> Result<()> {
    eventually("all Pods are fresh", Duration::from_secs(120), || {
        let deployment = get(namespace.name(), "deployment", "web")?;
        let projection = get(namespace.name(), "projection", "deployment-web")?;
        let status = &deployment["status"];
        let rolled_out = status["observedGeneration"] == deployment["metadata"]["generation"]
            && ["replicas", "updatedReplicas", "readyReplicas"]
                .iter()
                .all(|count| status[count] == replicas);
        let fresh = projection["status"]["pods"]["fresh"] == replicas;
        Ok((rolled_out && fresh).then_some(()))
    })
}

/// How many Pod templates the Deployment has had.
fn revisions(namespace: &Namespace) -> Result<usize> {
    Ok(list(namespace.name(), "replicasets", "app=web")?.len())
}
