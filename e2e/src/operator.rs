//! The operator as it is installed.

use anyhow::{Context as _, bail, ensure};
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use testkit::{ACCOUNT, HOME, Result, Space, eventually, object};

use crate::namespace::{ask, space};
use crate::{kubectl, make};

/// What `make deploy` installs.
pub struct Operator {
    /// Its namespace.
    pub space: Space,
}

impl Operator {
    /// The one that is installed, or will be.
    pub async fn installed() -> Result<Self> {
        let space = space(HOME, None).await?;
        Ok(Self { space })
    }

    /// The image that is tested.
    pub fn image() -> Result<String> {
        std::env::var("IMG").context("IMG names the operator's image")
    }

    /// Installs an image as `make deploy` does, and waits until it works.
    pub async fn deploy(&self, image: &str) -> Result {
        make(&["deploy", &format!("IMG={image}")]).await?;
        self.ready(2).await
    }

    /// Waits until it has so many Pods, all of them of its template and ready, and one leads.
    pub async fn ready(&self, replicas: usize) -> Result {
        eventually("the operator is ready", async || {
            let deployment = self.deployment().await?;
            let status = &deployment["status"];
            let observed = status["observedGeneration"] == deployment["metadata"]["generation"];
            let complete = ["replicas", "updatedReplicas", "readyReplicas"]
                .iter()
                .all(|count| status[count] == replicas);
            ensure!(observed && complete, "{status}");
            Ok(Some(()))
        })
        .await?;
        self.leader().await.map(drop)
    }

    /// Its Deployment.
    pub async fn deployment(&self) -> Result<Value> {
        self.space
            .get(&object("apps/v1", "Deployment", "projsync"))
            .await
    }

    /// Its Pods that are not going.
    pub async fn pods(&self) -> Result<Vec<Value>> {
        let selector = "app.kubernetes.io/name=projsync";
        let mut pods = self
            .space
            .labelled(&object("v1", "Pod", ""), selector)
            .await?;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(pods)
    }

    /// The log of one of its Pods.
    pub async fn log(&self, pod: &str) -> Result<String> {
        self.space.kubectl(&["logs", pod]).await
    }

    /// The metrics of one of its Pods.
    pub async fn metrics(&self, pod: &str) -> Result<String> {
        ask(&self.space, pod, 8080, "metrics").await
    }

    /// Waits until one of its Pods leads, by its own metrics, and returns that one's name.
    pub async fn leader(&self) -> Result<String> {
        eventually("one leader", async || {
            let mut leaders = Vec::new();
            for pod in self.pods().await? {
                let name = pod["metadata"]["name"].as_str().context("a name")?;
                let metrics = self.metrics(name).await?;
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
        .await
    }

    /// Its namespace in the hands of its service account, with a token of its own.
    pub async fn account(&self) -> Result<Space> {
        let token = self.space.kubectl(&["create", "token", ACCOUNT]).await?;
        let view = ["config", "view", "--raw", "--minify", "--output=json"];
        let mut config: Value = serde_json::from_str(&kubectl(&view).await?)?;
        config["users"][0]["user"] = json!({"token": token.trim()});
        space(HOME, Some(Kubeconfig::from_yaml(&config.to_string())?)).await
    }
}
