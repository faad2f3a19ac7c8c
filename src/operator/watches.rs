//! What is watched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Resource};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::watch::{Change, Health, Options, Watch, Watched};
use crate::kinds::{SourceKind, WorkloadKind};
use crate::operator::context::Context;
use crate::operator::ingest::Scope;

/// Starts watches, as tasks that must not end.
pub(super) struct Watches<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) pulses: &'a PulseLayer,
    /// Namespaces to watch; none means all.
    pub(super) namespaces: &'a BTreeSet<String>,
    /// How to watch.
    pub(super) options: Options,
    /// The health of every watch that was started.
    pub(super) healths: &'a Mutex<Vec<Arc<Health>>>,
    pub(super) tasks: &'a mut JoinSet<&'static str>,
}

impl Watches<'_> {
    /// Watches what is remembered of each workload.
    pub(super) fn watch_memory(&mut self) {
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_projection(scope, change);
        });
    }

    /// Watches all that is planned from.
    pub(super) fn watch_everything(&mut self) {
        use SourceKind as S;
        use WorkloadKind as W;
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_policy(scope, change);
        });
        self.watch_cluster(true, |context: &Context, change| {
            context.ingest_cluster_policy(change);
        });
        // A few namespaces can do without: a namespaceSelector selects none of them then.
        let scopes = self.namespaces.clone();
        self.watch_cluster(!scopes.is_empty(), move |context: &Context, change| {
            context.ingest_namespace(&scopes, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_source::<ConfigMap>(S::CONFIG_MAP, scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_source::<Secret>(S::SECRET, scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_workload::<Deployment>(W::DEPLOYMENT, scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_workload::<StatefulSet>(W::STATEFUL_SET, scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_workload::<DaemonSet>(W::DAEMON_SET, scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_replica_set(scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_revision(scope, change);
        });
        self.watch_each_namespace(|context: &Context, scope, change| {
            context.ingest_pod(scope, change);
        });
    }

    /// Watches a namespaced kind: in each namespace that was named, else in all.
    fn watch_each_namespace<K>(
        &mut self,
        ingest: impl Fn(&Context, &Scope, Change<K>) + Copy + Send + 'static,
    ) where
        K: Watched + Resource<Scope = NamespaceResourceScope>,
    {
        let client = self.context.cluster.watches.clone();
        if self.namespaces.is_empty() {
            self.spawn_watch(Api::all(client), false, move |context, change| {
                ingest(context, &None, change);
            });
            return;
        }
        for namespace in self.namespaces.clone() {
            let api = Api::namespaced(client.clone(), &namespace);
            let scope: Scope = Some(namespace.into());
            self.spawn_watch(api, false, move |context, change| {
                ingest(context, &scope, change);
            });
        }
    }

    /// Watches a kind of the cluster; where it is `optional` there may be none.
    fn watch_cluster<K: Watched>(
        &mut self,
        optional: bool,
        ingest: impl Fn(&Context, Change<K>) + Send + 'static,
    ) {
        let client = self.context.cluster.watches.clone();
        self.spawn_watch(Api::all(client), optional, ingest);
    }

    fn spawn_watch<K: Watched>(
        &mut self,
        api: Api<K>,
        optional: bool,
        ingest: impl Fn(&Context, Change<K>) + Send + 'static,
    ) {
        let options = Options {
            optional,
            ..self.options
        };
        let watch = Watch::new(api, self.pulses, options);
        self.healths.lock().push(watch.health());
        let context = self.context.clone();
        self.tasks.spawn(async move {
            watch.run(move |change| ingest(&context, change)).await;
            "a watch"
        });
    }

    /// Waits until every watch that was started has finished its first list.
    pub(super) async fn wait_for_lists(&mut self) -> anyhow::Result<()> {
        let mut tick = interval(Duration::from_millis(10));
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                Some(ended) = self.tasks.join_next() => {
                    let name = ended.context("a task failed at start")?;
                    bail!("{name} ended at start");
                }
            }
            if self.healths.lock().iter().all(|health| health.is_synced()) {
                return Ok(());
            }
        }
    }
}
