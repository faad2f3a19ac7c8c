//! A namespace in an administrator's hands.

use std::collections::BTreeSet;
use std::fmt::Debug;

use anyhow::{Context as _, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    VersionMatch,
};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Kubectl, Object, Result, Source, SourceKind, Workload, WorkloadKind, object, until};

/// The field manager of what a test writes.
const MANAGER: &str = "test";

/// The kinds of objects that have no namespace.
const CLUSTER_WIDE: [&str; 9] = [
    "ClusterSyncPolicy",
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "Node",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// A namespace in an administrator's hands.
#[derive(Clone)]
pub struct Space {
    /// The administrator's.
    pub client: Client,
    /// Its name.
    pub namespace: String,
    /// kubectl with the administrator's credentials.
    pub kubectl: Kubectl,
}

/// A version of an object that was written.
#[derive(Clone, Debug)]
pub struct Edit {
    /// `<kind> <namespace>/<name>`.
    pub key: String,
    /// `metadata.resourceVersion`; 0 where it is gone.
    pub version: u64,
    /// Whether it is gone.
    pub deleted: bool,
}

impl Space {
    /// Creates an object.
    pub async fn create(&self, object: &dyn Object) -> Result<Edit> {
        let manifest = object.manifest();
        let body = serde_json::from_value(manifest.clone())?;
        let created = self
            .dynamic(&manifest)?
            .create(&written(), &body)
            .await
            .with_context(|| format!("creating {manifest}"))?;
        edit(&created)
    }

    /// Creates objects in this order.
    pub async fn create_all(&self, objects: &[&dyn Object]) -> Result<Vec<Edit>> {
        let mut edits = Vec::new();
        for object in objects {
            edits.push(self.create(*object).await?);
        }
        Ok(edits)
    }

    /// Applies an object as its owner does, by server-side apply.
    pub async fn apply(&self, object: &dyn Object) -> Result<Edit> {
        self.apply_as(MANAGER, object).await
    }

    /// Applies an object, or a part of it, as this field manager.
    pub async fn apply_as(&self, manager: &str, object: &dyn Object) -> Result<Edit> {
        let manifest = object.manifest();
        let parameters = PatchParams::apply(manager).force();
        let applied = self
            .dynamic(&manifest)?
            .patch(&object.name(), &parameters, &Patch::Apply(&manifest))
            .await
            .with_context(|| format!("applying {manifest}"))?;
        edit(&applied)
    }

    /// Merges something into an object (a JSON merge patch).
    pub async fn merge(&self, object: &dyn Object, patch: Value) -> Result<Edit> {
        self.merge_into(object, None, patch).await
    }

    /// Merges something into the status of an object.
    pub async fn merge_status(&self, object: &dyn Object, patch: Value) -> Result<Edit> {
        self.merge_into(object, Some("status"), patch).await
    }

    /// Merges something into an object or a subresource of it.
    pub async fn merge_into(
        &self,
        object: &dyn Object,
        subresource: Option<&str>,
        patch: Value,
    ) -> Result<Edit> {
        let (api, name) = (self.dynamic(&object.manifest())?, object.name());
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let body = Patch::Merge(&patch);
        let patched = match subresource {
            None => api.patch(&name, &parameters, &body).await,
            Some(part) => api.patch_subresource(part, &name, &parameters, &body).await,
        };
        edit(&patched.with_context(|| format!("merging {patch} into {name}"))?)
    }

    /// Replaces an object as `kubectl replace` does: whatever is not in the manifest goes.
    pub async fn replace(&self, object: &dyn Object) -> Result<Edit> {
        let mut manifest = object.manifest();
        let api = self.dynamic(&manifest)?;
        let old = api.get(&object.name()).await?;
        manifest["metadata"]["resourceVersion"] = json!(old.metadata.resource_version);
        let body = serde_json::from_value(manifest)?;
        edit(&api.replace(&object.name(), &written(), &body).await?)
    }

    /// Deletes an object; Pods of a workload go with it, in the background.
    pub async fn delete(&self, object: &dyn Object) -> Result<Edit> {
        let parameters = DeleteParams::background();
        self.dynamic(&object.manifest())?
            .delete(&object.name(), &parameters)
            .await?;
        Ok(Edit {
            key: self.key(object),
            version: 0,
            deleted: true,
        })
    }

    /// Sets a key of a source's `data`.
    pub async fn set(&self, source: &Source, key: &str, value: &str) -> Result<Edit> {
        let value = match source.kind() {
            SourceKind::ConfigMap => value.to_owned(),
            SourceKind::Secret => STANDARD.encode(value),
        };
        self.merge(source, json!({"data": {key: value}})).await
    }

    /// Sets a key of a ConfigMap's `binaryData`.
    pub async fn set_binary(&self, source: &Source, key: &str, value: &[u8]) -> Result<Edit> {
        let value = STANDARD.encode(value);
        self.merge(source, json!({"binaryData": {key: value}}))
            .await
    }

    /// Removes a key of a source's `data`.
    pub async fn unset(&self, source: &Source, key: &str) -> Result<Edit> {
        self.merge(source, json!({"data": {key: null}})).await
    }

    /// Sets an annotation of an object (`None` removes it).
    pub async fn annotate(
        &self,
        object: &dyn Object,
        name: &str,
        value: Option<&str>,
    ) -> Result<Edit> {
        let patch = json!({"metadata": {"annotations": {name: value}}});
        self.merge(object, patch).await
    }

    /// Sets `spec.replicas`.
    pub async fn scale(&self, workload: &Workload, replicas: u32) -> Result<Edit> {
        self.merge(workload, json!({"spec": {"replicas": replicas}}))
            .await
    }

    /// An object as the API server has it.
    pub async fn get(&self, object: &dyn Object) -> Result<Value> {
        let api = self.dynamic(&object.manifest())?;
        Ok(serde_json::to_value(api.get(&object.name()).await?)?)
    }

    /// All objects of an object's kind.
    pub async fn all(&self, object: &dyn Object) -> Result<Vec<Value>> {
        self.labelled(object, "").await
    }

    /// Those with these labels.
    pub async fn labelled(&self, object: &dyn Object, selector: &str) -> Result<Vec<Value>> {
        let manifest = object.manifest();
        let parameters = ListParams::default().labels(selector);
        let found = self.dynamic(&manifest)?.list(&parameters).await?;
        let mut objects = Vec::new();
        for item in found {
            let mut item = serde_json::to_value(item)?;
            // Items of a list don't say what they are.
            item["kind"] = manifest["kind"].clone();
            item["apiVersion"] = manifest["apiVersion"].clone();
            objects.push(item);
        }
        Ok(objects)
    }

    /// Whether an object exists.
    pub async fn exists(&self, object: &dyn Object) -> Result<bool> {
        let api = self.dynamic(&object.manifest())?;
        Ok(api.get_opt(&object.name()).await?.is_some())
    }

    /// All objects of a kind.
    pub async fn list<K>(&self) -> Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(api.list(&ListParams::default()).await?.items)
    }

    /// A workload's Pods that are not going.
    pub async fn pods(&self, workload: &Workload) -> Result<Vec<Pod>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let selector = format!("app={}", workload.label_value());
        let pods = api.list(&ListParams::default().labels(&selector)).await?;
        let stays = |pod: &Pod| pod.metadata.deletion_timestamp.is_none();
        Ok(pods.items.into_iter().filter(stays).collect())
    }

    /// Their uids.
    pub async fn pod_uids(&self, workload: &Workload) -> Result<BTreeSet<String>> {
        let pods = self.pods(workload).await?.into_iter();
        Ok(pods.filter_map(|pod| pod.metadata.uid).collect())
    }

    /// The names of the Pods that existed at a version of the store: those that
    /// started before the edit of that version.
    pub async fn pods_before(&self, workload: &Workload, edit: &Edit) -> Result<BTreeSet<String>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let parameters = ListParams::default()
            .labels(&format!("app={}", workload.label_value()))
            .at(&edit.version.to_string())
            .matching(VersionMatch::Exact);
        let pods = api.list_metadata(&parameters).await?;
        Ok(pods
            .items
            .into_iter()
            .filter_map(|pod| pod.metadata.uid)
            .collect())
    }

    /// Asserts that every Pod of a workload was created after an edit.
    pub async fn assert_started_after(&self, workload: &Workload, edit: &Edit) -> Result {
        let before = self.pods_before(workload, edit).await?;
        let pods = self.pods(workload).await?;
        ensure!(!pods.is_empty(), "{} has no Pods", self.key(workload));
        for pod in pods {
            let (name, uid) = (pod.metadata.name, pod.metadata.uid.unwrap_or_default());
            ensure!(
                !before.contains(&uid),
                "Pod {name:?} is older than {edit:?}"
            );
        }
        Ok(())
    }

    /// How many different Pod templates a workload has had: its ReplicaSets or
    /// ControllerRevisions.
    pub async fn templates(&self, workload: &Workload) -> Result<usize> {
        let selector = ListParams::default().labels(&format!("app={}", workload.label_value()));
        let (client, namespace) = (self.client.clone(), self.namespace.as_str());
        Ok(match workload.kind() {
            WorkloadKind::Deployment => {
                let api: Api<ReplicaSet> = Api::namespaced(client, namespace);
                api.list(&selector).await?.items.len()
            }
            WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
                let api: Api<ControllerRevision> = Api::namespaced(client, namespace);
                api.list(&selector).await?.items.len()
            }
        })
    }

    /// The operator's Events about an object: reason and note.
    pub async fn events(&self, object: &dyn Object) -> Result<Vec<(String, String)>> {
        let regards = |event: &Event| {
            let regarding = event.regarding.as_ref();
            event.reporting_controller.as_deref() == Some("projsync.dev/projsync")
                && regarding.and_then(|r| r.name.clone()) == Some(object.name())
                && regarding.and_then(|r| r.kind.clone()) == Some(object.kind_name())
        };
        let events = self.list::<Event>().await?.into_iter().filter(regards);
        Ok(events
            .map(|event| {
                (
                    event.reason.unwrap_or_default(),
                    event.note.unwrap_or_default(),
                )
            })
            .collect())
    }

    /// The value of `projsync.dev/revision` on a workload's Pod template.
    pub async fn revision(&self, workload: &Workload) -> Result<Option<String>> {
        let found = self.get(workload).await?;
        let annotations = &found["spec"]["template"]["metadata"]["annotations"];
        let value = &annotations["projsync.dev/revision"];
        Ok(value.as_str().map(str::to_owned))
    }

    /// Waits until a workload's controller has done all that its spec asks: all
    /// Pods are of its template, ready, and no other is left.
    pub async fn rolled_out(&self, workload: &Workload) -> Result {
        let key = self.key(workload);
        until(format!("{key} rolled out"), String::new(), async || {
            Ok(rollout_lacks(&self.get(workload).await?))
        })
        .await
    }

    /// Lets the Pods of a workload that was [`held`](Workload::held) start, and waits for that.
    pub async fn release(&self, workload: &Workload) -> Result {
        let key = self.key(workload);
        until(format!("{key} started"), String::new(), async || {
            for pod in self.pods(workload).await? {
                let gates = pod
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.scheduling_gates.as_ref());
                if gates.is_some_and(|gates| !gates.is_empty()) {
                    let name = pod.metadata.name.unwrap_or_default();
                    let none = json!({"spec": {"schedulingGates": null}});
                    self.merge(&object("v1", "Pod", &name), none).await?;
                }
            }
            self.rolled_out_now(workload).await
        })
        .await
    }

    /// What a workload's rollout still lacks; empty where nothing.
    pub async fn rolled_out_now(&self, workload: &Workload) -> Result<String> {
        Ok(rollout_lacks(&self.get(workload).await?))
    }

    /// Runs kubectl as an administrator, in this namespace.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let here = ["--namespace", &self.namespace];
        self.kubectl.run(&[&here, arguments].concat()).await
    }

    /// `<kind> <namespace>/<name>` of an object here.
    pub fn key(&self, object: &dyn Object) -> String {
        format!(
            "{} {}/{}",
            object.kind_name(),
            self.namespace,
            object.name()
        )
    }

    /// The API of a manifest's kind.
    fn dynamic(&self, manifest: &Value) -> Result<Api<DynamicObject>> {
        let types: TypeMeta = serde_json::from_value(manifest.clone())?;
        let gvk = GroupVersionKind::try_from(&types)?;
        let (client, resource) = (self.client.clone(), ApiResource::from_gvk(&gvk));
        Ok(match CLUSTER_WIDE.contains(&gvk.kind.as_str()) {
            true => Api::all_with(client, &resource),
            false => Api::namespaced_with(client, &self.namespace, &resource),
        })
    }
}

