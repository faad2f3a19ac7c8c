//! Reading from the cluster what the reports are made of.
//!
//! Never a ConfigMap or Secret: Projections, workloads, Pods and revisions are
//! enough. What one may not see is noted, and the rest is shown.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::api::apps::v1::{
    ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, ListParams, PartialObjectMeta};
use kube::core::{DeserializeGuard, Selector};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::connect::{ClusterError, Connection, is_forbidden, is_not_found};
use super::name::WorkloadName;
use crate::api::Projection;
use crate::api::names::projection_name;
use crate::kinds::WorkloadKind;

/// How many objects a page of a list has.
const PAGE: u32 = 500;

/// Reads from one namespace, or from all of them, and notes what it couldn't see.
#[derive(Debug)]
pub struct Fetch<'a> {
    connection: &'a Connection,
    /// Whether lists are of all namespaces rather than of the connection's.
    all: bool,
    /// What couldn't be seen, in sentences.
    pub notes: Vec<String>,
}

/// The API of a kind of workload, for objects as JSON.
fn resource(kind: WorkloadKind) -> ApiResource {
    match kind {
        WorkloadKind::Deployment => ApiResource::erase::<Deployment>(&()),
        WorkloadKind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        WorkloadKind::DaemonSet => ApiResource::erase::<DaemonSet>(&()),
    }
}

impl<'a> Fetch<'a> {
    /// Reads from the connection's namespace, or (`all`) lists from every one.
    #[must_use]
    pub fn new(connection: &'a Connection, all: bool) -> Self {
        Self {
            connection,
            all,
            notes: Vec::new(),
        }
    }

    /// All Projections. One that can't be decoded is noted.
    ///
    /// # Errors
    /// Where they can't be read: nothing can be told without them.
    pub async fn projections(&mut self) -> Result<Vec<Projection>, ClusterError> {
        let client = self.connection.client.clone();
        let api: Api<DeserializeGuard<Projection>> = match self.all {
            true => Api::all(client),
            false => Api::namespaced(client, &self.connection.namespace),
        };
        let guarded = match pages(&api, ListParams::default()).await {
            Ok(guarded) => guarded,
            Err(error) if is_not_found(&error) => return Err(ClusterError::NotInstalled),
            Err(error) => return Err(self.error("projections.projsync.dev", &error)),
        };
        let mut projections = Vec::with_capacity(guarded.len());
        for DeserializeGuard(result) in guarded {
            match result {
                Ok(projection) => projections.push(projection),
                Err(bad) => self.notes.push(undecodable(&bad.metadata)),
            }
        }
        Ok(projections)
    }

