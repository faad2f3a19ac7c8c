//! The control plane with everything in it, and what it costs itself.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use controlplane::{Component, ControlPlane, Options};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::task::spawn_blocking;

use crate::fleet::Fleet;
use crate::process::Process;
use crate::progress::Progress;
use crate::scale::Scale;
use crate::seed;

/// Where the operator's lease, key and account are.
pub(crate) const HOME: &str = "projsync-system";
/// Its service account.
const ACCOUNT: &str = "projsync";

/// The control plane with everything in it.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    pub(crate) client: Client,
    pub(crate) scale: Scale,
    pub(crate) fleet: Fleet,
    pub(crate) api_server: Process,
}

/// What the control plane holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Resident memory of the API server, in bytes.
    pub(crate) api_server: u64,
    /// What is in use of etcd's database, in bytes; old revisions count until they are
    /// compacted.
    pub(crate) etcd: u64,
}

impl Cluster {
    /// Starts and fills it.
    pub(crate) async fn start(progress: &Progress, scale: Scale) -> Result<Self> {
        let plane = {
            let _step = progress.step("starting a control plane", 0);
            let options = Options {
                audit: true,
                ..Options::default()
            };
            spawn_blocking(move || ControlPlane::start(&options)).await??
        };
        let client = {
            let _step = progress.step("installing definitions and rights", 0);
            install(&plane)?;
            client(plane.kubeconfig()).await?
        };
        let fleet = seed::fill(&client, scale, progress).await?;
        let api_server = Process::child(plane.supervisor_pid(), Component::KubeApiserver.name())?;
        Ok(Self {
            plane,
            client,
            scale,
            fleet,
            api_server,
        })
    }

    /// The user of the operator, as the audit log has it.
    pub(crate) fn user() -> String {
        format!("system:serviceaccount:{HOME}:{ACCOUNT}")
    }

    /// A token of the operator's account.
    pub(crate) fn token(&self) -> Result<String> {
        let token = kubectl(
            &self.plane,
            &["create", "token", ACCOUNT, "-n", HOME, "--duration=24h"],
        )?;
        Ok(token.trim().to_owned())
    }

    /// What the API server and etcd hold now.
    pub(crate) fn footprint(&self) -> Result<Footprint> {
        let metric = "etcd_mvcc_db_total_size_in_use_in_bytes ";
        let metrics = etcd_metrics(self.plane.data())?;
        let value = metrics.lines().find_map(|line| line.strip_prefix(metric));
        let bytes: f64 = value.context("etcd tells no size")?.trim().parse()?;
        Ok(Footprint {
            api_server: self.api_server.resident()?,
            etcd: bytes as u64,
        })
    }
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(Client::try_from(config)?)
}

fn install(plane: &ControlPlane) -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config");
    kubectl(plane, &["apply", "-k", &format!("{folder}/crd")])?;
    kubectl(
        plane,
        &["wait", "--for=condition=Established", "crd", "--all"],
    )?;
    kubectl(plane, &["create", "namespace", HOME])?;
    kubectl(plane, &["apply", "-k", &format!("{folder}/rbac")])?;
    kubectl(plane, &["apply", "-k", &format!("{folder}/admission")])?;
    Ok(())
}

fn kubectl(plane: &ControlPlane, arguments: &[&str]) -> Result<String> {
    let output = Command::new(plane.kubectl())
        .arg("--kubeconfig")
        .arg(plane.kubeconfig())
        .arg("--cache-dir")
        .arg(plane.data().join("kubectl-cache"))
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "kubectl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// etcd listens on a socket, where no client library of ours goes.
fn etcd_metrics(data: &Path) -> Result<String> {
    let mut stream = UnixStream::connect(data.join("etcd.sock:0")).context("etcd's socket")?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: etcd\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
