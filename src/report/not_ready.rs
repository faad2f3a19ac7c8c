//! Pods that have the content of now and are not ready since the roll that brought it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::age::ago;
use crate::api::projection::ProjectionStatus;

/// Pods that are not ready since a roll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotReady {
    /// How many.
    pub pods: u32,
    /// Number of the workload's Pods.
    pub of: u32,
    /// Time of the roll.
    pub roll: Time,
    /// `ConfigMap/app: key1, key2`, one for each source.
    pub causes: Vec<String>,
}

impl NotReady {
    /// What a Projection says of that.
    #[must_use]
    pub fn of(status: &ProjectionStatus) -> Option<Self> {
        let roll = status.rolls.first()?;
        (status.pods.not_ready > 0).then(|| Self {
            pods: status.pods.not_ready,
            of: status.pods.total,
            roll: roll.time.clone(),
            causes: roll.causes.clone(),
        })
    }

    /// `In sync, but 2 of 2 Pods are not ready since the roll 50s ago (ConfigMap/common: WORKERS)`.
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        let are = if self.of == 1 { "Pod is" } else { "Pods are" };
        format!(
            "In sync, but {} of {} {are} not ready since the roll {} ({})",
            self.pods,
            self.of,
            ago(&self.roll, now),
            self.causes.join("; ")
        )
    }
}
