//! Projections: what earlier processes and other replicas have stored.

use std::collections::HashSet;

use kube::core::DeserializeGuard;
use kube::{Resource as _, ResourceExt as _};
use tracing::warn;

use super::{Ingest, Scope, rv};
use crate::api::names::projection_name;
use crate::api::projection::Projection;
use crate::api::reasons::Reason;
use crate::cluster::views::Key;
use crate::kinds::WorkloadId;
use crate::operator::context::{Context, Subject};

impl Ingest for DeserializeGuard<Projection> {
    fn kind_name((): &()) -> &'static str {
        "Projection"
    }

    fn apply(self, context: &Context, (): &(), _: &Scope, _: bool) {
        let (name, rv) = (self.name_any(), rv(self.meta()));
        let projection = match self.0 {
            Ok(projection) => projection,
            Err(invalid) => {
                warn!(
                    projection = name,
                    error = invalid.error,
                    "a stored Projection can't be read; its workload is seen anew"
                );
                return;
            }
        };
        let Some(id) = projection.workload() else {
            return ignored(context, &projection);
        };
        let (spec, now) = (&projection.spec, context.now());
        let status = projection.status.unwrap_or_default();
        let leading = context.is_leading();
        let mut state = context.state.lock();
        let overwritten = state.shown(&id, spec, &status, rv, leading, now);
        drop(state);
        if let Some(delay) = overwritten {
            context.reports.add_after(Subject::Workload(id), delay);
        }
    }

    fn delete(self, context: &Context, (): &(), _: &Scope) {
        // Whose one was that can't be read is not known.
        if let Some(id) = self.0.ok().and_then(|projection| projection.workload()) {
            rewrite(context, id);
        }
    }

    fn reset(context: &Context, (): &(), scope: &Scope, listed: &HashSet<Key>) {
        let remembered = context.state.lock().remembered();
        let missing = remembered.into_iter().filter(|id| {
            let key = Key {
                namespace: id.namespace.clone(),
                name: projection_name(id.kind, &id.name).into(),
            };
            scope.contains(&id.namespace) && !listed.contains(&key)
        });
        missing.for_each(|id| rewrite(context, id));
    }
}

/// Tells of a Projection that is not the one of its workload.
fn ignored(context: &Context, projection: &Projection) {
    let workload = &projection.spec.workload;
    let (namespace, name) = (
        projection.namespace().unwrap_or_default(),
        projection.name_any(),
    );
    let id = WorkloadId::new(workload.kind, namespace, workload.name.as_str());
    warn!(workload = %id, projection = name, "a Projection of another name says that it is the workload's; it is ignored");
    let own = projection_name(id.kind, &id.name);
    let note = format!("The Projection {name} is ignored: that of the workload is named {own}");
    context.post(&id, Reason::ProjectionIgnored, "Ignore", note);
}

/// Writes a Projection again that somebody deleted.
fn rewrite(context: &Context, id: WorkloadId) {
    let leading = context.is_leading();
    if context.state.lock().disowned(&id, leading) {
        context.reports.add(Subject::Workload(id));
    }
}
