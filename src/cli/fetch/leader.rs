//! Reads whether an operator leads, and the newest versions of sources.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{ListParams, PartialObjectMeta};
use kube::core::Request;
use tokio::time::{Instant, sleep};

use super::Fetch;
use crate::cli::connect::{ClusterError, is_forbidden};
use crate::kinds::SourceKind;
use crate::report::leader::{Leader, Versions};
use crate::report::name::SourceName;

/// Time for which a Lease is watched that seems to have lapsed. A leader renews it meanwhile,
/// whatever its clock says.
const RENEWAL: Duration = Duration::from_secs(5);

/// Time between two reads of it.
const LOOKS: Duration = Duration::from_millis(500);

impl Fetch<'_> {
    /// Reads who leads.
    ///
    /// # Errors
    /// If the Lease can't be read, except for a missing right.
    pub async fn leader(&self) -> Result<Leader, ClusterError> {
        let operator = &self.connection.operator;
        let client = self.connection.client.clone();
        let leases: Api<Lease> = Api::namespaced(client, &operator.operator_namespace);
        let until = Instant::now() + RENEWAL;
        let mut first = None;
        loop {
            let lease = match leases.get_opt(&operator.lease_name).await {
                Ok(lease) => lease,
                Err(error) if is_forbidden(&error) => return Ok(Leader::Untold),
                Err(error) => return Err(self.connection.error(&operator.to_string(), &error)),
            };
            let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
            let held = spec.is_some_and(|spec| spec.holder_identity.is_some());
            let version = lease
                .as_ref()
                .and_then(|it| it.metadata.resource_version.clone());
            let renewed = *first.get_or_insert_with(|| version.clone()) != version;
            let leader = Leader::of(lease.as_ref(), renewed, Timestamp::now());
            if leader != Leader::Nobody || !held || until <= Instant::now() {
                return Ok(leader);
            }
            sleep(LOOKS).await;
        }
    }

    /// Reads the newest version of each source, from its metadata.
    ///
    /// # Errors
    /// If they can't be read, except for a missing right.
    pub async fn versions(&self) -> Result<Versions, ClusterError> {
        let mut versions = Versions::default();
        for kind in SourceKind::all() {
            let path = kind.api.path(self.scope());
            let listed: kube::Result<Vec<PartialObjectMeta>> = self
                .pages(path, Request::list_metadata, ListParams::default())
                .await;
            let listed = match listed {
                Err(error) if is_forbidden(&error) => continue,
                listed => listed.map_err(|error| self.error(kind.api.plural, &error))?,
            };
            versions.readable.insert(kind);
            let newest = listed.into_iter().filter_map(|object| {
                let metadata = object.metadata;
                let place = (metadata.namespace?, SourceName::new(kind, metadata.name?));
                Some((place, metadata.resource_version?))
            });
            versions.newest.extend(newest);
        }
        Ok(versions)
    }
}
