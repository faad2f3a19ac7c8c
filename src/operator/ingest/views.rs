//! Views of which the index keeps the newest.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Resource as _;
use tracing::warn;

use super::{Ingest, Scope, rv};
use crate::cluster::views::{AnySource, AnyWorkload, Key, Slim, View, WorkloadView, intern};
use crate::core::index::{Affected, Index, Seen};
use crate::core::object::source::SourceMeta;
use crate::core::object::{pod, workload};
use crate::core::policy::Labels;
use crate::core::state::State;
use crate::kinds::{Rv, SourceId, SourceKind, WorkloadId, WorkloadKind};
use crate::operator::context::Context;

/// An object that the index keeps.
trait Indexed: Slim {
    /// Takes it in.
    fn apply(state: &mut State, told: &Told<'_, Self>, object: Self::Object) -> Affected;

    /// Takes in that it is gone.
    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected;

    /// Names of the objects that the index has.
    fn names(index: &Index, kind: &Self::Kind) -> impl Iterator<Item = Key>;
}

/// Which object a watch told of, and how.
struct Told<'a, K: Slim> {
    kind: &'a K::Kind,
    scope: &'a Scope,
    key: Key,
    /// Its version; `None` where it is only missing in a list.
    rv: Option<Rv>,
    seen: Seen,
}

impl<K: Indexed> Ingest for View<K> {
    fn kind_name(kind: &K::Kind) -> &'static str {
        K::api(kind).kind
    }

    /// Where it can't be used, what was known of the object stays.
    fn apply(self, context: &Context, kind: &K::Kind, scope: &Scope, live: bool) {
        let told = Told::<K>::of(&self, context, kind, scope, live);
        match self.object {
            Ok(object) => context.change(|state| K::apply(state, &told, object)),
            Err(bad) => {
                let (kind, object) = (K::api(kind).kind, told.key);
                warn!(kind, %object, %bad, "an object can't be used; what was known of it stays");
            }
        }
    }

    fn delete(self, context: &Context, kind: &K::Kind, scope: &Scope) {
        let told = Told::<K>::of(&self, context, kind, scope, true);
        context.change(|state| K::delete(state, &told));
    }

    fn reset(context: &Context, kind: &K::Kind, scope: &Scope, listed: &HashSet<Key>) {
        let seen = seen(context, false);
        context.change(|state| {
            let mut affected = Affected::default();
            for key in gone(K::names(&state.index, kind), scope, listed) {
                let told = Told {
                    kind,
                    scope,
                    key,
                    rv: None,
                    seen,
                };
                affected.add(K::delete(state, &told));
            }
            affected
        });
    }
}

impl<'a, K: Slim> Told<'a, K> {
    fn of(
        view: &View<K>,
        context: &Context,
        kind: &'a K::Kind,
        scope: &'a Scope,
        live: bool,
    ) -> Self {
        Self {
            kind,
            scope,
            key: Key::of(view),
            rv: rv(view.meta()),
            seen: seen(context, live),
        }
    }
}

fn seen(context: &Context, live: bool) -> Seen {
    Seen {
        live,
        now: context.clock.now(),
    }
}

/// Names that lie in a watch's scope and are not in its list.
fn gone(names: impl Iterator<Item = Key>, scope: &Scope, listed: &HashSet<Key>) -> Vec<Key> {
    let of_cluster = |key: &Key| key.namespace.is_empty();
    names
        .filter(|key| of_cluster(key) || scope.contains(&key.namespace))
        .filter(|key| !listed.contains(key))
        .collect()
}

fn key((namespace, name): (&Arc<str>, &Arc<str>)) -> Key {
    Key {
        namespace: namespace.clone(),
        name: name.clone(),
    }
}

impl Indexed for AnySource {
    fn apply(state: &mut State, told: &Told<'_, Self>, meta: SourceMeta) -> Affected {
        state.index.apply_source(&told.source(), meta, told.seen)
    }

    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected {
        state
            .index
            .delete_source(&told.source(), told.rv, told.seen)
    }

