//! Reads the objects for reports from the cluster.
//!
//! It reads Projections, workloads, Pods, revisions and the operator's Lease, and of ConfigMaps and
//! Secrets at most the metadata. If the user lacks a right, that is noted and the rest is shown.

mod leader;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PartialObjectMeta};
use kube::core::{DeserializeGuard, ObjectList, Request, Selector};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::connect::{ClusterError, Connection, is_forbidden, is_not_found};
use crate::api::Projection;
use crate::api::names::projection_name;
use crate::cluster::views::{AnyWorkload, Shown, Slim};
use crate::kinds::{Pods, WorkloadKind};
use crate::report::name::WorkloadName;
use crate::report::objects::{Objects, Workload};

/// Number of objects in a page of a list.
const PAGE: u32 = 500;

/// Reads from one namespace, or from all of them, and notes what it couldn't see.
#[derive(Debug)]
pub struct Fetch<'a> {
    connection: &'a Connection,
    /// True if lists cover all namespaces, not only the connection's.
    all: bool,
    /// Notes on what couldn't be seen.
    pub notes: Vec<String>,
}

/// A request for a list, of whole objects or of their metadata.
type ListRequest =
    fn(&Request, &ListParams) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>;

impl<'a> Fetch<'a> {
    /// Makes a reader of the connection's namespace, or (`all`) of every namespace.
    #[must_use]
    pub fn new(connection: &'a Connection, all: bool) -> Self {
        Self {
            connection,
            all,
            notes: Vec::new(),
        }
    }

    /// Reads all Projections. A Projection that can't be decoded is noted.
    ///
    /// # Errors
    /// If they can't be read, since nothing can be reported without them.
    pub async fn projections(&mut self) -> Result<Vec<Projection>, ClusterError> {
        type Guarded = DeserializeGuard<Projection>;
        let path = Projection::url_path(&(), self.scope());
        match self
            .pages::<Guarded>(path, Request::list, ListParams::default())
            .await
        {
            Ok(all) => Ok(all
                .into_iter()
                .filter_map(|one| self.decoded(one))
                .collect()),
            Err(error) if is_not_found(&error) => Err(ClusterError::NotInstalled),
            Err(error) => Err(self.error("projections.projsync.dev", &error)),
        }
    }

    /// Reads the Projection of a workload; `None` if there is none.
    async fn projection(
        &mut self,
        name: &WorkloadName,
    ) -> Result<Option<Projection>, ClusterError> {
        let api: Api<DeserializeGuard<Projection>> =
            Api::namespaced(self.connection.client.clone(), &self.connection.namespace);
        match api.get_opt(&projection_name(name.kind, &name.name)).await {
            Ok(Some(projection)) => Ok(self.decoded(projection)),
            // Find out whether this Projection is missing or the whole resource.
            Ok(None) => match api.list(&ListParams::default().limit(1)).await {
                Err(error) if is_not_found(&error) => Err(ClusterError::NotInstalled),
                _ => Ok(None),
            },
            Err(error) => Err(self.error("projections.projsync.dev", &error)),
        }
    }

    /// Notes a Projection that another version of Projsync wrote.
    fn decoded(&mut self, guarded: DeserializeGuard<Projection>) -> Option<Projection> {
        let bad = match guarded.0 {
            // Another object says that it is the workload's.
            Ok(projection) => return projection.workload().and(Some(projection)),
            Err(bad) => bad.metadata,
        };
        self.notes.push(format!(
            "Projection {}/{} can't be read: it was written for another version of the resource; use the `projsync` of the operator's version",
            bad.namespace.as_deref().unwrap_or_default(),
            bad.name.as_deref().unwrap_or_default(),
        ));
        None
    }

    /// Finds the uids of workloads of all kinds with these labels.
    ///
    /// # Errors
    /// If they can't be read, since nothing can be selected then.
    pub async fn labelled(&self, labels: &str) -> Result<BTreeSet<String>, ClusterError> {
        let mut uids = BTreeSet::new();
        for api in WorkloadKind::all().map(WorkloadKind::api) {
            let params = ListParams::default().labels(labels);
            let path = api.path(self.scope());
            let listed = self.pages::<PartialObjectMeta>(path, Request::list_metadata, params);
            let listed = listed
                .await
                .map_err(|error| self.error(api.plural, &error))?;
            uids.extend(listed.into_iter().filter_map(|object| object.metadata.uid));
        }
        Ok(uids)
    }

    /// Reads the workloads and Pods of the namespace.
    ///
    /// # Errors
    /// If something can't be read, except for a missing right.
    pub async fn namespace(mut self) -> Result<Objects, ClusterError> {
        let mut objects = Objects::new(&self.connection.namespace);
        let mut nothing_seen = true;
        let projections = match self.projections().await {
            Ok(projections) => {
                nothing_seen = false;
                projections
            }
            Err(error) => self.without_projections(error)?,
        };
        let name = |p: &Projection| WorkloadName::new(p.spec.workload.kind, &*p.spec.workload.name);
        let projections = projections.into_iter().map(|p| (name(&p), p));
        let mut projections: BTreeMap<_, _> = projections.collect();
        for kind in WorkloadKind::all() {
            const WITHOUT: &str = "only what their Projections say is shown";
            let listed = self.list::<AnyWorkload>(&kind, None, WITHOUT).await?;
            let unseen = listed.is_none();
            nothing_seen &= unseen;
            for shown in listed.into_iter().flatten() {
                let name = WorkloadName::new(kind, shown.name());
                objects.add_workload(kind, shown, projections.remove(&name));
            }
            let unseen = projections.extract_if(.., |name, _| unseen && name.kind == kind);
            unseen.for_each(|(_, projection)| objects.add_projection(projection));
        }
        self.replica_sets(&mut objects, None).await?;
        self.pods(&mut objects, None).await?;
        const WITHOUT: &str = "a Job that will run is not shown";
        let cron_jobs = self.list::<CronJob>(&(), None, WITHOUT).await?;
        objects.add_cron_jobs(cron_jobs.unwrap_or_default());
        if nothing_seen && objects.pods.is_none() {
            let what = "workloads, Pods or Projections here".to_owned();
            return Err(ClusterError::Forbidden { what });
        }
        objects.notes.append(&mut self.notes);
        Ok(objects)
    }

