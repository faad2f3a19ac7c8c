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
        let status = |policy: &mut SyncPolicy| policy.status.take();
        apply(context, id, self, status, |id, policy| {
            CompiledPolicy::namespaced(id, &policy.spec)
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
        let status = |policy: &mut ClusterSyncPolicy| policy.status.take();
        apply(context, id, self, status, |id, policy| {
            CompiledPolicy::cluster(id, &policy.spec)
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
    status: impl FnOnce(&mut K) -> Option<PolicyStatus>,
    compile: impl FnOnce(&PolicyId, &K) -> Result<CompiledPolicy, PolicyError>,
) {
    let mut policy = guard;
    let status = policy.0.as_mut().ok().and_then(status);
    let meta = policy.meta();
    let mut meta = PolicyMeta {
        uid: meta.uid.as_deref().unwrap_or_default().into(),
        generation: meta.generation.unwrap_or_default(),
        status: status.clone().unwrap_or_default(),
    };
    if let Some(known) = context.state.lock().policies.get_mut(&id)
        && known.says_as_much(&meta)
    {
        if status.is_some_and(|status| known.status != status) {
            known.status = meta.status;
            context.reports.add(Subject::Policies);
        }
        return;
    }
    let compiled = match policy.0 {
        Ok(policy) => compile(&id, &policy),
        Err(invalid) => Err(PolicyError::Undecodable(invalid.error)),
    };
    if let Err(error) = &compiled {
        warn!(policy = %id, %error, "a policy is invalid and selects nothing");
    }
    context.change(|state| {
        if status.is_none() {
            let known = state.policies.get(&id).map(|known| known.status.clone());
            meta.status = known.unwrap_or_default();
        }
        state.policies.insert(id.clone(), meta);
        state.index.apply_policy(&id, compiled)
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
        let mut affected = Affected::default();
        for id in &ids {
            affected.add(state.index.delete_policy(id));
        }
        affected
    });
    context.reports.add(Subject::Policies);
}