    fn names(index: &Index, kind: &SourceKind) -> impl Iterator<Item = Key> {
        index.sources(*kind).map(|id| Key {
            namespace: id.namespace.unwrap_or_default(),
            name: id.name,
        })
    }
}

impl Told<'_, AnySource> {
    fn source(&self) -> SourceId {
        SourceId::new(
            *self.kind,
            self.key.namespace.clone(),
            self.key.name.clone(),
        )
    }
}

impl Indexed for AnyWorkload {
    fn apply(state: &mut State, told: &Told<'_, Self>, view: WorkloadView) -> Affected {
        let workload = view.of(*told.kind);
        state.index.apply_workload(&told.workload(), workload)
    }

    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected {
        state.index.delete_workload(&told.workload())
    }

    fn names(index: &Index, kind: &WorkloadKind) -> impl Iterator<Item = Key> {
        index.workload_names(*kind).map(key)
    }
}

impl Told<'_, AnyWorkload> {
    fn workload(&self) -> WorkloadId {
        WorkloadId::new(
            *self.kind,
            self.key.namespace.clone(),
            self.key.name.clone(),
        )
    }
}

impl Indexed for Pod {
    /// One that was not known starts with the event that shows it, and so do container
    /// starts that were not.
    fn apply(state: &mut State, told: &Told<'_, Self>, mut pod: pod::Pod) -> Affected {
        let Key { namespace, name } = &told.key;
        if told.seen.live {
            let rv = told.rv.filter(|_| state.is_comparable());
            if state.index.pod_uid(namespace, name) != Some(&pod.uid) {
                pod.start.rv = rv;
            }
            let containers = pod.containers.iter_mut();
            for start in containers.filter_map(|container| container.started.as_mut()) {
                start.shown = rv;
            }
        }
        state.index.apply_pod(namespace, pod)
    }

    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected {
        state.index.delete_pod(&told.key.namespace, &told.key.name)
    }

    fn names(index: &Index, (): &()) -> impl Iterator<Item = Key> {
        index.pod_names().map(key)
    }
}

impl Indexed for ReplicaSet {
    fn apply(
        state: &mut State,
        told: &Told<'_, Self>,
        set: Option<workload::ReplicaSet>,
    ) -> Affected {
        let Key { namespace, name } = &told.key;
        let apply = |set| state.index.apply_replica_set(namespace, name, set);
        set.map(apply).unwrap_or_default()
    }

    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected {
        let Key { namespace, name } = &told.key;
        state.index.delete_replica_set(namespace, name)
    }

    fn names(index: &Index, (): &()) -> impl Iterator<Item = Key> {
        index.replica_set_names().map(key)
    }
}

impl Indexed for ControllerRevision {
    fn apply(
        state: &mut State,
        told: &Told<'_, Self>,
        revision: Option<workload::ControllerRevision>,
    ) -> Affected {
        let Key { namespace, name } = &told.key;
        let apply = |revision| state.index.apply_revision(namespace, name, revision);
        revision.map(apply).unwrap_or_default()
    }

    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected {
        let Key { namespace, name } = &told.key;
        state.index.delete_revision(namespace, name)
    }

    fn names(index: &Index, (): &()) -> impl Iterator<Item = Key> {
        index.revision_names().map(key)
    }
}

/// Namespaces count for their labels, where their objects are watched.
impl Indexed for Namespace {
    fn apply(state: &mut State, told: &Told<'_, Self>, labels: Labels) -> Affected {
        match told.scope.contains(&told.key.name) {
            true => state.index.apply_namespace(&intern(&told.key.name), labels),
            false => Affected::default(),
        }
    }

    fn delete(state: &mut State, told: &Told<'_, Self>) -> Affected {
        state.index.delete_namespace(&told.key.name)
    }

    /// None: one that a list lacks is gone with all its objects.
    fn names(_: &Index, (): &()) -> impl Iterator<Item = Key> {
        std::iter::empty()
    }
}
