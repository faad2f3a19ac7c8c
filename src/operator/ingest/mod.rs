//! Watch events → State: synchronous, one function a kind.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::{Resource, ResourceExt};
use tracing::warn;

use crate::api::names::projection_name;
use crate::api::policy::{ClusterSyncPolicy, PolicyStatus, SyncPolicy};
use crate::api::projection::Projection;
use crate::cluster::views::{Key, Slim, View, intern};
use crate::cluster::watch::Change;
use crate::core::index::{Affected, Seen};
use crate::core::object::pod;
use crate::core::object::source::SourceMeta;
use crate::core::object::workload::Workload;
use crate::core::policy::{CompiledPolicy, PolicyError, PolicyId};
use crate::core::state::PolicyMeta;
use crate::core::state::State;
use crate::kinds::{Rv, SourceId, SourceKind, WorkloadId, WorkloadKind};
use crate::operator::context::{Context, Subject};

/// Where a watch looks: one namespace, or (`None`) all.
pub type Scope = Option<Arc<str>>;

/// Keeps the names of a list that lie in a watch's scope and are not in `listed`.
fn gone<'a>(
    names: impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)>,
    scope: &Scope,
    listed: &HashSet<Key>,
) -> Vec<Key> {
    names
        .filter(|(namespace, _)| scope.as_ref().is_none_or(|scope| scope == *namespace))
        .map(|(namespace, name)| Key {
            namespace: namespace.clone(),
            name: name.clone(),
        })
        .filter(|key| !listed.contains(key))
        .collect()
}

/// An object that a watch has shown, with whether it was live; says why if it
/// can't be used. What was known of it stays.
fn usable<K: Slim>(view: View<K>) -> Option<(Key, Option<Rv>, K::Object)> {
    let key = Key::of(&view);
    let rv = rv(view.meta());
    match view.object {
        Ok(object) => Some((key, rv, object)),
        Err(bad) => {
            let kind = K::kind(&());
            warn!(%kind, object = %key, %bad, "an object can't be used; what was known of it stays");
            None
        }
    }
}

fn rv(meta: &ObjectMeta) -> Option<Rv> {
    meta.resource_version.as_deref().and_then(Rv::parse)
}

impl Context {
    fn seen(&self, live: bool) -> Seen {
        Seen {
            live,
            now: self.clock.now(),
        }
    }

    /// ConfigMaps or Secrets, metadata only.
    pub fn ingest_source<K: Slim<Object = SourceMeta>>(
        &self,
        kind: SourceKind,
        scope: &Scope,
        change: Change<View<K>>,
    ) {
        let id = |key: Key| SourceId::new(kind, key.namespace, key.name);
        let apply = |view, live| {
            let Some((key, _, meta)) = usable(view) else {
                return;
            };
            let seen = self.seen(live);
            self.change(|state| state.index.apply_source(&id(key), meta, seen));
        };
        match change {
            Change::Listing => {}
            Change::Listed(view) => apply(view, false),
            Change::Applied(view) => apply(view, true),
            Change::Deleted(view) => {
                let (key, rv, seen) = (Key::of(&view), rv(view.meta()), self.seen(true));
                self.change(|state| state.index.delete_source(&id(key), rv, seen));
            }
            Change::Synced(listed) => {
                let seen = self.seen(false);
                self.change(|state| {
                    let gone = gone(state.index.source_names(kind), scope, &listed);
                    join(
                        gone.into_iter()
                            .map(|key| state.index.delete_source(&id(key), None, seen)),
                    )
                });
            }
        }
    }

    /// Deployments, StatefulSets or DaemonSets.
    pub fn ingest_workload<K: Slim<Object = Workload>>(
        &self,
        kind: WorkloadKind,
        scope: &Scope,
        change: Change<View<K>>,
    ) {
        let id = |key: Key| WorkloadId::new(kind, key.namespace, key.name);
        match change {
            Change::Listing => {}
            Change::Listed(view) | Change::Applied(view) => {
                if let Some((key, _, workload)) = usable(view) {
                    self.change(|state| state.index.apply_workload(&id(key), workload));
                }
            }
            Change::Deleted(view) => {
                let key = Key::of(&view);
                self.change(|state| state.index.delete_workload(&id(key)));
            }
            Change::Synced(listed) => self.change(|state| {
                let gone = gone(state.index.workload_names(kind), scope, &listed);
                join(
                    gone.into_iter()
                        .map(|key| state.index.delete_workload(&id(key))),
                )
            }),
        }
    }

