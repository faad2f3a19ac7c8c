//! The operator as it is installed.

use anyhow::ensure;
use e2e::{Operator, Result, eventually};

#[test]
fn two_replicas_are_ready_and_one_leads() -> Result<()> {
    eventually("two ready replicas", || {
        let deployment = Operator::INSTALLED.deployment()?;
        Ok((deployment["status"]["readyReplicas"] == 2).then_some(()))
    })?;
    Operator::INSTALLED.leader()?;
    Ok(())
}

#[test]
fn its_pods_are_confined() -> Result<()> {
    let pods = Operator::INSTALLED.pods()?;
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
