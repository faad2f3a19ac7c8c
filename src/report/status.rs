//! `status`: one row for each managed workload.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;

use super::Report;
use super::age::{ago, until};
use super::leader::Leader;
use super::name::{SourceName, WorkloadName};
use super::not_ready::NotReady;
use super::output::{Line, Page, Table, Tone};
use super::words;
use crate::api::projection::{Outcome, RollState, State};
use crate::api::{Projection, Reason};
use crate::core::plan::Tally;

/// Time after which an operator that has not acted as decided may be down.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// Report on the managed workloads, worst first.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The leader: without one, the rows may be out of date.
    pub leader: Leader,
    /// The rows, one for each workload.
    pub items: Vec<Row>,
    /// Notes on what couldn't be seen and what looks wrong.
    pub notes: Vec<String>,
    /// True if the workloads are of several namespaces.
    #[serde(skip)]
    pub namespaces: bool,
}

/// A row of the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Where it is.
    pub namespace: String,
    /// Which.
    pub workload: WorkloadName,
    /// State of the workload; absent while nothing has been decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Number of ConfigMaps and Secrets that it projects.
    pub sources: u32,
    /// Number of its Pods in each state.
    pub pods: Tally,
    /// What is done about the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Outcome>,
    /// Reason, as a constant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Reason, as a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Time at which something will be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Time of the last roll by Projsync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_roll: Option<Time>,
    /// How that roll went, if it did not go well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<RollState>,
    /// The policy in force; absent if the defaults are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The ClusterSyncPolicy that stops all rolls of the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
    /// Pods that are in sync, but not ready since the last roll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<NotReady>,
    /// A source whose newest version the operator has not yet reported, if that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<SourceName>,
}

impl From<&Projection> for Row {
    fn from(projection: &Projection) -> Self {
        let status = projection.status.clone().unwrap_or_default();
        let workload = &projection.spec.workload;
        let decision = status.decision.as_ref();
        Self {
            namespace: projection.metadata.namespace.clone().unwrap_or_default(),
            workload: WorkloadName::new(workload.kind, &*workload.name),
            state: status.summary.state,
            not_ready: NotReady::of(&status),
            sources: status.summary.sources,
            pods: Tally::from(&status.pods),
            decision: decision.map(|decision| decision.outcome),
            until: decision.and_then(|decision| decision.until.clone()),
            reason: decision.map_or_else(String::new, |decision| decision.reason.clone()),
            message: decision.map_or_else(String::new, |decision| decision.message.clone()),
            last_roll: status.summary.last_roll,
            roll: (status.rolls.first().map(|roll| roll.state))
                .filter(|state| matches!(state, RollState::Failed | RollState::Stuck)),
            stopped_by: (status.policy.as_ref()).and_then(|policy| policy.stopped_by.clone()),
            policy: status.policy.and_then(|policy| policy.name),
            unseen: None,
        }
    }
}

impl Row {
    /// Urgency of the row, for sorting.
    fn severity(&self) -> u8 {
        match self.state {
            Some(State::Held) => 5,
            Some(State::Waiting) => 4,
            Some(State::Rolling) => 3,
            None => 2,
            Some(State::InSync) if self.not_ready.is_some() => 2,
            Some(State::Unknown) => 1,
            Some(State::NotManaged) => 1,
            Some(State::InSync) => 0,
        }
    }

    /// Returns whether the operator should have acted long ago.
    fn is_overdue(&self, now: Timestamp) -> bool {
        let until = self.until.as_ref();
        until.is_some_and(|until| now.duration_since(until.0) > OVERDUE)
    }

    /// Returns whether Projsync manages the workload still.
    #[must_use]
    pub fn is_managed(&self) -> bool {
        self.state != Some(State::NotManaged)
    }

    /// Returns whether some Pod may have old content, as far as Projsync looks at it, or doesn't
    /// get ready with the new one.
    fn is_out_of_sync(&self) -> bool {
        if self.not_ready.is_some() {
            return true;
        }
        let known = [State::InSync, State::Unknown, State::NotManaged];
        !self.state.is_some_and(|state| known.contains(&state))
    }
}

