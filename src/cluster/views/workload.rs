//! Workloads of any kind.

use std::sync::Arc;

use serde::Deserializer;

use super::intern::Shared;
use super::metadata::{AllLabels, Identity, Metadata};
use super::template::TemplateJson;
use super::{Bad, Slim, View, fields};
use crate::core::lenient::Lenient;
use crate::core::object::workload::{Counts, Update, Workload};
use crate::kinds::{ApiType, Wanted, WorkloadKind};

/// A workload of any kind.
#[derive(Clone, Debug)]
pub enum AnyWorkload {}

/// What the fields of a workload say. How to read some of them, its kind tells.
#[derive(Clone, Debug)]
pub struct WorkloadView {
    /// As for a kind that counts replicas and replaces Pods in no order.
    workload: Workload,
    /// How many nodes should run a Pod.
    nodes: i64,
    /// How Pods are replaced by their ordinals.
    ordinal: Update,
}

fields! {
    /// A workload.
    WorkloadFields {
        metadata: Metadata<AllLabels>,
        spec: Spec,
        status: Status,
    }

    /// The fields that the kinds of `spec` have between them.
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

    /// The fields that the kinds of `status` have between them.
    Status {
        observed_generation: i64,
        update_revision: Shared,
        desired_number_scheduled: i64,
        replicas: i64,
        updated_replicas: i64,
        updated_number_scheduled: i64,
        available_replicas: i64,
        number_available: i64,
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

impl WorkloadView {
    /// The workload, as its kind reads it.
    #[must_use]
    pub fn of(self, kind: WorkloadKind) -> Workload {
        let mut workload = self.workload;
        if kind.wanted == Wanted::Nodes {
            workload.replicas = self.nodes;
        }
        if kind.ordinals && workload.update == Update::Automatic {
            workload.update = self.ordinal;
        }
        workload
    }
}

impl WorkloadFields {
    fn view(mut self) -> Result<WorkloadView, Bad> {
        let update = &self.spec.update_strategy;
        let references = self.spec.template.references();
        let own = self.metadata.annotations.sync.clone().get();
        Ok(WorkloadView {
            nodes: self.status.desired_number_scheduled,
            ordinal: Update::Ordinal {
                partition: update.rolling_update.partition,
                ordered: self.spec.pod_management_policy.as_str() != "Parallel",
            },
            workload: Workload {
                rv: self.metadata.rv(),
                replicas: self.spec.replicas.0.unwrap_or(1),
                update: match update.r#type.as_str() {
                    "OnDelete" => Update::OnDelete,
                    _ => Update::Automatic,
                },
                template: self.spec.template.identity()?,
                too_many_uses: references.is_err(),
                references: references.unwrap_or_default(),
                stuck: self.status.stuck(),
                counts: self.status.counts(),
                uid: self.metadata.uid,
                generation: self.metadata.generation,
                observed_generation: self.status.observed_generation,
                labels: self.metadata.labels.0,
                sync: own.or_else(|| self.spec.template.sync()),
                paused: self.spec.paused,
                update_revision: self.status.update_revision.get(),
                terminating: self.metadata.deletion_timestamp.0.is_some(),
            },
        })
    }
}

impl Status {
    /// Each kind has its own names for these, and none of the others'.
    fn counts(&self) -> Counts {
        Counts {
            replicas: self.replicas,
            updated: self.updated_replicas.max(self.updated_number_scheduled),
            available: self.available_replicas.max(self.number_available),
        }
    }

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

impl Slim for AnyWorkload {
    type Kind = WorkloadKind;
    type Object = WorkloadView;

    fn api(kind: &WorkloadKind) -> &'static ApiType {
        kind.api()
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, WorkloadFields::view)
    }
}
