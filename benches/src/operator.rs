//! The operator: the release binary, a process of its own with the rights of `config/rbac`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use controlplane::ControlPlane;
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::HOME;
use crate::process::Process;

/// Between two looks at whether it is ready.
const STEP: Duration = Duration::from_millis(5);
/// How long it may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(300);

/// What to run.
pub(crate) struct Operator {
    binary: PathBuf,
    arguments: Vec<String>,
    addresses: PathBuf,
    log: PathBuf,
}

/// One that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) process: Process,
    /// How long it took until it was ready.
    pub(crate) ready_after: Duration,
    public: Client,
    debug: Client,
}

#[derive(Deserialize)]
struct Addresses {
    metrics: String,
    debug: String,
}

impl Operator {
    /// One that is yet to start, as the account that `token` is of.
    pub(crate) fn new(
        plane: &ControlPlane,
        token: &str,
        binary: &Path,
        more: &[String],
        output: &Path,
    ) -> Result<Self> {
        let kubeconfig = plane.data().join("operator.kubeconfig");
        let addresses = plane.data().join("operator.addresses");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster":
                {"server": plane.server(), "certificate-authority": plane.ca()}}],
            "users": [{"name": "projsync", "user": {"token": token}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "projsync"}}],
        });
        std::fs::write(&kubeconfig, text.to_string())?;
        let mut arguments = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--operator-namespace={HOME}"),
            "--metrics-bind-address=127.0.0.1:0".to_owned(),
            "--debug-bind-address=127.0.0.1:0".to_owned(),
            format!("--addresses-file={}", addresses.display()),
        ];
        arguments.extend_from_slice(more);
        Ok(Self {
            binary: std::path::absolute(binary)?,
            arguments,
            addresses,
            log: output.join("operator.log"),
        })
    }

    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(&self) -> Result<Running> {
        if self.addresses.exists() {
            std::fs::remove_file(&self.addresses)?;
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = controlplane::guarded(&self.binary)?;
        let own = |name: &str| name.starts_with("PROJSYNC_") || name.starts_with("POD_");
        for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
            command.env_remove(name);
        }
        let begun = Instant::now();
        let mut child = command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| self.binary.display().to_string())?;
        let (public, debug) = loop {
            if let Some(status) = child.try_wait()? {
                bail!("the operator ended ({status}): see {}", self.log.display());
            }
            match self.ready().await {
                Ok(clients) => break clients,
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error.context("the operator does not get ready"));
                }
                Err(_) => sleep(STEP).await,
            }
        };
        let ready_after = begun.elapsed();
        let process = Process(child.id());
        Ok(Running {
            child,
            process,
            ready_after,
            public,
            debug,
        })
    }

    async fn ready(&self) -> Result<(Client, Client)> {
        let text = std::fs::read_to_string(&self.addresses).context("it does not listen")?;
        let Addresses { metrics, debug } = serde_json::from_str(&text)?;
        let public = client(&metrics)?;
        get(&public, "/readyz").await?;
        Ok((public, client(&debug)?))
    }
}

impl Running {
    /// What the operator knows: `/debug/index`.
    pub(crate) async fn index(&self) -> Result<Value> {
        Ok(serde_json::from_str(
            &get(&self.debug, "/debug/index").await?,
        )?)
    }

    /// `/metrics`.
    pub(crate) async fn metrics(&self) -> Result<String> {
        get(&self.public, "/metrics").await
    }

    /// Ends it as a cluster would: SIGTERM.
    pub(crate) async fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(begun.elapsed() < PATIENCE, "the operator does not end");
            sleep(STEP).await;
        };
        ensure!(status.success(), "the operator ended with {status}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(address: &str) -> Result<Client> {
    let mut config = Config::new(format!("http://{address}").parse()?);
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

async fn get(client: &Client, path: &str) -> Result<String> {
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(client.request_text(request).await?)
}