impl Status {
    /// Sorts the rows and notes what looks wrong.
    #[must_use]
    pub fn new(mut items: Vec<Row>, mut notes: Vec<String>, now: Timestamp) -> Self {
        items.sort_by_cached_key(|row| {
            (
                Reverse((row.severity(), row.pods.stale, row.pods.refreshing)),
                row.namespace.clone(),
                row.workload.clone(),
            )
        });
        let stopped = items.iter().filter_map(|row| row.stopped_by.as_ref());
        let mut brakes: BTreeMap<&String, usize> = BTreeMap::new();
        stopped.for_each(|brake| *brakes.entry(brake).or_default() += 1);
        notes.extend(brakes.into_iter().map(|(brake, count)| {
            format!(
                "ClusterSyncPolicy/{brake} stops all rolls of {}.",
                workloads(count)
            )
        }));
        let unseen = items
            .iter()
            .filter_map(|row| Some((row, row.unseen.as_ref()?)));
        notes.extend(unseen.map(|(row, source)| {
            format!(
                "{}: that the operator has seen the newest version of {source} can't be told yet",
                row.workload
            )
        }));
        let not_ready = items
            .iter()
            .filter_map(|row| Some((&row.workload, row.not_ready.as_ref()?)));
        notes.extend(not_ready.map(|(workload, one)| format!("{workload}: {}", one.words(now))));
        let overdue = items.iter().filter(|row| row.is_overdue(now)).count();
        if overdue > 0 {
            notes.push(format!(
                "The operator is more than a minute late with {}: is it running?",
                workloads(overdue)
            ));
        }
        Self {
            items,
            notes,
            ..Self::default()
        }
    }

    /// Number of workloads that are not in sync.
    #[must_use]
    pub fn out_of_sync(&self) -> usize {
        self.items.iter().filter(|row| row.is_out_of_sync()).count()
    }

    /// Number of workloads with a source whose newest version the operator has not reported.
    #[must_use]
    pub fn unseen(&self) -> usize {
        let unseen = self.items.iter().filter(|row| row.unseen.is_some());
        unseen.count()
    }

    /// Returns whether the content of some Pods is not known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.items
            .iter()
            .any(|row| row.state == Some(State::Unknown))
    }
}

impl Report for Status {
    fn page(&self, wide: bool, now: Timestamp) -> Page {
        if self.items.is_empty() {
            return Page::default();
        }
        let mut headings = vec![
            "WORKLOAD",
            "STATE",
            "REASON",
            "PODS",
            "SOURCES",
            "LAST ROLL",
        ];
        if self.namespaces {
            headings.insert(0, "NAMESPACE");
        }
        if wide {
            headings.extend(["POLICY", "NEXT", "MESSAGE"]);
        }
        let mut table = Table::new(headings);
        for row in &self.items {
            let mut cells = row.cells(now);
            if self.namespaces {
                cells.insert(0, Line::plain(&row.namespace));
            }
            if wide {
                cells.extend(row.more(now));
            }
            table.push(cells);
        }
        table.lines()
    }

    fn names(&self) -> Vec<String> {
        let rows = self.items.iter();
        rows.map(|row| row.workload.with_group()).collect()
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Row {
    fn cells(&self, now: Timestamp) -> Vec<Line> {
        let reason = Some(&self.reason).filter(|reason| *reason != Reason::InSync.as_str());
        vec![
            Line::of(Tone::Strong, &self.workload),
            words::state(self.state),
            or_none(reason),
            words::pods(&self.pods),
            Line::plain(self.sources),
            self.rolled(now),
        ]
    }

    /// `2m ago`, `2m ago, Failed`.
    fn rolled(&self, now: Timestamp) -> Line {
        let line = or_none(self.last_roll.as_ref().map(|time| ago(time, now)).as_ref());
        match self.roll {
            Some(state) => line
                .then(Tone::Plain, ", ")
                .then(Tone::Bad, format!("{state:?}")),
            None => line,
        }
    }

    fn more(&self, now: Timestamp) -> [Line; 3] {
        [
            or_none(self.policy.as_ref()),
            or_none(self.until.as_ref().map(|time| until(time, now)).as_ref()),
            or_none(Some(&self.message)),
        ]
    }
}

fn workloads(count: usize) -> String {
    match count {
        1 => "1 workload".to_owned(),
        _ => format!("{count} workloads"),
    }
}

fn or_none(text: Option<&String>) -> Line {
    match text.map(String::as_str) {
        None | Some("") => Line::plain("-"),
        Some(text) => Line::plain(text),
    }
}

#[cfg(test)]
mod tests;
