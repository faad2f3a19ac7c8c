//! Deployments, StatefulSets and DaemonSets.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};

use serde::Deserializer;

use super::intern::Shared;
use super::metadata::{AllLabels, Identity, Metadata};
use super::template::TemplateJson;
use super::{Bad, Slim, View, fields};
use crate::core::lenient::Lenient;
use crate::core::object::workload::{Update, Workload};

fields! {
    /// A Deployment, a StatefulSet or a DaemonSet.
    WorkloadFields {
        metadata: Metadata<AllLabels>,
        spec: Spec,
        status: Status,
    }

    /// The fields that the three kinds of `spec` have between them.
    Spec {
        replicas: Count,
        paused: bool,
        template: TemplateJson,
        pod_management_policy: Shared,
        update_strategy: UpdateStrategy,
    }

    /// `StatefulSetUpdateStrategy`, `DaemonSetUpdateStrategy`.
    UpdateStrategy {
        r#type: Shared,
        rolling_update: RollingUpdate,
    }

    /// `RollingUpdateStatefulSetStrategy`.
    RollingUpdate {
        partition: i64,
    }

    /// The fields that the three kinds of `status` have between them.
    Status {
        observed_generation: i64,
        update_revision: Shared,
        desired_number_scheduled: i64,
        conditions: Vec<Condition>,
    }

    /// `DeploymentCondition`.
    Condition {
        r#type: Shared,
        status: Shared,
        message: Arc<str>,
    }
}

/// A number that may be absent.
#[derive(Default)]
struct Count(Option<i64>);

impl Lenient for Count {
    fn number(number: i64) -> Self {
        Self(Some(number))
    }
}

impl WorkloadFields {
    /// Keeps what the three kinds have in common.
    fn workload(mut self, replicas: fn(&Self) -> i64, update: Update) -> Result<Workload, Bad> {
        Ok(Workload {
            rv: self.metadata.rv(),
            replicas: replicas(&self),
            template: self.spec.template.identity()?,
            references: self.spec.template.references(),
            stuck: self.status.stuck(),
            uid: self.metadata.uid,
            generation: self.metadata.generation,
            observed_generation: self.status.observed_generation,
            labels: self.metadata.labels.0,
            sync: self.metadata.annotations.sync.get(),
            paused: self.spec.paused,
            update,
            update_revision: self.status.update_revision.get(),
            terminating: self.metadata.deletion_timestamp.0.is_some(),
        })
    }

    /// `spec.replicas`, by the API's default 1.
    fn wanted(&self) -> i64 {
        self.spec.replicas.0.unwrap_or(1)
    }

    /// How many nodes should run a DaemonSet's Pod.
    fn scheduled(&self) -> i64 {
        self.status.desired_number_scheduled
    }
}

impl Spec {
    /// How a DaemonSet is updated.
    fn automatic(&self) -> Update {
        if self.update_strategy.r#type.as_str() == "OnDelete" {
            Update::OnDelete
        } else {
            Update::Automatic
        }
    }

    /// How a StatefulSet is updated.
    fn ordinal(&self) -> Update {
        if self.update_strategy.r#type.as_str() == "OnDelete" {
            return Update::OnDelete;
        }
        Update::Ordinal {
            partition: self.update_strategy.rolling_update.partition,
            ordered: self.pod_management_policy.as_str() != "Parallel",
        }
    }
}

impl Status {
    /// Why a Deployment's controller gave up on the rollout.
    fn stuck(&self) -> Option<Arc<str>> {
        let gave_up = |condition: &&Condition| {
            condition.r#type.as_str() == "Progressing" && condition.status.as_str() == "False"
        };
        let condition = self.conditions.iter().find(gave_up)?;
        Some(condition.message.clone())
    }
}

impl super::Fields for WorkloadFields {
    fn identity(&self) -> Identity<'_> {
        self.metadata.identity()
    }
}

impl Slim for Deployment {
    type Object = Workload;

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, |fields: WorkloadFields| {
            fields.workload(WorkloadFields::wanted, Update::Automatic)
        })
    }
}

impl Slim for StatefulSet {
    type Object = Workload;

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, |fields: WorkloadFields| {
            let update = fields.spec.ordinal();
            fields.workload(WorkloadFields::wanted, update)
        })
    }
}

impl Slim for DaemonSet {
    type Object = Workload;

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, |fields: WorkloadFields| {
            let update = fields.spec.automatic();
            fields.workload(WorkloadFields::scheduled, update)
        })
    }
}
