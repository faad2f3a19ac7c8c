//! Deployments, StatefulSets and DaemonSets, with what Projsync says of them.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{Namespace, Report, Result, eventually, until};

/// A workload, whose Pods run `e2e/workload`.
#[derive(Clone, Debug)]
pub struct Workload {
    namespace: Namespace,
    kind: &'static str,
    name: String,
    pods: usize,
}

impl Workload {
    pub(crate) fn create(
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
        namespace.add(&json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        }))?;
        Ok(Self::existing(namespace, kind, name, pods))
    }

    /// One that exists, with so many Pods.
    #[must_use]
    pub fn existing(namespace: &Namespace, kind: &'static str, name: &str, pods: usize) -> Self {
        Self {
            namespace: namespace.clone(),
            kind,
            name: name.to_owned(),
            pods,
        }
    }

    /// `<kind>/<name>`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// The object.
    ///
    /// # Errors
    /// Of the API server.
    pub fn object(&self) -> Result<Value> {
        self.namespace.get(self.kind, &self.name)
    }

    /// Merges into the object (a JSON merge patch).
    ///
    /// # Errors
    /// Of the API server.
    pub fn merge(&self, patch: &Value) -> Result<()> {
        self.namespace.merge(self.kind, &self.name, patch)
    }

    /// The status of its Projection.
    ///
    /// # Errors
    /// Of the API server.
    pub fn projection(&self) -> Result<Value> {
        let name = format!("{}-{}", self.kind.to_lowercase(), self.name);
        Ok(self.namespace.get("Projection", &name)?["status"].clone())
    }

    /// Its Pods that are not going.
    ///
    /// # Errors
    /// Of the API server.
    pub fn pods(&self) -> Result<Vec<Value>> {
        let mut pods = self.namespace.list("Pod", &self.name)?;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(pods)
    }

    /// Their names, in order.
    ///
    /// # Errors
    /// Of the API server.
    pub fn pod_names(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self
            .pods()?
            .iter()
            .filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    /// What the process on a port sees, in each of its Pods.
    ///
    /// # Errors
    /// Where a Pod doesn't answer, or there is none.
    pub fn reports_on(&self, port: u16) -> Result<Vec<Report>> {
        let names = self.pod_names()?;
        ensure!(!names.is_empty(), "{} has no Pods", self.key());
        let report = |pod: &String| {
            let text = self.namespace.ask(pod, port, "report")?;
            serde_json::from_str(&text).with_context(|| text.clone())
        };
        names.iter().map(report).collect()
    }

    /// What the main process sees, in each of its Pods.
    ///
    /// # Errors
    /// Where a Pod doesn't answer, or there is none.
    pub fn reports(&self) -> Result<Vec<Report>> {
        self.reports_on(8080)
    }

    /// How many Pod templates it has had: its ReplicaSets or ControllerRevisions.
    ///
    /// # Errors
    /// Of the API server.
    pub fn templates(&self) -> Result<usize> {
        let kind = match self.kind {
            "Deployment" => "ReplicaSet",
            _ => "ControllerRevision",
        };
        Ok(self.namespace.list(kind, &self.name)?.len())
    }

    /// What its rollout still lacks; empty where nothing.
    fn rollout_lacks(&self) -> Result<String> {
        let object = self.object()?;
        let status = &object["status"];
        let counts: &[&str] = match self.kind {
            "DaemonSet" => &[
                "currentNumberScheduled",
                "updatedNumberScheduled",
                "numberReady",
            ],
            _ => &["replicas", "updatedReplicas", "readyReplicas"],
        };
        let observed = status["observedGeneration"] == object["metadata"]["generation"];
        let complete = counts.iter().all(|count| status[count] == self.pods);
        // Those that are going have no part in what follows.
        let pods = self.namespace.list("Pod", &self.name)?.len();
        Ok(if observed && complete && pods == self.pods {
            String::new()
        } else {
            format!("{} has {pods} Pods and the status {status}", self.key())
        })
    }

    /// Waits until all its Pods are of its template, and ready, and no others are left.
    ///
    /// # Errors
    /// Where that does not happen.
    #[track_caller]
    pub fn rolled_out(&self) -> Result<()> {
        until("rolled out", String::new(), || self.rollout_lacks())
    }

    /// Waits until its rollout is complete and its Projection calls every Pod Fresh.
    ///
    /// # Errors
    /// Where that does not happen.
    #[track_caller]
    pub fn in_sync(&self) -> Result<()> {
        until("in sync", String::new(), || self.lacks())
    }

    /// Waits until it has had so many Pod templates and is in sync.
    ///
    /// # Errors
    /// Where that does not happen, or it was rolled more often than that.
    #[track_caller]
    pub fn rolled(&self, templates: usize) -> Result<()> {
        eventually("another Pod template", || {
            Ok((self.templates()? >= templates).then_some(()))
        })?;
        self.in_sync()?;
        let found = self.templates()?;
        ensure!(
            found == templates,
            "{} was rolled too often: {found} templates, not {templates}",
            self.key()
        );
        Ok(())
    }

    fn lacks(&self) -> Result<String> {
        let lacks = self.rollout_lacks()?;
        if !lacks.is_empty() {
            return Ok(lacks);
        }
        let (object, projection) = (self.object()?, self.projection()?);
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
    ///
    /// # Errors
    /// Where it does not.
    #[track_caller]
    pub fn decided(&self, reason: &str) -> Result<String> {
        eventually(&format!("decided {reason}"), || {
            let decision = self.projection()?["decision"].take();
            ensure!(decision["reason"] == reason, "{decision}");
            Ok(decision["message"].as_str().map(str::to_owned))
        })
    }
}
