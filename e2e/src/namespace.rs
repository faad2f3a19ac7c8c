//! A namespace of a test's own.

use std::ops::Deref;
use std::time::Duration;

use anyhow::ensure;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use testkit::{Edit, Kubectl, Result, Source, Space, config_map, object, secret};

use crate::Workload;

/// The most that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A namespace of a test's own. One of a failed test stays, to be looked at.
#[derive(Clone)]
pub struct Namespace(Space);

impl Deref for Namespace {
    type Target = Space;

    fn deref(&self) -> &Space {
        &self.0
    }
}

/// A namespace of the cluster of `$KUBECONFIG`, in the hands of an administrator or of
/// another user.
pub(crate) async fn space(namespace: &str, as_user: Option<Kubeconfig>) -> Result<Space> {
    let mut config = match as_user {
        Some(user) => Config::from_custom_kubeconfig(user, &KubeConfigOptions::default()).await?,
        None => Config::infer().await?,
    };
    // A condition is looked at again anyway.
    config.default_retry = false;
    config.read_timeout = Some(TIMEOUT);
    Ok(Space {
        client: Client::try_from(config)?,
        namespace: namespace.to_owned(),
        kubectl: Kubectl::in_path(),
    })
}

impl Namespace {
    /// Creates one that is named after the case.
    pub async fn create(case: &str) -> Result<Self> {
        let name = format!("e2e-{case}-{}", std::process::id());
        let space = space(&name, None).await?;
        space.create(&object("v1", "Namespace", &name)).await?;
        Ok(Self(space))
    }

    /// The same in the hands of somebody else.
    pub fn of(&self, user: &Space) -> Space {
        Space {
            client: user.client.clone(),
            ..self.0.clone()
        }
    }

    /// Creates a SyncPolicy `policy` for every workload, with this spec.
    pub async fn policy(&self, spec: Value) -> Result<Edit> {
        let policy = json!({
            "apiVersion": "projsync.dev/v1alpha1", "kind": "SyncPolicy",
            "metadata": {"name": "policy"}, "spec": spec,
        });
        self.0.create(&policy).await
    }

    /// Creates a ConfigMap with this data.
    pub async fn config_map(&self, name: &str, data: Value) -> Result<Source> {
        self.source(config_map(name), &data).await
    }

    /// Creates a Secret with this data, in the clear.
    pub async fn secret(&self, name: &str, data: Value) -> Result<Source> {
        self.source(secret(name), &data).await
    }

    async fn source(&self, empty: Source, data: &Value) -> Result<Source> {
        let data = data.as_object().into_iter().flatten();
        let source = data.fold(empty, |source, (key, value)| {
            source.data(key, value.as_str().unwrap_or_default())
        });
        self.0.create(&source).await?;
        Ok(source)
    }

    /// Creates a Deployment, which surges so that it never has too few Pods.
    pub async fn deployment(&self, name: &str, replicas: usize, pod: &Value) -> Result<Workload> {
        let more = json!({"replicas": replicas, "strategy":
            {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}});
        Workload::create(self, "Deployment", name, replicas, pod, more).await
    }

    /// Creates a StatefulSet, which replaces one Pod after the other.
    pub async fn stateful_set(&self, name: &str, replicas: usize, pod: &Value) -> Result<Workload> {
        let more = json!({"replicas": replicas, "serviceName": name});
        Workload::create(self, "StatefulSet", name, replicas, pod, more).await
    }

    /// Creates a DaemonSet.
    pub async fn daemon_set(&self, name: &str, pod: &Value) -> Result<Workload> {
        let nodes = self.all(&object("v1", "Node", "")).await?.len();
        Workload::create(self, "DaemonSet", name, nodes, pod, json!({})).await
    }

    /// What a Pod's server answers at `<port>/proxy/<path>`, through the API server.
    pub async fn ask(&self, pod: &str, port: u16, what: &str) -> Result<String> {
        ask(self, pod, port, what).await
    }

    /// Makes the container of a Pod that serves this port fail.
    pub async fn crash(&self, pod: &str, port: u16) -> Result {
        let path = format!("{}/proxy/crash", pod_path(self, pod, port));
        let request = http::Request::post(path).body(Vec::new())?;
        // It ends without an answer, which the proxy calls a bad gateway.
        let answer = self.client.request_text(request).await;
        ensure!(answer.is_err(), "the Pod answered in place of failing");
        Ok(())
    }

    /// The case has passed: deletes it, without waiting for that.
    pub async fn done(self) -> Result {
        let namespace = object("v1", "Namespace", &self.namespace);
        self.0.delete(&namespace).await.map(drop)
    }
}

/// What a Pod's server answers, through the API server.
pub(crate) async fn ask(space: &Space, pod: &str, port: u16, what: &str) -> Result<String> {
    let path = format!("{}/proxy/{what}", pod_path(space, pod, port));
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(space.client.request_text(request).await?)
}

fn pod_path(space: &Space, pod: &str, port: u16) -> String {
    format!("/api/v1/namespaces/{}/pods/{pod}:{port}", space.namespace)
}
