//! The operator as it is installed.

use anyhow::ensure;
use e2e::{Operator, Result, eventually};

#[tokio::test]
async fn two_replicas_are_ready_and_one_leads() -> Result {
    let operator = Operator::installed().await?;
    eventually("two ready replicas", async || {
        let deployment = operator.deployment().await?;
        Ok((deployment["status"]["readyReplicas"] == 2).then_some(()))
    })
    .await?;
    operator.leader().await.map(drop)
}

#[tokio::test]
async fn its_pods_are_confined() -> Result {
    let pods = Operator::installed().await?.pods().await?;
    ensure!(!pods.is_empty(), "no Pod of the operator");
    for pod in pods {
        let context = &pod["spec"]["containers"][0]["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["capabilities"]["drop"][0], "ALL");
        let context = &pod["spec"]["securityContext"];
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    }
    Ok(())
}
