//! What `status` tells: one row for each managed workload.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use crate::api::Projection;
use crate::api::projection::{Outcome, Pods, State};
use crate::cli::exit::Exit;
use crate::cli::name::WorkloadName;

/// How long after the time that a decision names the operator may be taken for gone.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// The managed workloads, worst first.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One for each workload.
    pub items: Vec<Row>,
    /// What couldn't be seen, and what looks wrong.
    pub notes: Vec<String>,
}

/// One workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Where it is.
    pub namespace: String,
    /// Which.
    pub workload: WorkloadName,
    /// Where things stand; absent while nothing has been decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// How many ConfigMaps and Secrets it projects.
    pub sources: u32,
    /// Its Pods by state.
    pub pods: Counts,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Outcome>,
    /// Why, as a constant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When something will be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// When Projsync last rolled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_roll: Option<Time>,
    /// The policy in force; absent where the defaults are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// Pods by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All.
    pub total: u32,
    /// With the current content.
    pub fresh: u32,
    /// Whose process has old content.
    pub stale: u32,
    /// Whose files the kubelet is about to refresh.
    pub refreshing: u32,
    /// Of which it can't be told.
    pub unknown: u32,
}

impl From<&Pods> for Counts {
    fn from(pods: &Pods) -> Self {
        Self {
            total: pods.total,
            fresh: pods.fresh,
            stale: pods.stale,
            refreshing: pods.refreshing,
            unknown: pods.unknown,
        }
    }
}

impl From<&Projection> for Row {
    fn from(projection: &Projection) -> Self {
        let status = projection.status.clone().unwrap_or_default();
        let decision = status.decision;
        let workload = &projection.spec.workload;
        Self {
            namespace: projection.metadata.namespace.clone().unwrap_or_default(),
            workload: WorkloadName {
                kind: workload.kind,
                name: workload.name.clone(),
            },
            state: status.summary.state,
            sources: status.summary.sources,
            pods: Counts::from(&status.pods),
            decision: decision.as_ref().map(|decision| decision.outcome),
            reason: decision
                .as_ref()
                .map(|decision| decision.reason.clone())
                .unwrap_or_default(),
            until: decision
                .as_ref()
                .and_then(|decision| decision.until.clone()),
            message: decision
                .map(|decision| decision.message)
                .unwrap_or_default(),
            last_roll: status.summary.last_roll,
            policy: status.policy.and_then(|policy| policy.name),
        }
    }
}

impl Row {
    /// How much somebody should look at it.
    fn severity(&self) -> u8 {
        match self.state {
            Some(State::Held) => 5,
            Some(State::Waiting) => 4,
            Some(State::Rolling) => 3,
            None => 2,
            Some(State::Unknown) => 1,
            Some(State::InSync) => 0,
        }
    }

    /// Whether the operator should have acted long ago.
    fn is_overdue(&self, now: Timestamp) -> bool {
        let until = self.until.as_ref();
        until.is_some_and(|until| now.duration_since(until.0) > OVERDUE)
    }

    /// What it means for a script.
    fn exit(&self) -> Exit {
        match self.state {
            Some(State::InSync) => Exit::Success,
            Some(State::Unknown) => Exit::Unknown,
            Some(State::Held | State::Waiting | State::Rolling) | None => Exit::OutOfSync,
        }
    }
}

impl Report {
    /// Sorts the rows and says what looks wrong.
    #[must_use]
    pub fn new(mut items: Vec<Row>, mut notes: Vec<String>, now: Timestamp) -> Self {
        items.sort_by_cached_key(|row| {
            (
                Reverse((row.severity(), row.pods.stale, row.pods.refreshing)),
                row.namespace.clone(),
                row.workload.clone(),
            )
        });
        let overdue = items.iter().filter(|row| row.is_overdue(now)).count();
        if overdue > 0 {
            notes.push(format!(
                "{overdue} of the decisions should have been acted upon more than a minute ago: is the operator running?"
            ));
        }
        Self { items, notes }
    }

    /// The worst of what the rows mean for a script.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let exits: Vec<Exit> = self.items.iter().map(Row::exit).collect();
        [Exit::OutOfSync, Exit::Unknown]
            .into_iter()
            .find(|exit| exits.contains(exit))
            .unwrap_or(Exit::Success)
    }

    /// How many workloads are not in sync.
    #[must_use]
    pub fn out_of_sync(&self) -> usize {
        let rows = self.items.iter();
        rows.filter(|row| row.exit() == Exit::OutOfSync).count()
    }
}
