//! What is done, and what is measured of it, in order.

mod bare;
mod burst;
mod churn;
mod downtime;
mod fan_out;
mod first_start;
mod irrelevant;
mod probe;
mod rest;
mod restart;
mod single;
mod unprojected;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use testkit::{HOME, Operator};
use tokio::time::sleep;

use crate::Arguments;
use crate::audit::{Audit, Mark};
use crate::cluster::{Cluster, Footprint};
use crate::figure::Figure;
use crate::manifests::{self, NAMESPACE};
use crate::progress::Progress;
use crate::report::Results;
use crate::sampler::Sampler;
use crate::scale::Scale;

/// The operator is done once it asked for nothing for so long: a Projection may wait 10 s
/// to be written.
const QUIET: Duration = Duration::from_secs(12);
/// How long it may take to be done.
const PATIENCE: Duration = Duration::from_secs(600);

/// The stage of all scenarios.
pub(crate) struct Bench<'a> {
    cluster: &'a Cluster,
    progress: &'a Progress,
    operator: Operator,
    audit: Audit,
    sampler: Sampler,
    results: Results,
    /// What the cluster took before there were Projections.
    before: Option<Footprint>,
    /// Makes each edit another one.
    edits: AtomicU64,
    /// ConfigMaps that were edited without effect since a Projection told of them.
    without_effect: BTreeSet<String>,
}

impl<'a> Bench<'a> {
    pub(crate) async fn new(
        cluster: &'a Cluster,
        progress: &'a Progress,
        arguments: &Arguments,
    ) -> Result<Self> {
        let home = format!("--operator-namespace={HOME}");
        let more = arguments.run_argument.iter().map(String::as_str);
        let mut operator = Operator::new(
            std::path::absolute(&arguments.operator)?,
            cluster.plane().data(),
            "operator",
            &cluster.access(HOME).await?,
            vec![cluster.space.clone()],
            &[&*home].into_iter().chain(more).collect::<Vec<_>>(),
        )?;
        operator.log = arguments.output.join("operator.log");
        let log = cluster.audit_log()?;
        let version = cluster.space.client.apiserver_version().await?.git_version;
        Ok(Self {
            cluster,
            progress,
            operator,
            audit: Audit::follow(log.to_owned(), &Cluster::user())?,
            sampler: Sampler::start(cluster.api_server),
            results: Results::new(cluster.scale, version, arguments.run_argument.clone()),
            before: None,
            edits: AtomicU64::new(0),
            without_effect: BTreeSet::new(),
        })
    }

    /// Runs all scenarios.
    pub(crate) async fn run(&mut self) -> Result<()> {
        bare::run(self).await?;
        first_start::run(self).await?;
        single::run(self).await?;
        unprojected::run(self).await?;
        irrelevant::run(self).await?;
        fan_out::run(self).await?;
        churn::run(self).await?;
        burst::run(self).await?;
        rest::run(self).await?;
        restart::run(self).await?;
        downtime::run(self).await
    }

    /// What was measured.
    pub(crate) fn finish(mut self) -> Results {
        (self.results.samples, self.results.phases) = self.sampler.seen();
        self.results
    }

    fn scale(&self) -> Scale {
        self.cluster.scale
    }

    fn add(&mut self, figure: Figure) {
        if figure.is_broken() {
            eprintln!("BROKEN: {}", crate::report::table::line(&figure));
        }
        self.results.figures.push(figure);
    }

    // === The operator ===

    /// Starts the operator. Returns when that was begun, and how long it took until it was
    /// ready.
    async fn start(&mut self) -> Result<(Instant, Duration)> {
        let begun = Instant::now();
        self.operator.start().await?;
        let ready = begun.elapsed();
        self.sampler.follow(Some(self.operator.process()?));
        Ok((begun, ready))
    }

    async fn stop(&mut self) -> Result<()> {
        self.sampler.follow(None);
        self.operator.stop().await
    }

