//! What is watched: one table, and what starts its watches.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::core::{DeserializeGuard, NamespaceScope};
use kube::{Api, Resource};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::interval;
use tracing::info;

use crate::api::policy::{ClusterSyncPolicy, SyncPolicy};
use crate::api::projection::Projection;
use crate::cluster::client::pulse::PulseLayer;
use crate::cluster::views::{AnySource, AnyWorkload, View};
use crate::cluster::watch::{History, Watch, WatchHealth, WatchOptions};
use crate::kinds::{Scope as ApiScope, SourceKind, WorkloadKind};
use crate::operator::context::Context;
use crate::operator::ingest::{Ingest, Scope, ingest};

/// What is done with each row of the table.
pub(super) trait EachWatch {
    /// A kind whose objects live in namespaces.
    fn namespaced<K>(&mut self, kind: K::DynamicType)
    where
        K: Ingest + Resource<DynamicType: Clone, Scope: NamespaceScope>;

    /// A kind whose objects live in the cluster. Where it is `optional`, nothing depends on it.
    fn cluster<K>(&mut self, kind: K::DynamicType, optional: bool)
    where
        K: Ingest + Resource<DynamicType: Clone>;
}

/// What is remembered of each workload: without it every one would be new.
pub(super) fn memory(each: &mut impl EachWatch) {
    each.namespaced::<DeserializeGuard<Projection>>(());
}

/// What is planned from. `few` says that only some namespaces are watched.
pub(super) fn cluster(each: &mut impl EachWatch, few: bool) {
    each.namespaced::<DeserializeGuard<SyncPolicy>>(());
    // A few namespaces can do without: no ClusterSyncPolicy selects them then, or none by labels.
    each.cluster::<DeserializeGuard<ClusterSyncPolicy>>((), few);
    each.cluster::<View<Namespace>>((), few);
    for kind in SourceKind::all() {
        match kind.api.scope {
            ApiScope::Namespace => each.namespaced::<View<AnySource>>(kind),
            ApiScope::Cluster => each.cluster::<View<AnySource>>(kind, false),
        }
    }
    for kind in WorkloadKind::all() {
        each.namespaced::<View<AnyWorkload>>(kind);
    }
    each.namespaced::<View<ReplicaSet>>(());
    each.namespaced::<View<ControllerRevision>>(());
    each.namespaced::<View<Pod>>(());
}

/// Starts watches, as tasks that must not end.
pub(super) struct Watches<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) pulses: &'a PulseLayer,
    pub(super) history: &'a History,
    /// Namespaces to watch; all if empty.
    pub(super) namespaces: &'a BTreeSet<String>,
    /// Settings of the watches.
    pub(super) options: WatchOptions,
    /// Health of every watch that was started.
    pub(super) healths: &'a Mutex<Vec<Arc<WatchHealth>>>,
    pub(super) tasks: &'a mut JoinSet<&'static str>,
}

impl EachWatch for Watches<'_> {
    /// Watches each namespace that was named, else all.
    fn namespaced<K>(&mut self, kind: K::DynamicType)
    where
        K: Ingest + Resource<DynamicType: Clone, Scope: NamespaceScope>,
    {
        let api = self.api::<K>(&kind);
        if self.namespaces.is_empty() {
            return self.start(kind, api, Scope::default(), false);
        }
        for namespace in self.namespaces.clone() {
            let api = api.clone().constrain(&namespace);
            self.start(kind.clone(), api, Scope::new([namespace]), false);
        }
    }

    fn cluster<K>(&mut self, kind: K::DynamicType, optional: bool)
    where
        K: Ingest + Resource<DynamicType: Clone>,
    {
        let api = self.api(&kind);
        self.start::<K>(kind, api, Scope::new(self.namespaces), optional);
    }
}

impl Watches<'_> {
    fn api<K: Ingest>(&self, kind: &K::DynamicType) -> Api<K> {
        Api::all_with(self.context.cluster.watches.clone(), kind)
    }

    fn start<K: Ingest>(
        &mut self,
        kind: K::DynamicType,
        api: Api<K>,
        scope: Scope,
        optional: bool,
    ) {
        let options = WatchOptions {
            optional,
            ..self.options
        };
        let watch = Watch::new(K::kind_name(&kind), api, self.pulses, self.history, options);
        self.healths.lock().push(watch.health());
        let context = self.context.clone();
        self.tasks.spawn(async move {
            watch
                .run(move |change| ingest(&context, &kind, &scope, change))
                .await;
            "a watch"
        });
    }

    /// Waits until every watch that was started has finished its first list or is left out.
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

/// Begins to decide again, for ever, once all is listed anew in another history.
pub(super) async fn resume(
    context: Arc<Context>,
    healths: Arc<Mutex<Vec<Arc<WatchHealth>>>>,
    history: History,
) {
    let mut tick = interval(Duration::from_millis(100));
    let mut resumed = 0;
    loop {
        tick.tick().await;
        let number = history.number();
        let listed = |health: &Arc<WatchHealth>| health.is_synced_in(number);
        if number != resumed && healths.lock().iter().all(listed) {
            info!("every watch has finished its list of another history, or is left out");
            context.start();
            context.announce_restore();
            resumed = number;
        }
    }
}
