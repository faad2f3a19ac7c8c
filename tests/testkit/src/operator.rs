//! The operator's process.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::space::wanted_pods;
use crate::{
    Access, Edit, Process, Result, Space, Workload, WorkloadKind, eventually, object, until, within,
};

/// How much of a log is printed where a test fails.
const LOG_LINES: usize = 400;

/// How long it may take until it is ready: with ten thousand workloads, some time.
const START: Duration = Duration::from_secs(300);

/// The operator's process; killed when dropped.
pub struct Operator {
    /// Who it is in the lease and in Events, where that is among its arguments.
    pub identity: String,
    /// What the audit log calls its token: see [`crate::Request::credential`].
    pub credential: String,
    binary: PathBuf,
    spaces: Vec<Space>,
    arguments: Vec<String>,
    kubeconfig: PathBuf,
    /// The file that it logs to.
    pub log: PathBuf,
    addresses: PathBuf,
    child: Option<Child>,
    public: Option<Client>,
    debug: Option<Client>,
}

/// What `/debug/index` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Whether all first lists are complete.
    pub synced: bool,
    /// By `<kind> <namespace>/<name>`.
    pub sources: BTreeMap<String, SourceView>,
    /// By `<kind> <namespace>/<name>`.
    pub workloads: BTreeMap<String, WorkloadView>,
}

/// What the operator knows of a source.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceView {
    /// The newest that was seen; `None` where it does not exist.
    pub resource_version: Option<u64>,
    /// Whether every workload that projects it has that version's content.
    pub read: bool,
    /// How many managed workloads project it.
    pub workloads: u64,
}

/// What the operator knows of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadView {
    /// Of the last decision; `None` before the first.
    pub reason: Option<String>,
    /// The sentence of the last decision.
    pub message: Option<String>,
    /// The newest that was seen.
    pub resource_version: Option<u64>,
    /// `metadata.generation` of that.
    pub generation: Option<i64>,
    /// How many Pods of it were seen.
    pub pods: u64,
    /// How many of them are outdated.
    pub outdated: u64,
    /// How many of them nothing is known of.
    pub unknown: u64,
    /// Whether it is gone and its Projection to be deleted.
    pub retired: bool,
    /// Whether only how its last roll turns out is awaited.
    pub only_judges: bool,
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
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Nothing is due and nothing is running.
    pub idle: bool,
    /// Keys that wait for a time: a retry, settle, the minimum interval.
    pub delayed: u64,
    /// What is in it.
    pub items: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Addresses {
    metrics: String,
    debug: String,
}

