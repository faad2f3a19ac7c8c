//! Putting together what was read.

use std::collections::BTreeMap;

use kube::api::DynamicObject;

use super::connect::ClusterError;
use super::fetch::Fetch;
use super::name::WorkloadName;
use super::objects::{Pod, Workload, selector};
use crate::api::Projection;
use crate::kinds::WorkloadKind;

/// The workloads of a namespace and its Pods.
#[derive(Debug)]
pub struct Namespace {
    /// The workloads.
    pub workloads: Vec<Workload>,
    /// All Pods; `None` where one may not see them.
    pub pods: Option<Vec<Pod>>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

/// One workload and its Pods.
#[derive(Debug)]
pub struct One {
    /// The workload.
    pub workload: Workload,
    /// The object; `None` where one may not see it.
    pub object: Option<DynamicObject>,
    /// Its Pods, and maybe others; `None` where one may not see them.
    pub pods: Option<Vec<Pod>>,
}

/// Gathers a namespace.
///
/// # Errors
/// Where something can't be read, for another reason than that one may not.
pub async fn namespace(mut fetch: Fetch<'_>) -> Result<Namespace, ClusterError> {
    let mut nothing_seen = true;
    let projections = match fetch.projections().await {
        Ok(projections) => {
            nothing_seen = false;
            projections
        }
        Err(error) => without_projections(&mut fetch, error)?,
    };
    let mut projections: BTreeMap<_, _> = projections
        .into_iter()
        .map(|projection| (of(&projection), projection))
        .collect();
    let mut workloads = Vec::new();
    for kind in WorkloadKind::ALL {
        match fetch.workloads(kind).await? {
            Some(objects) => {
                nothing_seen = false;
                workloads.extend(objects.iter().map(|object| {
                    let name = object.metadata.name.clone().unwrap_or_default();
                    let projection = projections.remove(&WorkloadName { kind, name });
                    Workload::new(kind, object, projection)
                }));
            }
            None => workloads.extend(
                projections
                    .values()
                    .filter(|projection| projection.spec.workload.kind == kind)
                    .cloned()
                    .map(Workload::of_projection),
            ),
        }
    }
    let pods = fetch.pods(None).await?;
    if nothing_seen && pods.is_none() {
        let what = "workloads, Pods or Projections here".to_owned();
        return Err(ClusterError::Forbidden { what });
    }
    Ok(Namespace {
        workloads,
        pods: pods.map(|pods| pods.iter().map(Pod::new).collect()),
        notes: fetch.notes,
    })
}

/// Gathers one workload.
///
/// # Errors
/// Where there is no such workload, or something can't be read.
pub async fn one(fetch: &mut Fetch<'_>, name: &WorkloadName) -> Result<One, ClusterError> {
    let object = fetch.workload(name).await?;
    let projection = match fetch.projection(name).await {
        Ok(projection) => projection,
        Err(error) => without_projections(fetch, error)?.pop(),
    };
    let workload = match (&object, projection) {
        (Some(object), projection) => Workload::new(name.kind, object, projection),
        (None, Some(projection)) => Workload::of_projection(projection),
        (None, None) => {
            let what = format!("{name}, and there is no Projection of it to read");
            return Err(ClusterError::Forbidden { what });
        }
    };
    let selector = object.as_ref().and_then(selector);
    let pods = fetch.pods(selector.as_ref()).await?;
    Ok(One {
        workload,
        object,
        pods: pods.map(|pods| pods.iter().map(Pod::new).collect()),
    })
}

/// What is projected can be told without Projections; what Pods have of it can't.
fn without_projections(
    fetch: &mut Fetch<'_>,
    error: ClusterError,
) -> Result<Vec<Projection>, ClusterError> {
    match error {
        ClusterError::Forbidden { .. } | ClusterError::NotInstalled => {
            fetch.notes.push(format!(
                "what is managed, and what Pods have, can't be told: {error}"
            ));
            Ok(Vec::new())
        }
        error => Err(error),
    }
}

fn of(projection: &Projection) -> WorkloadName {
    let workload = &projection.spec.workload;
    WorkloadName {
        kind: workload.kind,
        name: workload.name.clone(),
    }
}