    fn cpu(&self) -> Result<Duration> {
        self.operator.process()?.cpu()
    }

    /// Waits until the operator has nothing more to do.
    async fn settle(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut active = Instant::now();
        let mut mark = self.audit.mark()?;
        while active.elapsed() < QUIET {
            ensure!(
                begun.elapsed() < PATIENCE,
                "the operator does not come to rest: {:?}",
                self.audit.since(mark)?.tally()
            );
            sleep(Duration::from_millis(250)).await;
            if !self.audit.since(mark)?.is_rest() {
                active = Instant::now();
                mark = self.audit.mark()?;
            }
        }
        Ok(())
    }

    /// Keeps which requests a scenario took.
    fn note_requests(&mut self, scenario: &'static str, mark: Mark) -> Result<()> {
        let tally = self.audit.since(mark)?.tally();
        self.results.requests.push((scenario, tally));
        Ok(())
    }

    // === The cluster ===

    /// Changes a key of a ConfigMap. Returns when that was answered.
    async fn edit(&self, config_map: &str, key: &str) -> Result<Instant> {
        let patch = manifests::edit(key, &self.another());
        self.patch::<ConfigMap>(config_map, patch).await
    }

    /// Changes a key of a Secret. Returns when that was answered.
    async fn edit_secret(&self, secret: &str, key: &str) -> Result<Instant> {
        let patch = manifests::edit_secret(key, &self.another());
        self.patch::<Secret>(secret, patch).await
    }

    /// A value that none of the edits before has written.
    fn another(&self) -> String {
        let before = self.edits.fetch_add(1, Ordering::Relaxed);
        (before + 1).to_string()
    }

    async fn patch<K>(&self, name: &str, patch: Value) -> Result<Instant>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.cluster.space.client.clone(), NAMESPACE);
        let patch = Patch::Merge(patch);
        api.patch_metadata(name, &PatchParams::default(), &patch)
            .await?;
        Ok(Instant::now())
    }

    /// Applies to a Deployment what Projsync would. Returns how long the answer took, and
    /// the generation before.
    async fn apply(&self, deployment: &str, value: &str) -> Result<(Duration, i64)> {
        let api: Api<Deployment> = Api::namespaced(self.cluster.space.client.clone(), NAMESPACE);
        let parameters = PatchParams::apply("bench").force();
        loop {
            let state = self.cluster.fleet.get(deployment)?;
            let version = state.resource_version;
            let body = manifests::roll(deployment, &state.uid, &version, value);
            let begun = Instant::now();
            let answer = api
                .patch_metadata(deployment, &parameters, &Patch::Apply(&body))
                .await;
            match answer {
                Ok(_) => return Ok((begun.elapsed(), state.generation)),
                // Its status is written once more after its rollout.
                Err(kube::Error::Api(status)) if status.is_conflict() => {
                    self.cluster.fleet.changed(deployment, &version).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Applies to several, some at once. Returns how long it took in all.
    async fn apply_all(
        &self,
        deployments: &[String],
        value: &str,
        at_once: usize,
    ) -> Result<Duration> {
        let begun = Instant::now();
        stream::iter(deployments)
            .map(|name| self.apply(name, value))
            .buffer_unordered(at_once)
            .try_for_each(async |_| Ok(()))
            .await?;
        Ok(begun.elapsed())
    }

    /// Waits until all Deployments are rolled out.
    async fn all_rolled_out(&self) -> Result<()> {
        let deployments = self.scale().deployments + 1;
        self.cluster.fleet.all_rolled_out(deployments, |_| {}).await
    }
}

/// Whether a source, by resource and name, was edited without effect since a Projection
/// told of it: each start reads it.
fn is_one_of(without_effect: &BTreeSet<String>, (resource, name): &(&str, &str)) -> bool {
    *resource == "configmaps" && without_effect.contains(*name)
}

/// Milliseconds.
fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