    /// The Projection of a workload; `None` where there is none.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn projection(
        &mut self,
        workload: &WorkloadName,
    ) -> Result<Option<Projection>, ClusterError> {
        let name = projection_name(workload.kind, &workload.name);
        let api: Api<DeserializeGuard<Projection>> =
            Api::namespaced(self.connection.client.clone(), &self.connection.namespace);
        match api.get_opt(&name).await {
            Ok(None) => {
                // Is it this one that is missing, or the whole resource?
                match api.list(&ListParams::default().limit(1)).await {
                    Err(error) if is_not_found(&error) => Err(ClusterError::NotInstalled),
                    _ => Ok(None),
                }
            }
            Ok(Some(DeserializeGuard(Ok(projection)))) => Ok(Some(projection)),
            Ok(Some(DeserializeGuard(Err(bad)))) => {
                self.notes.push(undecodable(&bad.metadata));
                Ok(None)
            }
            Err(error) => Err(self.error("projections.projsync.dev", &error)),
        }
    }

    /// The workloads of one kind; `None` where one may not see them.
    ///
    /// # Errors
    /// Where they can't be read for another reason.
    pub async fn workloads(
        &mut self,
        kind: WorkloadKind,
    ) -> Result<Option<Vec<DynamicObject>>, ClusterError> {
        let resource = resource(kind);
        let listed = pages(&self.api(&resource), ListParams::default()).await;
        self.seen(
            listed,
            &resource.plural,
            "they are told of only as far as Projections go",
        )
    }

    /// The uids of the workloads of all kinds with these labels.
    ///
    /// # Errors
    /// Where they can't be read: then nothing can be selected.
    pub async fn labelled(&self, labels: &str) -> Result<BTreeSet<String>, ClusterError> {
        let mut uids = BTreeSet::new();
        for kind in WorkloadKind::ALL {
            let resource = resource(kind);
            let api = self.api(&resource);
            let mut params = ListParams::default().labels(labels).limit(PAGE);
            loop {
                let page = api
                    .list_metadata(&params)
                    .await
                    .map_err(|error| self.error(&resource.plural, &error))?;
                uids.extend(
                    page.items
                        .into_iter()
                        .filter_map(|object: PartialObjectMeta<DynamicObject>| object.metadata.uid),
                );
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params = params.continue_token(&token),
                    None => break,
                }
            }
        }
        Ok(uids)
    }

    /// One workload; `None` where one may not see it.
    ///
    /// # Errors
    /// Where there is none, or it can't be read for another reason.
    pub async fn workload(
        &mut self,
        workload: &WorkloadName,
    ) -> Result<Option<DynamicObject>, ClusterError> {
        let resource = resource(workload.kind);
        match self.api(&resource).get(&workload.name).await {
            Err(error) if is_not_found(&error) => Err(ClusterError::NotFound {
                what: workload.to_string(),
                namespace: self.connection.namespace.clone(),
            }),
            result => self.seen(
                result,
                &resource.plural,
                "the workload is told of only as far as its Projection goes",
            ),
        }
    }

    /// The Pods, all or those selected; `None` where one may not see them.
    ///
    /// # Errors
    /// Where they can't be read for another reason.
    pub async fn pods(
        &mut self,
        selector: Option<&Selector>,
    ) -> Result<Option<Vec<DynamicObject>>, ClusterError> {
        self.namespaced::<Pod>(
            selector,
            "only Pods that Projections name are shown, and none that no workload owns",
        )
        .await
    }

    /// ReplicaSets or ControllerRevisions: what a workload can be undone to.
    ///
    /// # Errors
    /// Where they can't be read for another reason than that one may not.
    pub async fn revisions(
        &mut self,
        kind: WorkloadKind,
        selector: Option<&Selector>,
    ) -> Result<Option<Vec<DynamicObject>>, ClusterError> {
        const WITHOUT: &str = "the revision to undo to can't be told";
        match kind {
            WorkloadKind::Deployment => self.namespaced::<ReplicaSet>(selector, WITHOUT).await,
            WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
                self.namespaced::<ControllerRevision>(selector, WITHOUT)
                    .await
            }
        }
    }

    async fn namespaced<K: Resource<DynamicType = ()>>(
        &mut self,
        selector: Option<&Selector>,
        without: &str,
    ) -> Result<Option<Vec<DynamicObject>>, ClusterError> {
        let resource = ApiResource::erase::<K>(&());
        let params = match selector {
            Some(selector) => ListParams::default().labels_from(selector),
            None => ListParams::default(),
        };
        let listed = pages(&self.api(&resource), params).await;
        self.seen(listed, &resource.plural, without)
    }

    /// What one may not see is noted; other errors end the command.
    fn seen<T>(
        &mut self,
        result: kube::Result<T>,
        what: &str,
        without: &str,
    ) -> Result<Option<T>, ClusterError> {
        match result {
            Ok(seen) => Ok(Some(seen)),
            Err(error) if is_forbidden(&error) => {
                self.notes
                    .push(format!("you may not read {what}: {without}"));
                Ok(None)
            }
            Err(error) => Err(self.error(what, &error)),
        }
    }

    fn error(&self, what: &str, error: &kube::Error) -> ClusterError {
        let place = match self.all {
            true => format!("{what} in all namespaces"),
            false => format!("{what} in namespace {}", self.connection.namespace),
        };
        self.connection.error(&place, error)
    }

    /// For objects as JSON.
    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        let client = self.connection.client.clone();
        match self.all {
            true => Api::all_with(client, resource),
            false => Api::namespaced_with(client, &self.connection.namespace, resource),
        }
    }
}

/// A whole list, page by page.
async fn pages<K: Clone + DeserializeOwned + Debug>(
    api: &Api<K>,
    params: ListParams,
) -> kube::Result<Vec<K>> {
    let mut params = params.limit(PAGE);
    let mut items = Vec::new();
    loop {
        let page = api.list(&params).await?;
        items.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(items),
        }
    }
}

/// A note on a Projection that another version of Projsync wrote.
fn undecodable(metadata: &kube::core::ObjectMeta) -> String {
    format!(
        "Projection {}/{} can't be read: it was written for another version of the resource; use the `projsync` of the operator's version",
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}
