//! The node of a kind cluster, which is a container of this machine.

use anyhow::Context as _;
use serde_json::Value;
use testkit::{Result, output};
use tokio::process::Command;

/// The node of a kind cluster.
#[derive(Clone, Debug)]
pub struct Node {
    container: String,
}

impl Node {
    /// The node, where the cluster is of kind.
    pub fn of_kind() -> Option<Self> {
        let cluster = std::env::var("KIND_CLUSTER").ok()?;
        let container = format!("{cluster}-control-plane");
        Some(Self { container })
    }

    /// What a command prints on the node.
    pub async fn run(&self, command: &[&str]) -> Result<String> {
        let mut docker = Command::new("docker");
        output(docker.arg("exec").arg(&self.container).args(command), "").await
    }

    /// Kills the process of a Pod's first container (SIGKILL), which the kubelet then restarts.
    pub async fn kill(&self, pod: &Value) -> Result {
        let id = pod["status"]["containerStatuses"][0]["containerID"].as_str();
        let id = id.and_then(|id| id.strip_prefix("containerd://"));
        let id = id.context("a container that runs in containerd")?;
        let kill = [
            "ctr",
            "--namespace=k8s.io",
            "task",
            "kill",
            "--signal=SIGKILL",
            id,
        ];
        self.run(&kill).await.map(drop)
    }
}