    /// Pods.
    pub fn ingest_pod(&self, scope: &Scope, change: Change<View<Pod>>) {
        match change {
            Change::Listing => {}
            Change::Listed(view) => {
                if let Some((key, _, view)) = usable(view) {
                    self.change(|state| state.index.apply_pod(&key.namespace, view));
                }
            }
            Change::Applied(view) => {
                if let Some((key, rv, view)) = usable(view) {
                    self.change(|state| {
                        let pod = live_pod(state, &key, rv, view);
                        state.index.apply_pod(&key.namespace, pod)
                    });
                }
            }
            Change::Deleted(view) => {
                let key = Key::of(&view);
                self.change(|state| state.index.delete_pod(&key.namespace, &key.name));
            }
            Change::Synced(listed) => self.change(|state| {
                let gone = gone(state.index.pod_names(), scope, &listed);
                join(
                    gone.iter()
                        .map(|key| state.index.delete_pod(&key.namespace, &key.name)),
                )
            }),
        }
    }

    /// ReplicaSets.
    pub fn ingest_replica_set(&self, scope: &Scope, change: Change<View<ReplicaSet>>) {
        match change {
            Change::Listing => {}
            Change::Listed(view) | Change::Applied(view) => {
                if let Some((key, _, Some(set))) = usable(view) {
                    self.change(|state| {
                        state
                            .index
                            .apply_replica_set(&key.namespace, &key.name, set)
                    });
                }
            }
            Change::Deleted(view) => {
                let key = Key::of(&view);
                self.change(|state| state.index.delete_replica_set(&key.namespace, &key.name));
            }
            Change::Synced(listed) => self.change(|state| {
                let gone = gone(state.index.replica_set_names(), scope, &listed);
                join(
                    gone.iter()
                        .map(|key| state.index.delete_replica_set(&key.namespace, &key.name)),
                )
            }),
        }
    }

    /// ControllerRevisions.
    pub fn ingest_revision(&self, scope: &Scope, change: Change<View<ControllerRevision>>) {
        match change {
            Change::Listing => {}
            Change::Listed(view) | Change::Applied(view) => {
                if let Some((key, _, Some(revision))) = usable(view) {
                    self.change(|state| {
                        state
                            .index
                            .apply_revision(&key.namespace, &key.name, revision)
                    });
                }
            }
            Change::Deleted(view) => {
                let key = Key::of(&view);
                self.change(|state| state.index.delete_revision(&key.namespace, &key.name));
            }
            Change::Synced(listed) => self.change(|state| {
                let gone = gone(state.index.revision_names(), scope, &listed);
                join(
                    gone.iter()
                        .map(|key| state.index.delete_revision(&key.namespace, &key.name)),
                )
            }),
        }
    }

    /// Namespaces, for their labels: those that are watched, all where `scopes` is empty.
    pub fn ingest_namespace(&self, scopes: &BTreeSet<String>, change: Change<View<Namespace>>) {
        let watched = |name: &str| scopes.is_empty() || scopes.contains(name);
        match change {
            // A namespace that a list lacks is gone with all its objects.
            Change::Listing | Change::Synced(_) => {}
            Change::Listed(view) | Change::Applied(view) => {
                if let Some((key, _, labels)) = usable(view)
                    && watched(&key.name)
                {
                    self.change(|state| state.index.apply_namespace(&intern(&key.name), labels));
                }
            }
            Change::Deleted(view) => {
                let key = Key::of(&view);
                self.change(|state| state.index.delete_namespace(&key.name));
            }
        }
    }

    /// SyncPolicies.
    pub fn ingest_policy(&self, scope: &Scope, change: Change<DeserializeGuard<SyncPolicy>>) {
        self.ingest_policies(scope, false, change, |id, policy| {
            let compiled = CompiledPolicy::namespaced(id, &policy.spec);
            (compiled, policy.status)
        });
    }

    /// ClusterSyncPolicies.
    pub fn ingest_cluster_policy(&self, change: Change<DeserializeGuard<ClusterSyncPolicy>>) {
        self.ingest_policies(&None, true, change, |id, policy| {
            let compiled = CompiledPolicy::cluster(id, &policy.spec);
            (compiled, policy.status)
        });
    }

