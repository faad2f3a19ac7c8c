//! `tree WORKLOAD`: from a workload to what it projects, and to its Pods.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::projection::State;
use crate::cli::name::{SourceName, WorkloadName};
use crate::cli::objects::{Pod, PodLine, SelfRefreshing, Workload};
use crate::cli::uses::{OneUse, Uses};
use crate::kinds::Class;

/// What a workload projects.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadTree {
    /// The workload.
    pub workload: WorkloadName,
    /// Where it is.
    pub namespace: String,
    /// Whether Projsync manages it.
    pub managed: bool,
    /// Where things stand, if it is managed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only what sees these keys; every key if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What it projects.
    pub sources: Vec<SourceNode>,
    /// What the kubelet refreshes itself.
    pub self_refreshing: Vec<SelfRefreshing>,
    /// Its Pods.
    pub pods: Vec<PodLine>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

/// One source that it projects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceNode {
    /// The source.
    pub source: SourceName,
    /// Whether it, or a required key of it, doesn't exist.
    pub missing: bool,
    /// Whether its policy leaves the source out.
    pub excluded: bool,
    /// How it is seen.
    pub uses: Vec<UseLine>,
}

/// One way in which it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UseLine {
    /// Whether running containers see changes.
    pub class: Class,
    /// How.
    #[serde(rename = "use")]
    pub one: OneUse,
}

impl WorkloadTree {
    /// Finds what the workload projects, and what its Pods have of it.
    #[must_use]
    pub fn new(
        workload: Workload,
        namespace: String,
        keys: Vec<String>,
        pods: Option<&[Pod]>,
        notes: Vec<String>,
    ) -> Self {
        let pods = workload.pods(pods);
        let status = workload
            .projection
            .as_ref()
            .and_then(|projection| projection.status.as_ref());
        let mut sources: BTreeMap<&SourceName, Vec<UseLine>> = BTreeMap::new();
        for uses in &workload.uses {
            let lines = lines(uses, &keys);
            if !lines.is_empty() {
                sources.entry(&uses.source).or_default().extend(lines);
            }
        }
        let sources = sources.into_iter().map(|(source, uses)| {
            let records = status.iter().flat_map(|status| &status.references);
            let mut records = records
                .filter(|record| record.kind == source.kind && record.name == source.name)
                .peekable();
            SourceNode {
                source: source.clone(),
                excluded: status.is_some() && records.peek().is_none(),
                missing: records.any(|record| record.missing),
                uses,
            }
        });
        Self {
            namespace,
            managed: workload.projection.is_some(),
            state: status.and_then(|status| status.summary.state),
            keys,
            sources: sources.collect(),
            pods,
            notes,
            workload: workload.name,
            self_refreshing: workload.self_refreshing,
        }
    }
}

fn lines(uses: &Uses, keys: &[String]) -> Vec<UseLine> {
    let seen = uses.uses.iter().filter_map(|one| one.only(keys));
    let class = uses.class;
    seen.map(|one| UseLine { class, one }).collect()
}
