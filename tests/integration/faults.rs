//! What the network and the API server do to the operator. Each fault has an end;
//! then all is as it should be within a stated time, and nothing was rolled for it.
//!
//! While it lasts readiness is honest, requests and memory are bounded, and what the
//! fault does not touch goes on.

mod access;
mod clocks;
mod connections;
mod lists;
mod plane;
mod reads;
mod restore;
mod watches;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::Method;
use http::request::Parts;
use testkit::{
    Edit, Operator, Result, Source, Workload, config_map, deployment, eventually, policy,
};
use tokio::time::Instant;

use crate::env::Env;
use crate::proxy::{Act, Passed, Proxy, status};

/// How long a fault lasts, after the edit that it keeps from being carried out.
const LASTS: Duration = Duration::from_secs(4);

/// How soon all is well once a fault of a few seconds has ended: failures in a row are
/// followed by waits from 0.8 s on, each twice the one before and up to twice as long by
/// chance (at most a minute).
const HEALS: Duration = Duration::from_secs(15);

/// How much a fault may add to the resident memory, in bytes.
const MEMORY: f64 = 16e6;

/// A source and the workload that projects it, named after what happens to it.
struct Lane {
    source: Source,
    workload: Workload,
}

impl Lane {
    fn new(name: &str) -> Self {
        let source = config_map(name).data("a", "0");
        let workload = deployment(name).uses(source.env("A", "a"));
        Self { source, workload }
    }

    /// Lanes of these names, rolled out.
    async fn create(env: &Env, names: &[&str]) -> Result<Vec<Self>> {
        env.create(&policy("fast").fast()).await?;
        let lanes: Vec<_> = names.iter().map(|name| Self::new(name)).collect();
        for lane in &lanes {
            env.create_all(&[&lane.source, &lane.workload]).await?;
        }
        for lane in &lanes {
            env.rolled_out(&lane.workload).await?;
        }
        Ok(lanes)
    }
}