    fn ingest_policies<K: Resource<DynamicType = ()>>(
        &self,
        scope: &Scope,
        cluster: bool,
        change: Change<DeserializeGuard<K>>,
        compile: impl Fn(&PolicyId, K) -> (Result<CompiledPolicy, PolicyError>, Option<PolicyStatus>),
    ) {
        let policy_id = |key: Key| match cluster {
            true => PolicyId::cluster(key.name),
            false => PolicyId::namespaced(key.namespace, key.name),
        };
        match change {
            Change::Listing => return,
            Change::Listed(guard) | Change::Applied(guard) => {
                let id = policy_id(Key::of(&guard));
                let generation = guard.meta().generation.unwrap_or_default();
                let (compiled, status) = match guard.0 {
                    Ok(policy) => compile(&id, policy),
                    Err(invalid) => (Err(PolicyError::Undecodable(invalid.error)), None),
                };
                if let Err(error) = &compiled {
                    warn!(policy = %id, %error, "a policy is invalid and selects nothing");
                }
                self.change(|state| {
                    let status =
                        status.or_else(|| state.policies.get(&id).map(|meta| meta.status.clone()));
                    let meta = PolicyMeta {
                        generation,
                        status: status.unwrap_or_default(),
                    };
                    state.policies.insert(id.clone(), meta);
                    state.index.change_policies(|policies| {
                        policies.apply(&id, compiled);
                    })
                });
            }
            Change::Deleted(guard) => {
                let id = policy_id(Key::of(&guard));
                self.change(|state| delete_policies(state, &[id]));
            }
            Change::Synced(listed) => self.change(|state| {
                let gone: Vec<PolicyId> = state
                    .policies
                    .keys()
                    .filter(|id| id.namespace().is_none() == cluster)
                    .filter(|id| scope.is_none() || id.namespace() == scope.as_ref())
                    .filter(|id| {
                        let key = Key {
                            namespace: id.namespace().cloned().unwrap_or_else(|| "".into()),
                            name: id.name().clone(),
                        };
                        !listed.contains(&key)
                    })
                    .cloned()
                    .collect();
                delete_policies(state, &gone)
            }),
        }
        self.reports.add(Subject::Policies);
    }

    /// Projections: what earlier processes and other replicas have stored.
    pub fn ingest_projection(&self, scope: &Scope, change: Change<DeserializeGuard<Projection>>) {
        match change {
            Change::Listing => {}
            Change::Listed(guard) | Change::Applied(guard) => self.adopt(guard),
            Change::Deleted(guard) => {
                if let Some(id) = workload_of(&guard) {
                    self.rewrite(&id);
                }
            }
            Change::Synced(listed) => {
                let remembered = self.state.lock().remembered();
                let missing = remembered.into_iter().filter(|id| {
                    let key = Key {
                        namespace: id.namespace.clone(),
                        name: projection_name(id.kind, &id.name).into(),
                    };
                    let in_scope = scope.as_ref().is_none_or(|scope| *scope == id.namespace);
                    in_scope && !listed.contains(&key)
                });
                missing.for_each(|id| self.rewrite(&id));
            }
        }
    }

    /// Takes in a Projection.
    fn adopt(&self, guard: DeserializeGuard<Projection>) {
        let leading = self.is_leading();
        let name = guard.name_any();
        let rv = rv(guard.meta());
        match guard.0 {
            Ok(projection) => {
                let namespace = projection.namespace().unwrap_or_default();
                let workload = &projection.spec.workload;
                let id = WorkloadId::new(workload.kind, namespace, workload.name.as_str());
                let status = projection.status.unwrap_or_default();
                let (spec, now) = (&projection.spec, self.now());
                let mut state = self.state.lock();
                let overwritten = state.shown(&id, spec, &status, rv, leading, now);
                drop(state);
                if let Some(delay) = overwritten {
                    self.reports.add_after(Subject::Workload(id), delay);
                }
            }
            Err(invalid) => {
                warn!(
                    projection = name,
                    error = invalid.error,
                    "a stored Projection can't be read; its workload is seen anew"
                );
            }
        }
    }

    /// Writes a Projection again that somebody deleted.
    fn rewrite(&self, id: &WorkloadId) {
        if self.state.lock().disowned(id) {
            self.reports.add(Subject::Workload(id.clone()));
        }
    }
}

/// A Pod as an event has shown it: one that was not known starts with this
/// event, and so do container starts that were not.
fn live_pod(state: &State, key: &Key, rv: Option<Rv>, view: pod::Pod) -> pod::Pod {
    let mut pod = view;
    let rv = rv.filter(|_| state.is_comparable());
    if state.index.pod_uid(&key.namespace, &key.name) != Some(&pod.uid) {
        pod.start.rv = rv;
    }
    for container in &mut pod.containers {
        if let Some(start) = &mut container.started {
            start.shown = rv;
        }
    }
    pod
}

fn delete_policies(state: &mut State, ids: &[PolicyId]) -> Affected {
    for id in ids {
        state.policies.remove(id);
    }
    state.index.change_policies(|policies| {
        for id in ids {
            policies.delete(id);
        }
    })
}

/// The workload that a Projection is about, where it can be told.
fn workload_of(guard: &DeserializeGuard<Projection>) -> Option<WorkloadId> {
    let projection = guard.0.as_ref().ok()?;
    let workload = &projection.spec.workload;
    let namespace = projection.namespace().unwrap_or_default();
    Some(WorkloadId::new(
        workload.kind,
        namespace,
        workload.name.as_str(),
    ))
}

fn join(parts: impl Iterator<Item = Affected>) -> Affected {
    parts.fold(Affected::default(), |mut all, part| {
        all.sources.extend(part.sources);
        all.workloads.extend(part.workloads);
        all
    })
}

#[cfg(test)]
mod tests;
