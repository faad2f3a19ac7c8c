//! What tells the Pods of the current template: ReplicaSets of Deployments and
//! ControllerRevisions of DaemonSets.

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};

use serde::Deserializer;

use super::metadata::{Identity, Metadata, RevisionLabel};
use super::template::TemplateJson;
use super::{Bad, Slim, View, fields};
use crate::core::object::workload;
use crate::kinds::{ApiType, CONTROLLER_REVISION, REPLICA_SET};

fields! {
    /// `ReplicaSet`.
    ReplicaSetFields {
        metadata: Metadata<()>,
        spec: TemplateSpec,
    }

    /// The part of a `spec` that has a Pod template.
    TemplateSpec {
        template: TemplateJson,
    }

    /// `ControllerRevision`.
    ControllerRevisionFields {
        metadata: Metadata<RevisionLabel>,
        revision: i64,
        data: RevisionData,
    }

    /// `data` of a DaemonSet's or StatefulSet's revision: the patch that brings its
    /// template back. Other kinds keep what they like in it.
    RevisionData {
        spec: TemplateSpec,
    }
}

impl super::Fields for ReplicaSetFields {
    fn identity(&self) -> Identity<'_> {
        self.metadata.identity()
    }
}

impl super::Fields for ControllerRevisionFields {
    fn identity(&self) -> Identity<'_> {
        self.metadata.identity()
    }
}

impl Slim for ReplicaSet {
    type Kind = ();
    /// `None` where nothing controls it: its Pods are of no workload.
    type Object = Option<workload::ReplicaSet>;

    fn api((): &()) -> &'static ApiType {
        &REPLICA_SET
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, replica_set)
    }
}

fn replica_set(mut fields: ReplicaSetFields) -> Result<Option<workload::ReplicaSet>, Bad> {
    let Some(owner) = fields.metadata.controller() else {
        return Ok(None);
    };
    Ok(Some(workload::ReplicaSet {
        template: fields.spec.template.identity()?,
        uid: fields.metadata.uid,
        owner,
    }))
}

impl Slim for ControllerRevision {
    type Kind = ();
    /// `None` where nothing controls it or its Pods carry no hash of it.
    type Object = Option<workload::ControllerRevision>;

    fn api((): &()) -> &'static ApiType {
        &CONTROLLER_REVISION
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, |fields: ControllerRevisionFields| {
            Ok(fields.revision())
        })
    }
}

impl ControllerRevisionFields {
    fn revision(mut self) -> Option<workload::ControllerRevision> {
        Some(workload::ControllerRevision {
            owner: self.metadata.controller()?,
            revision: self.revision,
            template: self.data.spec.template.identity().ok(),
            hash: self.metadata.labels.hash.get()?,
        })
    }
}
