//! Writes of the status of policies.

use kube::Resource;
use kube::api::Patch;
use kube::core::Request;
use serde_json::json;

use super::writer::{Subject, Writer, forced};
use super::written::Written;
use crate::api::policy::{ClusterSyncPolicy, PolicyStatus, SyncPolicy};
use crate::core::policy::PolicyId;

impl Writer {
    /// Writes the status of a policy.
    pub async fn policy_status(&self, id: &PolicyId, status: &PolicyStatus) -> Written {
        let namespace = id.namespace().map(|namespace| &**namespace);
        let (url, api_version) = match id {
            PolicyId::Namespaced { .. } => (
                SyncPolicy::url_path(&(), namespace),
                SyncPolicy::api_version(&()),
            ),
            PolicyId::Cluster { .. } => (
                ClusterSyncPolicy::url_path(&(), None),
                ClusterSyncPolicy::api_version(&()),
            ),
        };
        let mut body = json!({
            "apiVersion": api_version,
            "kind": id.kind(),
            "metadata": {"name": &**id.name()},
            "status": status,
        });
        if let Some(namespace) = namespace {
            body["metadata"]["namespace"] = namespace.into();
        }
        let request = Request::new(url);
        let apply = Patch::Apply(&body);
        let request = request.patch_subresource("status", id.name(), &forced(), &apply);
        self.write(Subject::Status, id, "patch", request).await
    }
}
