//! The operator: `projsync run`, a process of its own with the rights of `config/rbac`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use controlplane::ControlPlane;
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wait::{Probe, until};

/// How much of the log is printed where the demo fails.
const LOG_LINES: usize = 40;

/// The operator's process; the kernel ends it with this one.
pub(crate) struct Operator {
    kubeconfig: PathBuf,
    addresses: PathBuf,
    /// What it has logged.
    pub(crate) log: PathBuf,
    child: Option<Child>,
    /// A client of its debug endpoints.
    debug: Option<Client>,
}

#[derive(Deserialize)]
struct Addresses {
    metrics: String,
    debug: String,
}

impl Operator {
    /// One that is yet to start, as the service account that `token` is of. Its files go
    /// into the control plane's folder and end with that.
    pub(crate) fn new(plane: &ControlPlane, token: &str) -> Result<Self> {
        let file = |name: &str| plane.data().join(name);
        let kubeconfig = file("operator.kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "demo",
            "clusters": [{"name": "demo", "cluster":
                {"server": plane.server(), "certificate-authority": plane.ca()}}],
            "users": [{"name": "projsync", "user": {"token": token}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "projsync"}}],
        });
        std::fs::write(&kubeconfig, text.to_string())?;
        Ok(Self {
            kubeconfig,
            addresses: file("operator.addresses"),
            log: file("operator.log"),
            child: None,
            debug: None,
        })
    }

    /// Starts it, and waits until it is ready: all watches have their first list.
    pub(crate) async fn start(&mut self) -> Result<()> {
        if self.addresses.exists() {
            std::fs::remove_file(&self.addresses)?;
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.child = Some(
            controlplane::guarded(&binary()?)?
                .arg("run")
                .arg("--kubeconfig")
                .arg(&self.kubeconfig)
                .args(["--operator-namespace", "projsync-system"])
                .args(["--metrics-bind-address", "127.0.0.1:0"])
                .args(["--debug-bind-address", "127.0.0.1:0"])
                .arg("--addresses-file")
                .arg(&self.addresses)
                .args(["--log-format", "text", "--log-level", "info,projsync=debug"])
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()?,
        );
        let debug = until("the operator to be ready", async || {
            let child = self.child.as_mut().context("it does not run")?;
            if let Some(status) = child.try_wait()? {
                bail!("the operator ended: {status}");
            }
            Ok(match ready(&self.addresses).await {
                Ok(debug) => Probe::Done(debug),
                Err(error) => Probe::NotYet(format!("{error:#}")),
            })
        })
        .await?;
        self.debug = Some(debug);
        Ok(())
    }

    /// Ends it as a cluster would: SIGTERM.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(child) = self.child.as_mut() else {
            return Ok(());
        };
        let killed = Command::new("kill").arg(child.id().to_string()).status()?;
        ensure!(killed.success(), "the operator can't be told to end");
        let status = until("the operator to end", async || {
            Ok(Probe::of(child.try_wait()?, "it runs"))
        })
        .await?;
        self.child = None;
        ensure!(status.success(), "the operator ended with {status}");
        Ok(())
    }

    /// What it knows: `/debug/index`.
    pub(crate) async fn index(&self) -> Result<Value> {
        self.get("/debug/index").await
    }

    /// What it has to do: `/debug/queues`.
    pub(crate) async fn queues(&self) -> Result<Value> {
        self.get("/debug/queues").await
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let client = self
            .debug
            .as_ref()
            .context("the operator does not listen")?;
        Ok(serde_json::from_str(&get(client, path).await?)?)
    }

    /// Prints the end of its log.
    pub(crate) fn print_log(&self) {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let cut = lines.len().saturating_sub(LOG_LINES);
        eprintln!(
            "\nThe end of the operator's log:\n{}",
            lines[cut..].join("\n")
        );
    }
}

/// `projsync`, which `make demo` has built beside this program.
pub(crate) fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let binary = own
        .ancestors()
        .nth(2)
        .unwrap_or(Path::new(""))
        .join("projsync");
    ensure!(
        binary.exists(),
        "{} is missing: run `make demo`, which builds it",
        binary.display()
    );
    Ok(binary)
}

/// A client of its debug endpoints, once it is ready.
async fn ready(addresses: &Path) -> Result<Client> {
    let text = std::fs::read_to_string(addresses).context("it does not listen")?;
    let Addresses { metrics, debug } = serde_json::from_str(&text)?;
    get(&client(&metrics)?, "/readyz").await?;
    client(&debug)
}

fn client(address: &str) -> Result<Client> {
    Ok(Client::try_from(Config::new(
        format!("http://{address}").parse()?,
    ))?)
}

async fn get(client: &Client, path: &str) -> Result<String> {
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(client.request_text(request).await?)
}
