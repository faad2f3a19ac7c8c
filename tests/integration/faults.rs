//! What the network and the API server do to the operator. Each fault has an end;
//! then all is as it should be within a stated time, and nothing was rolled for it.
//!
//! While it lasts readiness is honest, requests and memory are bounded, and what the
//! fault does not touch goes on.

mod connections;
mod lists;
mod reads;
mod watches;
mod writes;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::request::Parts;
use tokio::time::Instant;

use crate::harness::{
    Env, Operator, Passed, Proxy, Result, Source, Workload, config_map, deployment, policy,
};

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
