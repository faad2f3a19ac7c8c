//! The operator's process.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, bail, ensure};
use kube::{Client, Config};
use projsync::kinds::WorkloadKind;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::space::wanted_pods;
use super::{Edit, Env, Object, Result, Space, Workload, eventually, object, until};

/// Arguments for a short handover: a dead leader is replaced within about two seconds.
pub(crate) const QUICK_LEASE: [&str; 6] = [
    "--lease-duration=2s",
    "--lease-renew-deadline=1500ms",
    "--lease-retry-period=300ms",
    "--write-timeout=5s",
    "--requests-per-second=0",
    "--concurrency=8",
];

/// How much of a log is printed where a test fails.
const LOG_LINES: usize = 400;

/// The operator's process; killed when dropped.
pub(crate) struct Operator {
    /// Who it is in the lease and in Events.
    pub(crate) identity: String,
    namespace: String,
    spaces: Vec<Space>,
    arguments: Vec<String>,
    /// What the audit log calls its token: see [`super::Request::credential`].
    pub(crate) credential: String,
    token: PathBuf,
    log: PathBuf,
    addresses: PathBuf,
    child: Option<Child>,
    public: Option<Client>,
    debug: Option<Client>,
}

/// What `/debug/index` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    /// Whether all first lists are complete.
    pub(crate) synced: bool,
    /// By `<kind> <namespace>/<name>`.
    pub(crate) sources: BTreeMap<String, SourceView>,
    /// By `<kind> <namespace>/<name>`.
    pub(crate) workloads: BTreeMap<String, WorkloadView>,
}

/// What the operator knows of a source.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SourceView {
    /// The newest that was seen; `None` where it does not exist.
    pub(crate) resource_version: Option<u64>,
    /// Whether every workload that projects it has that version's content.
    pub(crate) read: bool,
    /// How many managed workloads project it.
    pub(crate) workloads: u64,
}

/// What the operator knows of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WorkloadView {
    /// Of the last decision; `None` before the first.
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) resource_version: Option<u64>,
    pub(crate) generation: Option<i64>,
    pub(crate) pods: u64,
    pub(crate) outdated: u64,
    pub(crate) unknown: u64,
    pub(crate) retired: bool,
}

/// What may still be put off where all that is due is done.
#[derive(Clone, Copy)]
enum PutOff {
    Nothing,
    /// Workloads that are in sync.
    InSync,
    Anything,
}

/// What `/debug/queues` says of a queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queue {
    pub(crate) name: String,
    /// Nothing is due and nothing is running.
    pub(crate) idle: bool,
    /// Keys that wait for a time: a retry, settle, the minimum interval.
    pub(crate) delayed: u64,
    pub(crate) items: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Addresses {
    metrics: String,
    debug: String,
}

