//! Deployments, StatefulSets and DaemonSets, with what Projsync says of them.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::{Edit, Result, Space, eventually, object, rollout_lacks, until};

use crate::namespace::ask;
use crate::{Namespace, Report};

/// A workload, whose Pods run `e2e/workload`.
#[derive(Clone)]
pub struct Workload {
    space: Space,
    kind: &'static str,
    name: String,
    pods: usize,
}

impl Workload {
    pub(crate) async fn create(
        namespace: &Namespace,
        kind: &'static str,
        name: &str,
        pods: usize,
        pod: &Value,
        more: Value,
    ) -> Result<Self> {
        let labels = json!({"app": name});
        let mut spec = more;
        spec["selector"] = json!({"matchLabels": labels});
        spec["template"] = json!({"metadata": {"labels": labels}, "spec": pod});
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        namespace.create(&manifest).await?;
        Ok(Self::existing(namespace, kind, name, pods))
    }

    /// One that exists, with so many Pods.
    pub fn existing(namespace: &Namespace, kind: &'static str, name: &str, pods: usize) -> Self {
        Self {
            space: (**namespace).clone(),
            kind,
            name: name.to_owned(),
            pods,
        }
    }

    /// `<kind>/<name>`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    fn reference(&self) -> Value {
        object("apps/v1", self.kind, &self.name)
    }

    /// The object.
    pub async fn object(&self) -> Result<Value> {
        self.space.get(&self.reference()).await
    }

    /// Merges into the object (a JSON merge patch).
    pub async fn merge(&self, patch: Value) -> Result<Edit> {
        self.space.merge(&self.reference(), patch).await
    }

    /// The operator's Events about it: reason and note.
    pub async fn events(&self) -> Result<Vec<(String, String)>> {
        self.space.events(&self.reference()).await
    }

    /// The status of its Projection.
    pub async fn projection(&self) -> Result<Value> {
        let name = format!("{}-{}", self.kind.to_lowercase(), self.name);
        let projection = object("projsync.dev/v1alpha1", "Projection", &name);
        Ok(self.space.get(&projection).await?["status"].take())
    }

    async fn list(&self, api_version: &str, kind: &str) -> Result<Vec<Value>> {
        let selector = format!("app={}", self.name);
        let kind = object(api_version, kind, "");
        self.space.labelled(&kind, &selector).await
    }

    /// Its Pods that are not going.
    pub async fn pods(&self) -> Result<Vec<Value>> {
        let mut pods = self.list("v1", "Pod").await?;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(pods)
    }

    /// Their names, in order.
    pub async fn pod_names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self
            .pods()
            .await?
            .iter()
            .filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    /// What the process on a port sees, in each of its Pods.
    pub async fn reports_on(&self, port: u16) -> Result<Vec<Report>> {
        let mut reports = Vec::new();
        for pod in self.pod_names().await? {
            let text = ask(&self.space, &pod, port, "report").await?;
            reports.push(serde_json::from_str(&text).with_context(|| text.clone())?);
        }
        ensure!(!reports.is_empty(), "{} has no Pods", self.key());
        Ok(reports)
    }

    /// What the main process sees, in each of its Pods.
    pub async fn reports(&self) -> Result<Vec<Report>> {
        self.reports_on(8080).await
    }

    /// How many Pod templates it has had: its ReplicaSets or ControllerRevisions.
    pub async fn templates(&self) -> Result<usize> {
        let kind = match self.kind {
            "Deployment" => "ReplicaSet",
            _ => "ControllerRevision",
        };
        Ok(self.list("apps/v1", kind).await?.len())
    }

    /// What its rollout still lacks; empty where nothing.
    async fn rollout_lacks(&self) -> Result<String> {
        let lacks = rollout_lacks(&self.object().await?);
        // Those that are going have no part in what follows.
        let pods = self.list("v1", "Pod").await?.len();
        Ok(match (lacks.is_empty(), pods == self.pods) {
            (true, false) => format!("{pods} Pods in place of {}", self.pods),
            _ => lacks,
        })
    }

    /// Waits until all its Pods are of its template, and ready, and no others are left.
    pub async fn rolled_out(&self) -> Result {
        let what = format!("{} is rolled out", self.key());
        until(what, String::new(), async || self.rollout_lacks().await).await
    }

    /// Waits until its rollout is complete and its Projection calls every Pod Fresh.
    pub async fn in_sync(&self) -> Result {
        let what = format!("{} is in sync", self.key());
        until(what, String::new(), async || self.lacks().await).await
    }

    /// Waits until it has had so many Pod templates and is in sync.
    pub async fn rolled(&self, templates: usize) -> Result {
        eventually("another Pod template", async || {
            Ok((self.templates().await? >= templates).then_some(()))
        })
        .await?;
        self.in_sync().await?;
        let found = self.templates().await?;
        ensure!(
            found == templates,
            "{} was rolled too often: {found} templates, not {templates}",
            self.key()
        );
        Ok(())
    }

    async fn lacks(&self) -> Result<String> {
        let lacks = self.rollout_lacks().await?;
        if !lacks.is_empty() {
            return Ok(lacks);
        }
        let (object, projection) = (self.object().await?, self.projection().await?);
        let pods = &projection["pods"];
        let current = projection["observedGeneration"] == object["metadata"]["generation"];
        let fresh = pods["total"] == self.pods && pods["fresh"] == self.pods;
        Ok(
            if current && fresh && projection["decision"]["reason"] == "InSync" {
                String::new()
            } else {
                format!(
                    "{} is of generation {}, its Projection of {}, with Pods {pods} and decision {}",
                    self.key(),
                    object["metadata"]["generation"],
                    projection["observedGeneration"],
                    projection["decision"]
                )
            },
        )
    }

    /// Waits until its Projection gives this reason, and returns the sentence.
    pub async fn decided(&self, reason: &str) -> Result<String> {
        eventually(format!("decided {reason}"), async || {
            let decision = self.projection().await?["decision"].take();
            ensure!(decision["reason"] == reason, "{decision}");
            Ok(decision["message"].as_str().map(str::to_owned))
        })
        .await
    }
}