    /// Reads a workload and its Pods, and its revisions if Projsync has rolled it.
    ///
    /// # Errors
    /// If the workload doesn't exist, or something can't be read.
    pub async fn one(mut self, name: &WorkloadName) -> Result<(Workload, Objects), ClusterError> {
        let mut objects = Objects::new(&self.connection.namespace);
        let kind = name.kind;
        let shown = self.get(name).await?;
        let projection = match self.projection(name).await {
            Ok(projection) => projection,
            Err(error) => self.without_projections(error)?.pop(),
        };
        let selector = match (shown, projection) {
            (Some(shown), projection) => objects.add_workload(kind, shown, projection),
            (None, Some(projection)) => {
                objects.add_projection(projection);
                None
            }
            (None, None) => {
                let what = format!("{name}, and there is no Projection of it to read");
                return Err(ClusterError::Forbidden { what });
            }
        };
        match kind.pods {
            Pods::ReplicaSets => {
                self.replica_sets(&mut objects, selector.as_ref()).await?;
            }
            Pods::UpdateRevision | Pods::NewestRevision if objects.was_rolled() => {
                const WITHOUT: &str = "the revision for an undo is not known";
                let listed = self.list::<ControllerRevision>(&(), selector.as_ref(), WITHOUT);
                objects.add_controller_revisions(listed.await?.unwrap_or_default());
            }
            Pods::UpdateRevision | Pods::NewestRevision => {}
        }
        self.pods(&mut objects, selector.as_ref()).await?;
        objects.notes.append(&mut self.notes);
        let workload = objects.workloads.pop();
        match workload {
            Some(workload) => Ok((workload, objects)),
            None => Err(ClusterError::Other {
                what: name.to_string(),
                cause: objects.notes.join("; "),
            }),
        }
    }

    async fn get(
        &mut self,
        name: &WorkloadName,
    ) -> Result<Option<Shown<AnyWorkload>>, ClusterError> {
        let api = name.kind.api();
        let request = Request::new(api.path(self.scope()));
        let request = request.get(&name.name, &Default::default());
        let result = match request {
            Ok(request) => self.connection.client.request(request).await,
            Err(error) => Err(kube::Error::BuildRequest(error)),
        };
        match result {
            Err(error) if is_not_found(&error) => Err(ClusterError::NotFound {
                what: name.to_string(),
                namespace: self.connection.namespace.clone(),
            }),
            result => self.seen(result, api.plural, "only what its Projection says is shown"),
        }
    }

    async fn replica_sets(
        &mut self,
        objects: &mut Objects,
        selector: Option<&Selector>,
    ) -> Result<(), ClusterError> {
        const WITHOUT: &str = "it is not known which Pods belong to a Deployment";
        let listed = self.list::<ReplicaSet>(&(), selector, WITHOUT).await?;
        objects.add_replica_sets(listed.unwrap_or_default());
        Ok(())
    }

    async fn pods(
        &mut self,
        objects: &mut Objects,
        selector: Option<&Selector>,
    ) -> Result<(), ClusterError> {
        const WITHOUT: &str =
            "only Pods that Projections name are shown, and none that no workload owns";
        if let Some(listed) = self.list::<Pod>(&(), selector, WITHOUT).await? {
            objects.add_pods(listed);
        }
        Ok(())
    }

    /// Lists objects of a kind, all or those selected; `None` without the right to see them.
    async fn list<K: Slim>(
        &mut self,
        kind: &K::Kind,
        selector: Option<&Selector>,
        without: &str,
    ) -> Result<Option<Vec<Shown<K>>>, ClusterError> {
        let params = match selector {
            Some(selector) => ListParams::default().labels_from(selector),
            None => ListParams::default(),
        };
        let api = K::api(kind);
        let listed = self
            .pages(api.path(self.scope()), Request::list, params)
            .await;
        self.seen(listed, api.plural, without)
    }

    /// Reads a whole list, page by page.
    async fn pages<T>(
        &self,
        path: String,
        list: ListRequest,
        params: ListParams,
    ) -> kube::Result<Vec<T>>
    where
        T: Clone + Debug + DeserializeOwned,
    {
        let request = Request::new(path);
        let mut params = params.limit(PAGE);
        let mut items = Vec::new();
        loop {
            let request = list(&request, &params).map_err(kube::Error::BuildRequest)?;
            let page: ObjectList<T> = self.connection.client.request(request).await?;
            items.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(items),
            }
        }
    }

    /// The namespace to list, or none for all.
    fn scope(&self) -> Option<&str> {
        (!self.all).then_some(self.connection.namespace.as_str())
    }

    /// Notes missing Projections: without them the uses are known, but not what Pods have.
    fn without_projections(
        &mut self,
        error: ClusterError,
    ) -> Result<Vec<Projection>, ClusterError> {
        match error {
            ClusterError::Forbidden { .. } | ClusterError::NotInstalled => {
                self.notes.push(format!(
                    "it is not known what is managed and what Pods have: {error}"
                ));
                Ok(Vec::new())
            }
            error => Err(error),
        }
    }

    /// Notes a missing right; other errors end the command.
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
}
