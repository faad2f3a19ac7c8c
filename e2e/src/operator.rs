//! The operator as it is installed.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::{Cluster, Result, eventually, make, path};

/// The operator's installation in a namespace.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    namespace: &'static str,
}

impl Operator {
    /// The one that `make deploy` installs.
    pub const INSTALLED: Self = Self {
        namespace: "projsync-system",
    };

    /// Its namespace.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        self.namespace
    }

    /// The image that is tested.
    ///
    /// # Errors
    /// Where `$IMG` doesn't name it.
    pub fn image() -> Result<String> {
        std::env::var("IMG").context("IMG names the operator's image")
    }

    /// Installs an image as `make deploy` does, and waits until it works.
    ///
    /// # Errors
    /// Where it doesn't.
    pub fn deploy(self, image: &str) -> Result<()> {
        make(&["deploy", &format!("IMG={image}")])?;
        self.ready(2)
    }

    /// Waits until it has so many Pods, all of them of its template and ready, and one leads.
    ///
    /// # Errors
    /// Where it doesn't.
    pub fn ready(self, replicas: usize) -> Result<()> {
        eventually("the operator is ready", || {
            let deployment = self.deployment()?;
            let status = &deployment["status"];
            let observed = status["observedGeneration"] == deployment["metadata"]["generation"];
            let complete = ["replicas", "updatedReplicas", "readyReplicas"]
                .iter()
                .all(|count| status[count] == replicas);
            ensure!(observed && complete, "{status}");
            Ok(Some(()))
        })?;
        self.leader()?;
        Ok(())
    }

    /// Its Deployment.
    ///
    /// # Errors
    /// Of the API server.
    pub fn deployment(self) -> Result<Value> {
        Cluster::get()?.read(&path(self.namespace, "Deployment", "projsync"))
    }

    /// Its Pods that are not going.
    ///
    /// # Errors
    /// Of the API server.
    pub fn pods(self) -> Result<Vec<Value>> {
        let selector = "app.kubernetes.io/name=projsync";
        let mut pods = Cluster::get()?.list(self.namespace, "Pod", selector)?;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(pods)
    }

    /// The log of one of its Pods.
    ///
    /// # Errors
    /// Where it can't be had.
    pub fn log(self, pod: &str) -> Result<String> {
        Cluster::get()?.text(&format!("{}/log", path(self.namespace, "Pod", pod)))
    }

    /// The metrics of one of its Pods.
    ///
    /// # Errors
    /// Where they can't be had.
    pub fn metrics(self, pod: &str) -> Result<String> {
        let pod = path(self.namespace, "Pod", &format!("{pod}:8080"));
        Cluster::get()?.text(&format!("{pod}/proxy/metrics"))
    }

    /// Waits until one of its Pods leads, by its own metrics, and returns that one's name.
    ///
    /// # Errors
    /// Where none does, or several.
    pub fn leader(self) -> Result<String> {
        eventually("one leader", || {
            let mut leaders = Vec::new();
            for pod in self.pods()? {
                let name = pod["metadata"]["name"].as_str().context("a name")?;
                let metrics = self.metrics(name)?;
                if metrics.lines().any(|line| line == "projsync_leader 1.0") {
                    leaders.push(name.to_owned());
                }
            }
            match leaders.len() {
                0 => Ok(None),
                1 => Ok(leaders.pop()),
                _ => bail!("{leaders:?} lead"),
            }
        })
    }
}