/// What may become of one request, by the name of its lane.
type Faults = Vec<(&'static str, Act)>;

/// What may become of any request.
fn common() -> Faults {
    vec![
        ("reset", Act::Drop),
        ("lost", Act::Lose),
        (
            "cut-short",
            Act::Falsify(Arc::new(|code, mut body| {
                body.truncate(body.len() / 2);
                (code, body)
            })),
        ),
        ("throttled", Act::Throttle(1)),
        ("error", Act::Answer(500, status(500, "InternalError"))),
        (
            "unavailable",
            Act::Answer(503, status(503, "ServiceUnavailable")),
        ),
        ("timeout", Act::Answer(504, status(504, "Timeout"))),
        (
            "unauthorized",
            Act::Answer(401, status(401, "Unauthorized")),
        ),
    ]
}

/// The name of the lane to which nothing happens.
const HEALTHY: &str = "healthy";

/// A lane for each fault and a healthy one, and an operator behind a proxy.
struct Scene {
    env: Env,
    lanes: Vec<Lane>,
    proxy: Proxy,
    operator: Operator,
    meter: Meter,
}

impl Scene {
    /// All is in sync.
    async fn start(faults: &Faults) -> Result<Self> {
        let env = Env::new().await?;
        let names = faults.iter().map(|(name, _)| *name).chain([HEALTHY]);
        let lanes = Lane::create(&env, &names.collect::<Vec<_>>()).await?;
        let proxy = Proxy::start(&env.cluster).await?;
        let mut operator = env.behind(&proxy, &[]).await?;
        operator.start().await?;
        operator.all_in_sync(lanes.len()).await?;
        let meter = Meter::begin(&proxy, &operator).await?;
        Ok(Self {
            env,
            lanes,
            proxy,
            operator,
            meter,
        })
    }

    /// From now on each request of this kind meets with the fault of its lane; and
    /// what all lanes project changes.
    async fn fail(&self, method: Method, path: &'static str, faults: &Faults) -> Result<Vec<Edit>> {
        let faults = faults.clone();
        self.proxy.rule(move |request| {
            let meant = request.method == method && request.uri.path().contains(path);
            let name = last(request);
            let fault = faults.iter().find(|(fault, _)| meant && *fault == name);
            fault.map_or(Act::Pass, |(_, act)| act.clone())
        });
        let mut edits = Vec::new();
        for lane in &self.lanes {
            edits.push(self.env.set(&lane.source, "a", "1").await?);
        }
        Ok(edits)
    }

    /// The faults end: each lane is rolled in time, once.
    async fn recover(&mut self, what: &str, edits: &[Edit]) -> Result {
        self.proxy.rule(|_| Act::Pass);
        let workloads = || self.lanes.iter().map(|lane| &lane.workload);
        heals(&self.env, what, workloads()).await?;
        for workload in workloads() {
            self.env.rolled_out(workload).await?;
        }
        let edits: Vec<_> = edits.iter().collect();
        self.operator.seen(&edits).await?;
        self.operator.all_in_sync(self.lanes.len()).await?;
        let rolls: Vec<_> = workloads().map(|workload| (workload, 1)).collect();
        self.env.assert_only(&rolls).await?;
        ensure!(self.operator.probe("/livez").await?.0 == 200);
        Ok(())
    }
}

/// What a path ends in: the name, or of a list the resource.
fn last(request: &Parts) -> &str {
    let path = request.uri.path();
    path.rsplit('/').next().unwrap_or(path)
}

/// What a fault costs, from when it is made.
struct Meter {
    begun: Instant,
    passed: usize,
    memory: f64,
}

impl Meter {
    async fn begin(proxy: &Proxy, operator: &Operator) -> Result<Self> {
        Ok(Self {
            begun: Instant::now(),
            passed: proxy.passed().len(),
            memory: memory(operator).await?,
        })
    }

    /// The requests since then.
    fn asked(&self, proxy: &Proxy) -> Vec<Passed> {
        proxy.passed().split_off(self.passed)
    }

    /// At the end of the fault: the requests that count were at most so many.
    async fn assert_bounded(
        &self,
        proxy: &Proxy,
        operator: &Operator,
        what: &str,
        most: usize,
        counts: impl Fn(&Passed) -> bool,
    ) -> Result {
        let asked = self.asked(proxy);
        let count = asked.iter().filter(|passed| counts(passed)).count();
        let grown = memory(operator).await? - self.memory;
        let time = self.begun.elapsed();
        println!(
            "{what}: {count} requests in {time:.1?}, {:+.1} MB",
            grown / 1e6
        );
        ensure!(
            count <= most,
            "{what}: {count} requests in {time:.1?}, at most {most} are due"
        );
        ensure!(grown <= MEMORY, "{what}: {grown} bytes more");
        Ok(())
    }
}

async fn memory(operator: &Operator) -> Result<f64> {
    let sample = operator.sample("process_resident_memory_bytes").await?;
    sample.context("no such metric")
}

/// Whether `/readyz` says so, and what it says.
async fn ensure_ready(operator: &Operator, ready: bool) -> Result<String> {
    let (code, text) = operator.probe("/readyz").await?;
    ensure!((code == 200) == ready, "{code}: {text}");
    Ok(text)
}

/// Waits until readiness tells of the watch of ConfigMaps, and this of it.
async fn tells(operator: &Operator, sentence: &str) -> Result {
    eventually(format!("readiness tells of {sentence:?}"), async || {
        let text = ensure_ready(operator, false).await?;
        let told = text.contains("[-]watch/ConfigMap") && text.contains(sentence);
        ensure!(told, "{text}");
        Ok(Some(()))
    })
    .await?;
    let alive = operator.probe("/livez").await?.0 == 200;
    ensure!(alive, "a restart would not help");
    Ok(())
}

/// Waits until each of these was rolled once, and gives how long that took; it must
/// not be longer than [`HEALS`].
async fn heals<'a>(
    env: &Env,
    what: &str,
    workloads: impl IntoIterator<Item = &'a Workload>,
) -> Result {
    let ended = Instant::now();
    for workload in workloads {
        env.rolls(workload, 1).await?;
    }
    let took = ended.elapsed();
    println!("{what}: all is rolled {took:.1?} after the end");
    ensure!(took <= HEALS, "{what}: {took:.1?} after the end");
    Ok(())
}
