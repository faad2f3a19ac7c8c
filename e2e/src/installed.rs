//! The operator as it is installed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::cluster::{OPERATOR_NAMESPACE, eventually, get, kubectl, list};

const SELECTOR: &str = "app.kubernetes.io/name=projsync";

#[test]
fn two_replicas_are_ready_and_one_leads() -> Result<()> {
    eventually("two ready replicas", Duration::from_secs(120), || {
        let deployment = get(OPERATOR_NAMESPACE, "deployment", "projsync")?;
        Ok((deployment["status"]["readyReplicas"] == 2).then_some(()))
    })?;
    eventually(
        "one leader, by its metrics",
        Duration::from_secs(60),
        || {
            let mut leaders = 0;
            for pod in list(OPERATOR_NAMESPACE, "pods", SELECTOR)? {
                let name = pod["metadata"]["name"].as_str().context("a name")?;
                let metrics = kubectl([
                    "get",
                    "--raw",
                    &format!(
                        "/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods/{name}:8080/proxy/metrics"
                    ),
                ])?;
                leaders += usize::from(metrics.lines().any(|line| line == "projsync_leader 1.0"));
            }
            Ok((leaders == 1).then_some(()))
        },
    )
}

#[test]
fn its_pods_are_confined() -> Result<()> {
    let pods = list(OPERATOR_NAMESPACE, "pods", SELECTOR)?;
    ensure!(!pods.is_empty(), "no Pod of the operator");
    for pod in pods {
        let context = &pod["spec"]["containers"][0]["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"]["drop"][0], "ALL");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    }
    Ok(())
}
