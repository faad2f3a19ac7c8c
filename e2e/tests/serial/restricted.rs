//! The installation for a few namespaces, without any right in the cluster as a whole.

use anyhow::ensure;
use e2e::{Operator, Result, kubectl, make};

use crate::users::Users;

#[tokio::test]
async fn it_keeps_one_namespace_in_step_and_leaves_another_alone() -> Result {
    let operator = Operator::installed().await?;
    let image = format!("IMG={}", Operator::image()?);
    make(&["undeploy"]).await?;
    let mut managed = Users::create("restricted", 2).await?;
    let mut other = Users::create("unrestricted", 1).await?;
    make(&["install"]).await?;
    kubectl(&["create", "namespace", testkit::HOME]).await?;
    let namespaces = format!("NAMESPACES={}", managed.namespace.namespace);
    make(&["deploy-restricted", &image, &namespaces]).await?;
    operator.ready(2).await?;

    managed.managed().await?;
    managed.change().await?;
    other.change().await?;
    managed.assert_rolled().await?;
    for (_, workload) in &other.deployments {
        assert_eq!(workload.templates().await?, 1, "{}", workload.key());
        assert_eq!(workload.reports().await?[0].env["KEY"], "0");
    }

    // Nothing of the cluster, nor of the other namespace, is within its reach.
    let account = operator.account().await?;
    for path in [
        "/api/v1/pods",
        "/apis/projsync.dev/v1alpha1/clustersyncpolicies",
        &format!(
            "/api/v1/namespaces/{}/configmaps",
            other.namespace.namespace
        ),
        "/api/v1/namespaces/kube-system/secrets",
    ] {
        let request = http::Request::get(path).body(Vec::new())?;
        let answer = account.client.request_text(request).await;
        let forbidden = |error: &kube::Error| error.to_string().contains("forbidden");
        ensure!(answer.as_ref().is_err_and(forbidden), "{path}: {answer:?}");
    }

    make(&["undeploy-restricted", &image, &namespaces]).await?;
    make(&["uninstall"]).await?;
    kubectl(&["delete", "namespace", testkit::HOME]).await?;
    operator.deploy(&Operator::image()?).await?;
    managed.namespace.done().await?;
    other.namespace.done().await
}