impl Operator {
    /// One that is yet to start: `projsync run` with these arguments, for these namespaces.
    /// Its files are in the folder and have its name.
    pub fn new(
        binary: PathBuf,
        folder: &Path,
        name: &str,
        access: &Access,
        spaces: Vec<Space>,
        more: &[&str],
    ) -> Result<Self> {
        let file = |ending: &str| folder.join(format!("{name}.{ending}"));
        let (kubeconfig, addresses) = (file("kubeconfig"), file("addresses"));
        access.write(&kubeconfig)?;
        let mut arguments = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--metrics-bind-address=127.0.0.1:0".to_owned(),
            "--debug-bind-address=127.0.0.1:0".to_owned(),
            format!("--addresses-file={}", addresses.display()),
        ];
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        Ok(Self {
            identity: name.to_owned(),
            credential: access.credential()?,
            binary,
            spaces,
            arguments,
            kubeconfig,
            log: file("log"),
            addresses,
            child: None,
            public: None,
            debug: None,
        })
    }

    /// The file that its token is in.
    pub fn token(&self) -> PathBuf {
        self.kubeconfig.with_extension("token")
    }

    /// Starts the process and waits until it is ready.
    pub async fn start(&mut self) -> Result {
        self.spawn()?;
        self.ready().await
    }

    /// Starts the process.
    pub fn spawn(&mut self) -> Result {
        ensure!(self.child.is_none(), "the operator runs already");
        if self.addresses.exists() {
            std::fs::remove_file(&self.addresses)?;
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        // Guarded: the kernel ends it with the thread of this test.
        let mut command = controlplane::guarded(&self.binary)?;
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
    pub async fn listens(&mut self) -> Result {
        let Self {
            child, addresses, ..
        } = self;
        let found = within(START, "the operator listens", async || {
            if let Some(status) = ended(child)? {
                return Ok(Some(Err(anyhow!("the operator ended: {status}"))));
            }
            let text = std::fs::read_to_string(&*addresses).context("no addresses yet")?;
            Ok(Some(Ok(serde_json::from_str::<Addresses>(&text)?)))
        });
        let Addresses { metrics, debug } = found.await??;
        self.public = Some(client(&metrics)?);
        self.debug = Some(client(&debug)?);
        Ok(())
    }

    /// Waits for `/readyz`.
    pub async fn ready(&mut self) -> Result {
        self.listens().await?;
        let Self { child, public, .. } = self;
        within(START, "the operator is ready", async || {
            if let Some(status) = ended(child)? {
                return Ok(Some(Err(anyhow!("the operator ended: {status}"))));
            }
            fetch(public, "/readyz").await?;
            Ok(Some(Ok(())))
        })
        .await?
    }

    /// SIGTERM; waits until it has ended, which must be with success.
    pub async fn stop(&mut self) -> Result {
        self.signal(Signal::TERM)?;
        let status = self.ends().await?;
        let log = self.log_end();
        ensure!(status.success(), "the operator ended with {status}: {log}");
        Ok(())
    }

    /// Waits until it has ended.
    pub async fn ends(&mut self) -> Result<ExitStatus> {
        let status = eventually("the operator ends", async || ended(&mut self.child)).await?;
        self.child = None;
        Ok(status)
    }

    /// SIGKILL; waits until it is gone.
    pub fn kill(&mut self) -> Result {
        let mut child = self.child.take().context("the operator does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGSTOP: it sleeps.
    pub fn pause(&self) -> Result {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: it wakes up.
    pub fn resume(&self) -> Result {
        self.signal(Signal::CONT)
    }

    /// Stops it as a cluster would, starts it again, and waits until it is ready.
    pub async fn restart(&mut self) -> Result {
        self.stop().await?;
        self.start().await
    }

    /// What it has logged.
    pub fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned())
    }

    fn log_end(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Its process, as the kernel knows it.
    pub fn process(&self) -> Result<Process> {
        let child = self.child.as_ref().context("the operator does not run")?;
        Ok(Process(child.id()))
    }

    /// `/debug/index`.
    pub async fn index(&self) -> Result<Index> {
        self.fetch_json("/debug/index").await
    }

    /// `/debug/queues`.
    pub async fn queues(&self) -> Result<BTreeMap<String, Queue>> {
        self.fetch_json("/debug/queues").await
    }

    /// The status and the body of `/livez` or `/readyz`.
    pub async fn probe(&self, path: &str) -> Result<(u16, String)> {
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
    pub async fn sample(&self, sample: &str) -> Result<Option<f64>> {
        let text = self.metrics().await?;
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        let found = lines.find(|(name, _)| *name == sample);
        Ok(found.map(|(_, value)| value.parse()).transpose()?)
    }

    /// What a debug endpoint says, as it is.
    pub async fn debug_text(&self, path: &str) -> Result<String> {
        fetch(&self.debug, path).await
    }

    /// `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        fetch(&self.public, "/metrics").await
    }

    /// Waits until it has seen these edits and read what it had to, all that
    /// follows is done, and nothing is put off: no settle time, interval or retry.
    #[track_caller]
    pub fn caught_up(&self, edits: &[&Edit]) -> impl Future<Output = Result> {
        self.seen_and(edits, PutOff::Nothing)
    }

    /// The same without waiting until `lastInSync` covers new Pods, which takes some
    /// five seconds and matters before a restart only.
    #[track_caller]
    pub fn acted(&self, edits: &[&Edit]) -> impl Future<Output = Result> {
        self.seen_and(edits, PutOff::InSync)
    }

    /// Waits until it has seen these edits and read what it had to, and nothing
    /// is to be done now; something may be put off.
    #[track_caller]
    pub fn seen(&self, edits: &[&Edit]) -> impl Future<Output = Result> {
        self.seen_and(edits, PutOff::Anything)
    }

    #[track_caller]
    fn seen_and(&self, edits: &[&Edit], put_off: PutOff) -> impl Future<Output = Result> {
        let edits: Vec<Edit> = edits.iter().map(|&edit| edit.clone()).collect();
        let what = "the operator has caught up";
        until(what, String::new(), async move || {
            self.lacks(&edits, put_off).await
        })
    }

    /// What it still lacks to have caught up with these edits; empty where nothing.
    async fn lacks(&self, edits: &[Edit], put_off: PutOff) -> Result<String> {
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
        // That a roll turned out well is known a minute later, and changes nothing here.
        let only_judges = |item: &serde_json::Value| {
            let key = item["key"].as_str().unwrap_or_default();
            let workload = index.workloads.get(key);
            workload.is_some_and(|view| view.only_judges)
        };
        let waits = |queue: &Queue| match put_off {
            PutOff::Anything => false,
            PutOff::InSync => !(queue.items.iter()).all(|item| in_sync(item) || only_judges(item)),
            PutOff::Nothing => !queue.items.iter().all(only_judges),
        };
        let works = queues.values().filter(|queue| queue.name != "reports");
        let busy = works.filter(|queue| !queue.idle || waits(queue));
        Ok(busy
            .map(|queue| format!("{} {:?} ", queue.name, queue.items))
            .collect())
    }

    /// Waits until the last decision about a workload has this reason. After an
    /// edit, [`Operator::seen`] first: the reason may be of the time before.
    #[track_caller]
    pub fn decided(&self, workload: &Workload, reason: &str) -> impl Future<Output = Result> {
        let key = self.spaces[0].key(workload);
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
    pub fn all_in_sync(&self, count: usize) -> impl Future<Output = Result> {
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

    async fn fetch_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let text = fetch(&self.debug, path).await?;
        serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        // Nothing to do about one that is gone already.
        let _ = self.kill();
        // Of a test that passes nobody sees it.
        eprintln!(
            "--- projsync {}\n{}\n---",
            self.arguments.join(" "),
            self.log_end()
        );
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

/// How a process has ended, if it has.
fn ended(child: &mut Option<Child>) -> Result<Option<ExitStatus>> {
    let child = child.as_mut().context("the operator does not run")?;
    Ok(child.try_wait()?)
}

async fn fetch(client: &Option<Client>, path: &str) -> Result<String> {
    let client = client.as_ref().context("the operator does not listen")?;
    let request = http::Request::get(path).body(Vec::new())?;
    Ok(client.request_text(request).await?)
}

/// `projsync` beside the program that runs, which cargo has built.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().map(|folder| folder.join("projsync"));
    let mut found = found.filter(|path| path.is_file());
    found
        .next()
        .context("no projsync beside this program: cargo build")
}

fn client(address: &str) -> Result<Client> {
    let mut config = Config::new(format!("http://{address}").parse()?);
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}