/// How many Pods a workload is to have, as far as its controller has told.
pub(crate) fn wanted_pods(workload: &Value) -> u64 {
    match workload["kind"] == "DaemonSet" {
        true => workload["status"]["desiredNumberScheduled"]
            .as_u64()
            .unwrap_or(0),
        false => workload["spec"]["replicas"].as_u64().unwrap_or(1),
    }
}

/// What a rollout still lacks, by the rules of `kubectl rollout status`; empty where nothing.
pub fn rollout_lacks(workload: &Value) -> String {
    let status = &workload["status"];
    let count = |field: &str| status[field].as_u64().unwrap_or(0);
    let daemon = workload["kind"] == "DaemonSet";
    let wanted = wanted_pods(workload);
    let ready = count(if daemon {
        "numberReady"
    } else {
        "readyReplicas"
    });
    let updated = count(if daemon {
        "updatedNumberScheduled"
    } else {
        "updatedReplicas"
    });
    let all = if daemon {
        count("currentNumberScheduled")
    } else {
        count("replicas")
    };
    if status["observedGeneration"] != workload["metadata"]["generation"] {
        return "not observed".to_owned();
    }
    // A DaemonSet that has just been made wants nothing yet.
    if daemon && wanted == 0 {
        return "no Pods wanted yet".to_owned();
    }
    if (ready, updated, all) != (wanted, wanted, wanted) {
        return format!("{wanted} wanted, {all} there, {updated} updated, {ready} ready");
    }
    String::new()
}

fn written() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn edit(object: &DynamicObject) -> Result<Edit> {
    let types = object.types.as_ref().context("no kind")?;
    let metadata = &object.metadata;
    let version = metadata.resource_version.as_deref().unwrap_or_default();
    Ok(Edit {
        key: format!(
            "{} {}/{}",
            types.kind,
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default()
        ),
        version: version
            .parse()
            .map_err(|_| anyhow!("resourceVersion {version:?}"))?,
        deleted: false,
    })
}

/// What a manager owns by an object's managedFields: one entry for each way in
/// which it has written.
pub fn owned_by<'a>(object: &'a Value, manager: &str) -> Vec<&'a Value> {
    let entries = object["metadata"]["managedFields"].as_array();
    let of_manager = |entry: &&Value| entry["manager"] == manager;
    let entries = entries.into_iter().flatten().filter(of_manager);
    entries.map(|entry| &entry["fieldsV1"]).collect()
}
