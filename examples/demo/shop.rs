//! What the API server says of the shop.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use projsync::api::Projection;
use projsync::api::names::SYNC_ANNOTATION;
use testkit::{Object as _, Space, WorkloadKind, object, rollout_lacks};

use crate::edit::Change;

/// The namespace of everything in the demo.
pub(crate) const NAMESPACE: &str = "shop";

/// By `<kind>/<name>`, in lower case as kubectl has it.
pub(crate) type ByName<T> = BTreeMap<String, T>;

/// A workload.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// Moves by one with each roll: nothing else changes a spec here.
    pub(crate) generation: i64,
    /// Whether every Pod is of its current template, and Ready.
    pub(crate) rolled_out: bool,
    /// Whether its owner has opted out.
    pub(crate) opted_out: bool,
}

/// All workloads.
pub(crate) async fn workloads(space: &Space) -> Result<ByName<Workload>> {
    let mut found = BTreeMap::new();
    for kind in WorkloadKind::ALL {
        for one in space.all(&object("apps/v1", kind.as_str(), "")).await? {
            let workload = Workload {
                generation: one["metadata"]["generation"].as_i64().unwrap_or_default(),
                rolled_out: rollout_lacks(&one).is_empty(),
                opted_out: !one["metadata"]["annotations"][SYNC_ANNOTATION].is_null(),
            };
            let name = format!("{}/{}", kind.as_str().to_lowercase(), one.name());
            found.insert(name, workload);
        }
    }
    Ok(found)
}

/// All Projections, by their workload.
pub(crate) async fn projections(space: &Space) -> Result<ByName<Projection>> {
    let named = |one: Projection| {
        let workload = &one.spec.workload;
        let kind = workload.kind.to_string().to_lowercase();
        (format!("{kind}/{}", workload.name), one)
    };
    let all = space.list::<Projection>().await?;
    Ok(all.into_iter().map(named).collect())
}

/// The newest note that Projsync has left on a workload since `since`.
pub(crate) async fn event(
    space: &Space,
    workload: &str,
    since: Timestamp,
) -> Result<Option<String>> {
    let events = space.list::<Event>().await?;
    let ours = events.into_iter().filter(|event| {
        let about = event.regarding.as_ref().and_then(|about| {
            let kind = about.kind.as_ref()?.to_lowercase();
            Some(format!("{kind}/{}", about.name.as_ref()?))
        });
        event.reporting_controller.as_deref() == Some("projsync.dev/projsync")
            && about.as_deref() == Some(workload)
            && event
                .event_time
                .as_ref()
                .is_some_and(|time| time.0 >= since)
    });
    let newest = ours.max_by_key(|event| event.event_time.as_ref().map(|time| time.0));
    Ok(newest.and_then(|event| event.note))
}

/// Why these changes did not roll a workload.
pub(crate) fn why_not(projection: &Projection, changes: &[Change]) -> String {
    let status = projection.status.clone().unwrap_or_default();
    let decided = status
        .decision
        .map(|decision| format!("{}: {}", decision.reason, decision.message))
        .unwrap_or_default();
    let mut elsewhere: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Change { edit, keys } in changes {
        for reference in &status.references {
            let source = format!("{} {NAMESPACE}/{}", reference.kind, reference.name);
            if source != edit.key {
                continue;
            }
            if keys.iter().any(|key| reference.keys.contains(key)) {
                return decided;
            }
            elsewhere
                .entry(format!("{}/{}", reference.kind, reference.name))
                .or_default()
                .extend(reference.keys.clone());
        }
    }
    let only = elsewhere.iter().map(|(source, keys)| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        format!("projects only {} of {source}", keys.join(", "))
    });
    match (changes.is_empty(), elsewhere.is_empty()) {
        (true, _) => decided,
        (false, true) => "projects nothing that changed".to_owned(),
        (false, false) => only.collect::<Vec<_>>().join("; "),
    }
}