impl Operator {
    pub(super) async fn new(env: &Env, server: &str, ca: &Path, extra: &[&str]) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("operator-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let file = |ending: &str| env.folder.path().join(format!("{name}.{ending}"));
        let (kubeconfig, addresses) = (file("kubeconfig"), file("addresses"));
        let credential = env.credentials(&kubeconfig, server, ca).await?;
        let mut arguments = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--operator-namespace={}", env.home.namespace),
            format!("--identity={name}"),
            "--metrics-bind-address=127.0.0.1:0".to_owned(),
            "--debug-bind-address=127.0.0.1:0".to_owned(),
            format!("--addresses-file={}", addresses.display()),
            "--log-format=text".to_owned(),
        ];
        if !extra
            .iter()
            .any(|argument| argument.starts_with("--log-level"))
        {
            let level = std::env::var("OPERATOR_LOG_LEVEL");
            arguments.push(format!(
                "--log-level={}",
                level.as_deref().unwrap_or("info")
            ));
        }
        if !env.cluster_wide {
            let names = env.spaces.iter().map(|space| space.namespace.as_str());
            arguments.push(format!(
                "--namespaces={}",
                names.collect::<Vec<_>>().join(",")
            ));
        }
        arguments.extend(extra.iter().map(|&argument| argument.to_owned()));
        let log = match std::env::var_os("KEEP_LOGS") {
            Some(folder) => PathBuf::from(folder).join(format!("{}-{name}.log", env.namespace)),
            None => file("log"),
        };
        Ok(Self {
            identity: name,
            namespace: env.namespace.clone(),
            spaces: env.spaces.clone(),
            arguments,
            credential,
            token: kubeconfig.with_extension("token"),
            log,
            addresses,
            child: None,
            public: None,
            debug: None,
        })
    }

    /// The file that its token is in.
    pub(super) fn token(&self) -> &Path {
        &self.token
    }

    /// Starts the process and waits until it is ready.
    pub(crate) async fn start(&mut self) -> Result {
        self.spawn()?;
        self.ready().await
    }

    /// Starts the process.
    pub(crate) fn spawn(&mut self) -> Result {
        ensure!(self.child.is_none(), "the operator runs already");
        if self.addresses.exists() {
            std::fs::remove_file(&self.addresses)?;
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        // Guarded: the kernel ends it with the thread of this test.
        let mut command = controlplane::guarded(env!("CARGO_BIN_EXE_projsync").as_ref())?;
        let own = |name: &str| name.starts_with("PROJSYNC_") || name.starts_with("POD_");
        for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
            command.env_remove(name);
        }
        command.args(&self.arguments).env("RUST_BACKTRACE", "1");
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until its endpoints can be asked.
    pub(crate) async fn listens(&mut self) -> Result {
        let addresses = eventually("the operator listens", async || {
            self.check_alive()?;
            match std::fs::read_to_string(&self.addresses) {
                Ok(text) => Ok(Some(serde_json::from_str::<Addresses>(&text)?)),
                Err(_) => Ok(None),
            }
        });
        let Addresses { metrics, debug } = addresses.await?;
        self.public = Some(client(&metrics)?);
        self.debug = Some(client(&debug)?);
        Ok(())
    }

    /// Waits for `/readyz`.
    pub(crate) async fn ready(&mut self) -> Result {
        self.listens().await?;
        eventually("the operator is ready", async || {
            self.check_alive()?;
            self.fetch(&self.public, "/readyz").await.map(Some)
        })
        .await?;
        Ok(())
    }

    fn check_alive(&mut self) -> Result {
        let child = self.child.as_mut().context("the operator does not run")?;
        if let Some(status) = child.try_wait()? {
            bail!("the operator ended: {status}");
        }
        Ok(())
    }

    /// SIGTERM; waits until it has ended, which must be with success.
    pub(crate) async fn stop(&mut self) -> Result {
        self.signal(Signal::TERM)?;
        let status = self.ends().await?;
        ensure!(status.success(), "the operator ended with {status}");
        Ok(())
    }

    /// Waits until it has ended.
    pub(crate) async fn ends(&mut self) -> Result<ExitStatus> {
        let status = eventually("the operator ends", async || {
            Ok(self.child.as_mut().context("it does not run")?.try_wait()?)
        })
        .await?;
        self.child = None;
        Ok(status)
    }

    /// SIGKILL; waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result {
        let mut child = self.child.take().context("the operator does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGSTOP: it sleeps.
    pub(crate) fn pause(&self) -> Result {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it wakes up.
    pub(crate) fn resume(&self) -> Result {
        self.signal(Signal::CONT)
    }

    /// Stops it as a cluster would, starts it again, and waits until it is ready.
    pub(crate) async fn restart(&mut self) -> Result {
        self.stop().await?;
        self.start().await
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned())
    }

    /// `/debug/index`.
    pub(crate) async fn index(&self) -> Result<Index> {
        self.fetch_json("/debug/index").await
    }

    /// `/debug/queues`.
    pub(crate) async fn queues(&self) -> Result<BTreeMap<String, Queue>> {
        self.fetch_json("/debug/queues").await
    }

    /// The status and the body of `/livez` or `/readyz`.
    pub(crate) async fn probe(&self, path: &str) -> Result<(u16, String)> {
        let client = self
            .public
            .as_ref()
            .context("the operator does not listen")?;
        let request = http::Request::get(path).body(kube::client::Body::empty())?;
        let (head, body) = client.send(request).await?.into_parts();
        let text = String::from_utf8(body.collect_bytes().await?.to_vec())?;
        Ok((head.status.as_u16(), text))
    }

    /// The value of a sample of `/metrics`, by its name and labels as written there.
    pub(crate) async fn sample(&self, sample: &str) -> Result<Option<f64>> {
        let text = self.metrics().await?;
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let found = lines.find(|(name, _)| *name == sample);
        Ok(found.map(|(_, value)| value.parse()).transpose()?)
    }

    /// What a debug endpoint says, as it is.
    pub(crate) async fn debug_text(&self, path: &str) -> Result<String> {
        self.fetch(&self.debug, path).await
    }

    /// `/metrics`.
    pub(crate) async fn metrics(&self) -> Result<String> {
        self.fetch(&self.public, "/metrics").await
    }

    /// Waits until it has seen these edits and read what it had to, all that
    /// follows is done, and nothing is put off: no settle time, interval or retry.
    #[track_caller]
    pub(crate) fn caught_up(&self, edits: &[&Edit]) -> impl Future<Output = Result> {
        self.seen_and(edits, PutOff::Nothing)
    }

    /// The same without waiting until `lastInSync` covers new Pods, which takes some
    /// five seconds and matters before a restart only.
    #[track_caller]
    pub(crate) fn acted(&self, edits: &[&Edit]) -> impl Future<Output = Result> {
        self.seen_and(edits, PutOff::InSync)
    }

    /// Waits until it has seen these edits and read what it had to, and nothing
    /// is to be done now; something may be put off.
    #[track_caller]
    pub(crate) fn seen(&self, edits: &[&Edit]) -> impl Future<Output = Result> {
        self.seen_and(edits, PutOff::Anything)
    }

    #[track_caller]
    fn seen_and(&self, edits: &[&Edit], put_off: PutOff) -> impl Future<Output = Result> {
        let edits: Vec<Edit> = edits.iter().map(|&edit| edit.clone()).collect();
        until(
            "the operator has caught up",
            String::new(),
            async move || {
                // In this order: whatever the index knows is in the queues then.
                let index = self.index().await?;
                if !index.synced {
                    return Ok("not synced".to_owned());
                }
                if let Some(problem) = edits.iter().find_map(|edit| lacks(&index, edit)) {
                    return Ok(problem);
                }
                let queues = self.queues().await?;
                // What was put off then, and what it had come to a moment later.
                let index = self.index().await?;
                let in_sync = |item: &serde_json::Value| {
                    let key = item["key"].as_str().unwrap_or_default();
                    let workload = index.workloads.get(key);
                    workload.is_some_and(|view| view.reason.as_deref() == Some("InSync"))
                };
                let waits = |queue: &Queue| match put_off {
                    PutOff::Anything => false,
                    PutOff::InSync => !queue.items.iter().all(in_sync),
                    PutOff::Nothing => queue.delayed > 0,
                };
                let works = queues.values().filter(|queue| queue.name != "reports");
                let busy = works.filter(|queue| !queue.idle || waits(queue));
                Ok(busy
                    .map(|queue| format!("{} {:?} ", queue.name, queue.items))
                    .collect())
            },
        )
    }

    /// Waits until the last decision about a workload has this reason. After an
    /// edit, [`Operator::seen`] first: the reason may be of the time before.
    #[track_caller]
    pub(crate) fn decided(
        &self,
        workload: &Workload,
        reason: &str,
    ) -> impl Future<Output = Result> {
        let key = format!(
            "{} {}/{}",
            workload.kind_name(),
            self.namespace,
            workload.name()
        );
        let what = format!("the decision about {key}");
        until(what, Some(reason.to_owned()), async move || {
            let index = self.index().await?;
            Ok(index
                .workloads
                .get(&key)
                .and_then(|view| view.reason.clone()))
        })
    }

    /// Waits until it manages so many workloads, all are in sync, and it has seen
    /// just the Pods that they are to have: none is about to come or to go.
    #[track_caller]
    pub(crate) fn all_in_sync(&self, count: usize) -> impl Future<Output = Result> {
        let what = format!("{count} workloads are in sync");
        until(what, (count, BTreeMap::new()), async move || {
            let workloads = self.index().await?.workloads;
            let mut others = BTreeMap::new();
            for (key, view) in &workloads {
                if view.reason.as_deref() != Some("InSync") {
                    others.insert(key.clone(), view.message.clone().unwrap_or_default());
                }
            }
            if others.is_empty() {
                for (key, wanted) in self.wanted_pods().await? {
                    let seen = workloads.get(&key).map_or(wanted, |view| view.pods);
                    if seen != wanted {
                        others.insert(key, format!("{seen} of {wanted} Pods seen"));
                    }
                }
            }
            Ok((workloads.len(), others))
        })
    }

    /// How many Pods each workload is to have, by `<kind> <namespace>/<name>`.
    async fn wanted_pods(&self) -> Result<BTreeMap<String, u64>> {
        let mut wanted = BTreeMap::new();
        for space in &self.spaces {
            for kind in WorkloadKind::ALL {
                for workload in space.all(&object("apps/v1", kind.as_str(), "")).await? {
                    wanted.insert(space.key(&workload), wanted_pods(&workload));
                }
            }
        }
        Ok(wanted)
    }

    fn signal(&self, signal: Signal) -> Result {
        let child = self.child.as_ref().context("the operator does not run")?;
        Ok(kill_process(Pid::from_child(child), signal)?)
    }

    async fn fetch(&self, client: &Option<Client>, path: &str) -> Result<String> {
        let client = client.as_ref().context("the operator does not listen")?;
        let request = http::Request::get(path).body(Vec::new())?;
        Ok(client.request_text(request).await?)
    }

    async fn fetch_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let text = self.fetch(&self.debug, path).await?;
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if self.child.is_some() {
            // Nothing to do about one that is gone already.
            let _ = self.kill();
        }
        // Shown only where the test fails.
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let cut = lines.len().saturating_sub(LOG_LINES);
        println!("--- projsync {}", self.arguments.join(" "));
        println!("{}\n---", lines[cut..].join("\n"));
    }
}

/// What the operator has not seen or read of an edit.
fn lacks(index: &Index, edit: &Edit) -> Option<String> {
    let Edit {
        key,
        version,
        deleted,
    } = edit;
    let (seen, read) = match (index.sources.get(key), index.workloads.get(key)) {
        (Some(source), _) => (
            source.resource_version,
            source.read || source.workloads == 0,
        ),
        (_, Some(workload)) => (workload.resource_version, true),
        (None, None) => (None, true),
    };
    let seen = match deleted {
        true => seen.is_none(),
        false => seen >= Some(*version),
    };
    (!seen || !read).then(|| {
        let shown = (index.sources.get(key), index.workloads.get(key));
        format!("{key} at {version} (deleted: {deleted}): {shown:?}")
    })
}

fn client(address: &str) -> Result<Client> {
    let mut config = Config::new(format!("http://{address}").parse()?);
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}
