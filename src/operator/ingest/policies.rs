//! Policies, of a namespace or of the cluster.

use std::collections::HashSet;
use std::sync::Arc;

use kube::Resource;
use kube::core::DeserializeGuard;
use tracing::warn;

use super::{Ingest, Scope};
use crate::api::policy::{ClusterSyncPolicy, PolicyStatus, SyncPolicy};
use crate::cluster::views::Key;
use crate::core::index::Affected;
use crate::core::policy::{CompiledPolicy, PolicyError, PolicyId};
use crate::core::state::{PolicyMeta, State};
use crate::operator::context::{Context, Subject};

impl Ingest for DeserializeGuard<SyncPolicy> {
    fn kind_name((): &()) -> &'static str {
        "SyncPolicy"
    }

    fn apply(self, context: &Context, (): &(), _: &Scope, _: bool) {
        let id = namespaced(Key::of(&self));
        apply(context, id, self, |id, policy| {
            let compiled = CompiledPolicy::namespaced(id, &policy.spec);
            (compiled, policy.status)
        });
    }

    fn delete(self, context: &Context, (): &(), _: &Scope) {
        let id = namespaced(Key::of(&self));
        delete(context, |_| vec![id]);
    }

    fn reset(context: &Context, (): &(), scope: &Scope, listed: &HashSet<Key>) {
        delete(context, |state| {
            let known = state.policies.keys().filter(|id| {
                id.namespace().is_some_and(|namespace| {
                    let key = Key {
                        namespace: namespace.clone(),
                        name: id.name().clone(),
                    };
                    scope.contains(namespace) && !listed.contains(&key)
                })
            });
            known.cloned().collect()
        });
    }
}

impl Ingest for DeserializeGuard<ClusterSyncPolicy> {
    fn kind_name((): &()) -> &'static str {
        "ClusterSyncPolicy"
    }

    fn apply(self, context: &Context, (): &(), _: &Scope, _: bool) {
        let id = PolicyId::cluster(Key::of(&self).name);
        apply(context, id, self, |id, policy| {
            let compiled = CompiledPolicy::cluster(id, &policy.spec);
            (compiled, policy.status)
        });
    }

    fn delete(self, context: &Context, (): &(), _: &Scope) {
        let id = PolicyId::cluster(Key::of(&self).name);
        delete(context, |_| vec![id]);
    }

    fn reset(context: &Context, (): &(), _: &Scope, listed: &HashSet<Key>) {
        delete(context, |state| {
            let of_cluster = state.policies.keys().filter(|id| id.namespace().is_none());
            let named = |name: &Arc<str>| listed.iter().any(|key| key.name == *name);
            of_cluster.filter(|id| !named(id.name())).cloned().collect()
        });
    }
}

fn namespaced(key: Key) -> PolicyId {
    PolicyId::namespaced(key.namespace, key.name)
}

/// Takes in a policy; one that can't be decoded or compiled selects nothing.
fn apply<K: Resource<DynamicType = ()>>(
    context: &Context,
    id: PolicyId,
    guard: DeserializeGuard<K>,
    compile: impl FnOnce(&PolicyId, K) -> (Result<CompiledPolicy, PolicyError>, Option<PolicyStatus>),
) {
    let generation = guard.meta().generation.unwrap_or_default();
    let (compiled, status) = match guard.0 {
        Ok(policy) => compile(&id, policy),
        Err(invalid) => (Err(PolicyError::Undecodable(invalid.error)), None),
    };
    if let Err(error) = &compiled {
        warn!(policy = %id, %error, "a policy is invalid and selects nothing");
    }
    context.change(|state| {
        let status = status.or_else(|| state.policies.get(&id).map(|meta| meta.status.clone()));
        let meta = PolicyMeta {
            generation,
            status: status.unwrap_or_default(),
        };
        state.policies.insert(id.clone(), meta);
        state.index.change_policies(|policies| {
            policies.apply(&id, compiled);
        })
    });
    context.reports.add(Subject::Policies);
}

fn delete(context: &Context, which: impl FnOnce(&State) -> Vec<PolicyId>) {
    context.change(|state| {
        let ids = which(state);
        if ids.is_empty() {
            return Affected::default();
        }
        for id in &ids {
            state.policies.remove(id);
        }
        state.index.change_policies(|policies| {
            for id in &ids {
                policies.delete(id);
            }
        })
    });
    context.reports.add(Subject::Policies);
}
