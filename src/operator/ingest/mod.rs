//! Watch events → State: synchronous, one implementation of [`Ingest`] a view.

mod denied;
mod policies;
mod projections;
mod views;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use kube::core::ObjectMeta;

use crate::cluster::views::Key;
use crate::cluster::watch::{Change, Watched};
use crate::kinds::Rv;
use crate::operator::context::Context;

/// The namespaces that a watch looks at; all where empty.
#[derive(Clone, Debug, Default)]
pub struct Scope(Arc<BTreeSet<String>>);

/// Objects that the state takes in as a watch tells of them.
pub trait Ingest: Watched {
    /// The `kind` of the objects.
    fn kind_name(kind: &Self::DynamicType) -> &'static str;

    /// Takes in an object: from an event (`live`), or from a list.
    fn apply(self, context: &Context, kind: &Self::DynamicType, scope: &Scope, live: bool);

    /// Takes in that an object was deleted.
    fn delete(self, context: &Context, kind: &Self::DynamicType, scope: &Scope);

    /// Takes in that a list is complete: what lies in its scope and isn't named is gone.
    fn reset(context: &Context, kind: &Self::DynamicType, scope: &Scope, listed: &HashSet<Key>);
}

/// Takes in what a watch tells.
pub fn ingest<K: Ingest>(
    context: &Context,
    kind: &K::DynamicType,
    scope: &Scope,
    change: Change<K>,
) {
    match change {
        Change::Listing => {}
        Change::Listed(object) => object.apply(context, kind, scope, false),
        Change::Applied(object) => object.apply(context, kind, scope, true),
        Change::Deleted(object) => object.delete(context, kind, scope),
        Change::Synced(listed) => {
            K::reset(context, kind, scope, &listed);
            context.change(|state| state.listed(K::kind_name(kind), scope.namespace()));
        }
        Change::Undone => context.forget_versions(K::kind_name(kind)),
        Change::Denied(denial) => {
            let (namespace, now) = (scope.namespace(), context.clock.now());
            let why = denied::sentence::<K>(kind, namespace.as_deref(), denial);
            context.change(|state| state.left_out(K::kind_name(kind), namespace, why, now));
        }
    }
}

fn rv(meta: &ObjectMeta) -> Option<Rv> {
    meta.resource_version.as_deref().and_then(Rv::parse)
}

// === impl Scope ===

impl Scope {
    /// The scope of a watch on these namespaces.
    pub fn new<T: Into<String>>(namespaces: impl IntoIterator<Item = T>) -> Self {
        Self(Arc::new(namespaces.into_iter().map(Into::into).collect()))
    }

    /// The namespace, if it is just one.
    #[must_use]
    pub fn namespace(&self) -> Option<Arc<str>> {
        let mut namespaces = self.0.iter();
        let first = namespaces.next()?;
        namespaces.next().is_none().then(|| first.as_str().into())
    }

    /// Whether a namespace is looked at.
    #[must_use]
    pub fn contains(&self, namespace: &str) -> bool {
        self.0.is_empty() || self.0.contains(namespace)
    }
}

#[cfg(test)]
mod tests;
