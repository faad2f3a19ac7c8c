//! What `explain` tells of one workload.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::undo::Undo;
use crate::api::Reason;
use crate::api::projection::{
    DecisionRecord, PolicyInForce, ProjectionStatus, ReferenceRecord, RollRecord, State,
};
use crate::cli::name::{SourceName, WorkloadName};
use crate::cli::objects::{Pod, PodLine, SelfRefreshing, Workload};
use crate::cli::status::Counts;
use crate::cli::uses::{OneUse, Uses};
use crate::kinds::Class;

/// All about one workload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The workload.
    pub workload: WorkloadName,
    /// Where it is.
    pub namespace: String,
    /// Whether Projsync manages it.
    pub managed: bool,
    /// Why it is not managed, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_managed: Option<String>,
    /// Where things stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What was decided last, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionRecord>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// The policy in force, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyInForce>,
    /// What it projects.
    pub projects: Vec<Projected>,
    /// What the kubelet refreshes itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub self_refreshing: Vec<SelfRefreshing>,
    /// Pods by state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Its Pods.
    pub pods: Vec<PodLine>,
    /// The last rolls, the newest first.
    pub rolls: Vec<RollRecord>,
    /// How to undo the last change that was not ours; absent where Projsync never rolled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

/// All uses of one source and one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Projected {
    /// The source.
    pub source: SourceName,
    /// Whether running containers see changes.
    pub class: Class,
    /// How it is seen.
    pub uses: Vec<OneUse>,
    /// Whether it, or a required key of it, doesn't exist.
    pub missing: bool,
    /// Whether its policy leaves it out.
    pub excluded: bool,
    /// Since when its content is what it is, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// The keys that changed then.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl Report {
    /// Puts together what was read.
    #[must_use]
    pub fn new(
        workload: Workload,
        namespace: String,
        pods: Option<&[Pod]>,
        undo: Option<Undo>,
        notes: Vec<String>,
    ) -> Self {
        let pods = workload.pods(pods);
        let managed = workload.projection.is_some();
        let status = workload
            .projection
            .and_then(|projection| projection.status)
            .unwrap_or_default();
        let counts = managed.then(|| Counts::from(&status.pods));
        Self {
            managed,
            not_managed: (!managed).then(|| not_managed(workload.sync.as_deref())),
            state: status.summary.state,
            advice: reason(&status).map(Reason::advice),
            projects: workload
                .uses
                .iter()
                .map(|uses| Projected::new(uses, managed.then_some(&status)))
                .collect(),
            decision: status.decision,
            policy: status.policy,
            self_refreshing: workload.self_refreshing,
            counts,
            pods,
            undo,
            rolls: status.rolls,
            notes,
            workload: workload.name,
            namespace,
        }
    }
}

impl Projected {
    fn new(uses: &Uses, status: Option<&ProjectionStatus>) -> Self {
        let record: Option<&ReferenceRecord> = status.and_then(|status| {
            status.references.iter().find(|record| {
                record.kind == uses.source.kind
                    && record.name == uses.source.name
                    && record.class == uses.class
            })
        });
        let newest = record.and_then(|record| record.timeline.last());
        Self {
            source: uses.source.clone(),
            class: uses.class,
            uses: uses.uses.clone(),
            missing: record.is_some_and(|record| record.missing),
            excluded: status.is_some() && record.is_none(),
            since: newest.and_then(|entry| entry.since.time.clone()),
            changed: newest
                .map(|entry| entry.changed.clone())
                .unwrap_or_default(),
        }
    }
}

/// The reason that somebody may want advice on.
fn reason(status: &ProjectionStatus) -> Option<Reason> {
    let text = &status.decision.as_ref()?.reason;
    let mut all = Reason::ALL.iter();
    match *all.find(|reason| reason.as_str() == text)? {
        Reason::InSync if status.pods.unknown > 0 => Some(Reason::StateUnknown),
        Reason::InSync => None,
        reason => Some(reason),
    }
}

/// Why a workload without a Projection has none.
fn not_managed(sync: Option<&str>) -> String {
    match sync {
        Some("false") => {
            "its annotation projsync.dev/sync is \"false\"; remove it or set \"true\"".to_owned()
        }
        Some(value) => format!(
            "its annotation projsync.dev/sync is {value:?}, but there is no Projection of it yet: is the operator running, and does it watch this namespace?"
        ),
        None => "no policy selects it; make a SyncPolicy that does, or annotate it with projsync.dev/sync=true".to_owned(),
    }
}
