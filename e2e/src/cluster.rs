//! The API server of the cluster, in an administrator's hands.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::Result;

/// The most that an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The field manager of what a test writes.
const MANAGER: &str = "test";

static CLUSTER: LazyLock<Result<Cluster>> = LazyLock::new(|| Cluster::connect(None));

/// The API server. Everything is JSON, as a user sees it.
pub struct Cluster {
    runtime: Runtime,
    client: Client,
}

/// Where an object is (or with an empty name, all of its kind).
///
/// # Panics
/// Of a kind that no test has used yet.
#[must_use]
pub fn path(namespace: &str, kind: &str, name: &str) -> String {
    let (group, plural) = match kind {
        "ConfigMap" => ("api/v1", "configmaps"),
        "Event" => ("apis/events.k8s.io/v1", "events"),
        "Pod" => ("api/v1", "pods"),
        "Secret" => ("api/v1", "secrets"),
        "Service" => ("api/v1", "services"),
        "Deployment" => ("apis/apps/v1", "deployments"),
        "StatefulSet" => ("apis/apps/v1", "statefulsets"),
        "DaemonSet" => ("apis/apps/v1", "daemonsets"),
        "ReplicaSet" => ("apis/apps/v1", "replicasets"),
        "ControllerRevision" => ("apis/apps/v1", "controllerrevisions"),
        "Job" => ("apis/batch/v1", "jobs"),
        "Lease" => ("apis/coordination.k8s.io/v1", "leases"),
        "Projection" => ("apis/projsync.dev/v1alpha1", "projections"),
        "SyncPolicy" => ("apis/projsync.dev/v1alpha1", "syncpolicies"),
        _ => panic!("where are objects of kind {kind}? Add it here."),
    };
    let path = format!("/{group}/namespaces/{namespace}/{plural}");
    if name.is_empty() {
        path
    } else {
        format!("{path}/{name}")
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    /// The cluster of `$KUBECONFIG`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn get() -> Result<&'static Self> {
        match &*CLUSTER {
            Ok(cluster) => Ok(cluster),
            Err(error) => bail!("{error:#}"),
        }
    }

    pub(crate) fn connect(kubeconfig: Option<Kubeconfig>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let client = runtime.block_on(async {
            let mut config = match kubeconfig {
                Some(given) => {
                    Config::from_custom_kubeconfig(given, &KubeConfigOptions::default()).await?
                }
                None => Config::infer().await?,
            };
            // A condition is looked at again anyway.
            config.default_retry = false;
            anyhow::Ok(Client::try_from(config)?)
        })?;
        Ok(Self { runtime, client })
    }

    /// What a request is answered.
    ///
    /// # Errors
    /// The API server's, where it is no success.
    pub fn request(&self, request: Request<Vec<u8>>) -> Result<String> {
        let what = format!("{} {}", request.method(), request.uri());
        let answer = async {
            tokio::time::timeout(TIMEOUT, self.client.request_text(request))
                .await
                .context("no answer in time")?
                .map_err(anyhow::Error::from)
        };
        self.runtime.block_on(answer).context(what)
    }

    /// The text at a path: metrics, a log, what a Pod's server answers through a proxy.
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn text(&self, path: &str) -> Result<String> {
        self.request(Request::get(path).body(Vec::new())?)
    }

    /// An object, or a list of them.
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn read(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    /// An object, if it exists.
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.read(path) {
            Ok(found) => Ok(Some(found)),
            Err(error) => match error.downcast_ref::<kube::Error>() {
                Some(kube::Error::Api(status)) if status.code == 404 => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// The objects of a kind in a namespace that have a label; all with an empty selector.
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn list(&self, namespace: &str, kind: &str, selector: &str) -> Result<Vec<Value>> {
        let path = path(namespace, kind, "");
        let mut list = self.read(&format!("{path}?labelSelector={selector}"))?;
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            other => bail!("{path}: no list, but {other}"),
        }
    }

    /// Creates an object at the path of its kind.
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(Method::POST, path, "application/json", object)
    }

    /// Merges into an object (a JSON merge patch).
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn merge(&self, path: &str, patch: &Value) -> Result<Value> {
        self.send(Method::PATCH, path, "application/merge-patch+json", patch)
    }

    /// Deletes an object; what it owns goes with it, in the background.
    ///
    /// # Errors
    /// As [`Cluster::request`].
    pub fn delete(&self, path: &str) -> Result<()> {
        let options = serde_json::json!({"propagationPolicy": "Background"});
        self.send(Method::DELETE, path, "application/json", &options)?;
        Ok(())
    }

    fn send(&self, method: Method, path: &str, media: &str, body: &Value) -> Result<Value> {
        let manager = match method {
            Method::DELETE => String::new(),
            _ => format!("?fieldManager={MANAGER}"),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}{manager}"))
            .header("content-type", media)
            .body(body.to_string().into_bytes())?;
        Ok(serde_json::from_str(&self.request(request)?)?)
    }
}
