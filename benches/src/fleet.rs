//! The Deployments, as a watch shows them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::manifests::NAMESPACE;

/// The Deployments, as a watch shows them.
pub(crate) struct Fleet {
    states: watch::Receiver<States>,
    task: JoinHandle<()>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct States {
    by_name: HashMap<String, State>,
    rolled_out: usize,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) generation: i64,
    /// When this generation was first seen.
    pub(crate) since: Instant,
    /// Whether its rollout is complete.
    pub(crate) rolled_out: bool,
}

impl Fleet {
    pub(crate) fn watch(client: Client) -> Self {
        let (sender, states) = watch::channel(States::default());
        let task = tokio::spawn(async move {
            let api: Api<Deployment> = Api::namespaced(client, NAMESPACE);
            let mut events = watcher(api, Config::default()).default_backoff().boxed();
            while let Some(event) = events.next().await {
                let now = Instant::now();
                match event {
                    Ok(Event::InitApply(one) | Event::Apply(one)) => {
                        sender.send_modify(|states| states.apply(&one, now));
                    }
                    // None is deleted; a watch that fails is begun again.
                    Ok(Event::Init | Event::InitDone | Event::Delete(_)) | Err(_) => {}
                }
            }
        });
        Self { states, task }
    }

    /// How one is now.
    pub(crate) fn get(&self, name: &str) -> Result<State> {
        let states = self.states.borrow();
        let state = states.by_name.get(name).cloned();
        state.with_context(|| format!("there is no Deployment {name}"))
    }

    /// Waits for something, or says that it does not come.
    pub(crate) async fn wait(
        &self,
        what: &str,
        within: Duration,
        mut until: impl FnMut(&States) -> bool,
    ) -> Result<()> {
        let mut states = self.states.clone();
        match timeout(within, states.wait_for(|states| until(states))).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => bail!("the watch of Deployments ended"),
            Err(_) => bail!("waited {} s for {what}", within.as_secs()),
        }
    }

    /// Waits until one has a generation after `before`, and returns it.
    pub(crate) async fn patched(&self, name: &str, before: i64) -> Result<State> {
        let what = format!("a patch of {name}");
        self.wait(&what, Duration::from_secs(60), |states| {
            states.generation(name) > before
        })
        .await?;
        self.get(name)
    }

    /// Waits until one has another version than `before`.
    pub(crate) async fn changed(&self, name: &str, before: &str) -> Result<()> {
        let what = format!("a newer version of {name}");
        self.wait(&what, Duration::from_secs(60), |states| {
            let state = states.by_name.get(name);
            state.is_some_and(|state| state.resource_version != before)
        })
        .await
    }

    /// Waits until the rollout of one is complete.
    pub(crate) async fn rolled_out(&self, name: &str) -> Result<()> {
        let what = format!("the rollout of {name}");
        self.wait(&what, Duration::from_secs(60), |states| {
            states.by_name.get(name).is_some_and(|one| one.rolled_out)
        })
        .await
    }

    /// Waits until there are so many, all rolled out.
    pub(crate) async fn all_rolled_out(&self, count: usize, told: impl Fn(usize)) -> Result<()> {
        let what = format!("{count} rollouts");
        self.wait(&what, Duration::from_secs(3600), |states| {
            told(states.rolled_out);
            states.rolled_out >= count && states.rolled_out == states.by_name.len()
        })
        .await
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl States {
    /// `metadata.generation` of one; 0 where it isn't known.
    pub(crate) fn generation(&self, name: &str) -> i64 {
        self.by_name.get(name).map_or(0, |one| one.generation)
    }

    fn apply(&mut self, deployment: &Deployment, now: Instant) {
        let name = deployment.name_any();
        let generation = deployment.metadata.generation.unwrap_or_default();
        let before = self.by_name.get(&name);
        let since = before
            .filter(|before| before.generation == generation)
            .map_or(now, |before| before.since);
        self.rolled_out -= usize::from(before.is_some_and(|before| before.rolled_out));
        let state = State {
            uid: deployment.uid().unwrap_or_default(),
            resource_version: deployment.resource_version().unwrap_or_default(),
            generation,
            since,
            rolled_out: is_rolled_out(deployment),
        };
        self.rolled_out += usize::from(state.rolled_out);
        self.by_name.insert(name, state);
    }
}

fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas);
    let status = deployment.status.as_ref();
    let count = |count: Option<i32>| count.unwrap_or_default();
    status.is_some_and(|status| {
        let wanted = wanted.unwrap_or(1);
        status.observed_generation >= deployment.metadata.generation
            && count(status.updated_replicas) == wanted
            && count(status.replicas) == wanted
            && count(status.available_replicas) == wanted
    })
}
