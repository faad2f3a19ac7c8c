//! The installation for a few namespaces, without any right in the cluster as a whole.

use anyhow::{Result, ensure};
use e2e::{Operator, account, kubectl, make, path};

use crate::users::Users;

#[test]
fn it_keeps_one_namespace_in_step_and_leaves_another_alone() -> Result<()> {
    let operator = Operator::INSTALLED;
    let image = format!("IMG={}", Operator::image()?);
    make(&["undeploy"])?;
    let mut managed = Users::create("restricted", 2)?;
    let mut other = Users::create("unrestricted", 1)?;
    make(&["install"])?;
    kubectl(&["create", "namespace", operator.namespace()], "")?;
    let namespaces = format!("NAMESPACES={}", managed.namespace.name());
    make(&["deploy-restricted", &image, &namespaces])?;
    operator.ready(2)?;

    managed.managed()?;
    managed.change()?;
    other.change()?;
    managed.assert_rolled()?;
    for (_, workload) in &other.deployments {
        assert_eq!(workload.templates()?, 1, "{}", workload.key());
        assert_eq!(workload.reports()?[0].env["KEY"], "0");
    }

    // Nothing of the cluster, nor of the other namespace, is within its reach.
    let account = account(operator)?;
    for path in [
        "/api/v1/pods".to_owned(),
        "/apis/projsync.dev/v1alpha1/clustersyncpolicies".to_owned(),
        path(other.namespace.name(), "ConfigMap", ""),
        path("kube-system", "Secret", ""),
    ] {
        let answer = account.read(&path);
        let forbidden = |error: &anyhow::Error| format!("{error:#}").contains("forbidden");
        ensure!(answer.as_ref().is_err_and(forbidden), "{path}: {answer:?}");
    }

    make(&["undeploy-restricted", &image, &namespaces])?;
    make(&["uninstall"])?;
    kubectl(&["delete", "namespace", operator.namespace()], "")?;
    operator.deploy(&Operator::image()?)?;
    managed.namespace.done()?;
    other.namespace.done()
}
