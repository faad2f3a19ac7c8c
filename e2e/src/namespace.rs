//! A namespace of a test's own.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{Cluster, Result, Source, Workload, path};

/// A namespace of a test's own. One of a failed test stays, to be looked at.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    cluster: &'static Cluster,
}

impl Namespace {
    /// Creates one that is named after the case.
    ///
    /// # Errors
    /// Of the API server.
    pub fn create(case: &str) -> Result<Self> {
        let cluster = Cluster::get()?;
        let name = format!("e2e-{case}-{}", std::process::id());
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        cluster.create("/api/v1/namespaces", &object)?;
        Ok(Self { name, cluster })
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates an object of this namespace.
    ///
    /// # Errors
    /// Of the API server.
    pub fn add(&self, object: &Value) -> Result<()> {
        let kind = object["kind"].as_str().unwrap_or_default();
        self.cluster.create(&path(&self.name, kind, ""), object)?;
        Ok(())
    }

    /// Creates a SyncPolicy `policy` for every workload, with this spec.
    ///
    /// # Errors
    /// Of the API server.
    pub fn policy(&self, spec: &Value) -> Result<()> {
        self.add(&json!({
            "apiVersion": "projsync.dev/v1alpha1", "kind": "SyncPolicy",
            "metadata": {"name": "policy"}, "spec": spec,
        }))
    }

    /// Creates a ConfigMap with this data.
    ///
    /// # Errors
    /// Of the API server.
    pub fn config_map(&self, name: &str, data: &Value) -> Result<Source> {
        Source::create(self, "ConfigMap", name, data)
    }

    /// Creates a Secret with this data, in the clear.
    ///
    /// # Errors
    /// Of the API server.
    pub fn secret(&self, name: &str, data: &Value) -> Result<Source> {
        Source::create(self, "Secret", name, data)
    }

    /// Creates a Deployment, which surges so that it never has too few Pods.
    ///
    /// # Errors
    /// Of the API server.
    pub fn deployment(&self, name: &str, replicas: usize, pod: &Value) -> Result<Workload> {
        let more = json!({"replicas": replicas, "strategy":
            {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}});
        Workload::create(self, "Deployment", name, replicas, pod, more)
    }

    /// Creates a StatefulSet, which replaces one Pod after the other.
    ///
    /// # Errors
    /// Of the API server.
    pub fn stateful_set(&self, name: &str, replicas: usize, pod: &Value) -> Result<Workload> {
        let more = json!({"replicas": replicas, "serviceName": name});
        Workload::create(self, "StatefulSet", name, replicas, pod, more)
    }

    /// Creates a DaemonSet.
    ///
    /// # Errors
    /// Of the API server.
    pub fn daemon_set(&self, name: &str, pod: &Value) -> Result<Workload> {
        let nodes = self.cluster.read("/api/v1/nodes")?["items"].clone();
        let nodes = nodes.as_array().map_or(0, Vec::len);
        Workload::create(self, "DaemonSet", name, nodes, pod, json!({}))
    }

    /// An object.
    ///
    /// # Errors
    /// Of the API server.
    pub fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.cluster.read(&path(&self.name, kind, name))
    }

    /// All objects of a kind with this label `app`.
    ///
    /// # Errors
    /// Of the API server.
    pub fn list(&self, kind: &str, app: &str) -> Result<Vec<Value>> {
        self.cluster.list(&self.name, kind, &format!("app={app}"))
    }

    /// Merges into an object (a JSON merge patch).
    ///
    /// # Errors
    /// Of the API server.
    pub fn merge(&self, kind: &str, name: &str, patch: &Value) -> Result<()> {
        self.cluster.merge(&path(&self.name, kind, name), patch)?;
        Ok(())
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// Of the API server.
    pub fn delete(&self, kind: &str, name: &str) -> Result<()> {
        self.cluster.delete(&path(&self.name, kind, name))
    }

    /// The operator's Events about an object, as `<reason>: <note>`.
    ///
    /// # Errors
    /// Of the API server.
    pub fn events(&self, kind: &str, name: &str) -> Result<Vec<String>> {
        let events = self.cluster.list(&self.name, "Event", "")?;
        let ours = |event: &&Value| {
            event["reportingController"] == "projsync.dev/projsync"
                && event["regarding"]["kind"] == kind
                && event["regarding"]["name"] == name
        };
        let text = |event: &Value| {
            let [reason, note] = ["reason", "note"].map(|field| event[field].as_str());
            format!(
                "{}: {}",
                reason.unwrap_or_default(),
                note.unwrap_or_default()
            )
        };
        Ok(events.iter().filter(ours).map(text).collect())
    }

    /// What a Pod's server answers at `<port>/proxy/<path>`, through the API server.
    ///
    /// # Errors
    /// Of the API server or the Pod's.
    pub fn ask(&self, pod: &str, port: u16, what: &str) -> Result<String> {
        let pod = path(&self.name, "Pod", &format!("{pod}:{port}"));
        self.cluster.text(&format!("{pod}/proxy/{what}"))
    }

    /// Makes the container of a Pod that serves this port fail.
    ///
    /// # Errors
    /// Where the Pod can't be reached.
    pub fn crash(&self, pod: &str, port: u16) -> Result<()> {
        let pod = path(&self.name, "Pod", &format!("{pod}:{port}"));
        let request = http::Request::post(format!("{pod}/proxy/crash")).body(Vec::new())?;
        // It ends without an answer, which the proxy calls a bad gateway.
        let answer = self.cluster.request(request);
        ensure!(
            answer.is_err(),
            "the Pod answered in place of failing: {answer:?}"
        );
        Ok(())
    }

    /// The case has passed: deletes it, without waiting for that.
    ///
    /// # Errors
    /// Of the API server.
    pub fn done(self) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.cluster.delete(&path)
    }
}
