//! What the API server says of the shop.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client};
use projsync::api::Projection;
use projsync::api::names::SYNC_ANNOTATION;

use crate::edit::{Edit, NAMESPACE};

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
pub(crate) async fn workloads(client: &Client) -> Result<ByName<Workload>> {
    let mut found = BTreeMap::new();
    let mut add = |kind: &str,
                   meta: ObjectMeta,
                   observed: Option<i64>,
                   [wanted, updated, ready]: [i32; 3]| {
        let generation = meta.generation.unwrap_or_default();
        let opted_out = meta
            .annotations
            .unwrap_or_default()
            .contains_key(SYNC_ANNOTATION);
        let workload = Workload {
            generation,
            rolled_out: observed == Some(generation) && wanted == updated && wanted == ready,
            opted_out,
        };
        found.insert(
            format!("{kind}/{}", meta.name.unwrap_or_default()),
            workload,
        );
    };
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    for one in deployments.list(&Default::default()).await? {
        let (spec, status) = (one.spec.unwrap_or_default(), one.status.unwrap_or_default());
        let wanted = spec.replicas.unwrap_or(1);
        let updated = status.updated_replicas.unwrap_or_default();
        // Old ones that are still there count too.
        let others = status.replicas.unwrap_or_default() - updated;
        let ready = status.ready_replicas.unwrap_or_default() - others;
        add(
            "deployment",
            one.metadata,
            status.observed_generation,
            [wanted, updated, ready],
        );
    }
    let stateful_sets: Api<StatefulSet> = Api::namespaced(client.clone(), NAMESPACE);
    for one in stateful_sets.list(&Default::default()).await? {
        let (spec, status) = (one.spec.unwrap_or_default(), one.status.unwrap_or_default());
        let done = status.current_revision == status.update_revision;
        let wanted = spec.replicas.unwrap_or(1);
        let updated = if done {
            wanted
        } else {
            status.updated_replicas.unwrap_or_default()
        };
        let ready = status.ready_replicas.unwrap_or_default();
        add(
            "statefulset",
            one.metadata,
            status.observed_generation,
            [wanted, updated, ready],
        );
    }
    let daemon_sets: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
    for one in daemon_sets.list(&Default::default()).await? {
        let status = one.status.unwrap_or_default();
        let wanted = status.desired_number_scheduled;
        let updated = status.updated_number_scheduled.unwrap_or_default();
        add(
            "daemonset",
            one.metadata,
            status.observed_generation,
            [wanted, updated, status.number_ready],
        );
    }
    Ok(found)
}

/// All Projections, by their workload.
pub(crate) async fn projections(client: &Client) -> Result<ByName<Projection>> {
    let api: Api<Projection> = Api::namespaced(client.clone(), NAMESPACE);
    let named = |one: Projection| {
        let workload = &one.spec.workload;
        (
            format!(
                "{}/{}",
                workload.kind.to_string().to_lowercase(),
                workload.name
            ),
            one,
        )
    };
    Ok(api
        .list(&Default::default())
        .await?
        .into_iter()
        .map(named)
        .collect())
}

/// The newest note that Projsync has left on a workload since `since`.
pub(crate) async fn event(
    client: &Client,
    workload: &str,
    since: Timestamp,
) -> Result<Option<String>> {
    let api: Api<Event> = Api::namespaced(client.clone(), NAMESPACE);
    let events = api.list(&Default::default()).await?;
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
pub(crate) fn why_not(projection: &Projection, edits: &[Edit]) -> String {
    let status = projection.status.clone().unwrap_or_default();
    let decided = status
        .decision
        .map(|decision| format!("{}: {}", decision.reason, decision.message))
        .unwrap_or_default();
    let mut elsewhere: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for edit in edits {
        let of_it = status.references.iter().filter(|reference| {
            reference.kind.as_str() == edit.kind && reference.name == edit.name
        });
        for reference in of_it {
            if edit.keys.iter().any(|key| reference.keys.contains(key)) {
                return decided;
            }
            let source = format!("{}/{}", edit.kind, edit.name);
            elsewhere
                .entry(source)
                .or_default()
                .extend(reference.keys.clone());
        }
    }
    let only = elsewhere.iter().map(|(source, keys)| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        format!("projects only {} of {source}", keys.join(", "))
    });
    match (edits.is_empty(), elsewhere.is_empty()) {
        (true, _) => decided,
        (false, true) => "projects nothing that changed".to_owned(),
        (false, false) => only.collect::<Vec<_>>().join("; "),
    }
}
