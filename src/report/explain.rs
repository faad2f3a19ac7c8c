//! `explain`: everything about one workload.

use jiff::Timestamp;
use serde::Serialize;

use super::Report;
use super::age::{ago, until};
use super::leader::Leader;
use super::name::WorkloadName;
use super::not_ready::NotReady;
use super::objects::{Objects, PodLine, Workload};
use super::output::{Line, Page, Table, Tone};
use super::projected::Projected;
use super::undo::{Undo, sync_brought_back};
use super::uses::{OneUse, SelfRefreshing};
use super::words;
use crate::api::Reason;
use crate::api::projection::{DecisionRecord, PolicyInForce, ProjectionStatus, RollRecord, State};
use crate::core::plan::Tally;

/// Everything about one workload.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The workload.
    pub workload: WorkloadName,
    /// Where it is.
    pub namespace: String,
    /// The leader: without one, the report may be out of date.
    pub leader: Leader,
    /// Whether Projsync manages it.
    pub managed: bool,
    /// Reason why it is not managed, and what to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_managed: Option<String>,
    /// Where things stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Pods that are in sync, but not ready since the last roll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_ready: Option<NotReady>,
    /// The last decision and its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionRecord>,
    /// Advice on the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    /// The policy in force and the reason for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyInForce>,
    /// What it projects.
    pub projects: Vec<Projected>,
    /// Volumes that the kubelet refreshes by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub self_refreshing: Vec<SelfRefreshing>,
    /// Pods by state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<Tally>,
    /// Its Pods.
    pub pods: Vec<PodLine>,
    /// The last rolls, the newest first.
    pub rolls: Vec<RollRecord>,
    /// How to undo the last change that was not Projsync's; absent if Projsync never rolled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
    /// What an undo has made of the workload's own annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought_back: Option<String>,
    /// What couldn't be seen.
    pub notes: Vec<String>,
}

impl Explanation {
    /// Makes the report on a workload from the objects.
    #[must_use]
    pub fn new(workload: &Workload, objects: &Objects, leader: &Leader) -> Self {
        let managed = workload.projection.is_some();
        let status = workload.status().cloned().unwrap_or_default();
        Self {
            workload: workload.name.clone(),
            namespace: objects.namespace.to_string(),
            managed,
            not_managed: (!managed).then(|| match leader {
                Leader::Nobody => NO_LEADER.to_owned(),
                _ => not_managed(workload.object.sync.as_deref()),
            }),
            leader: leader.clone(),
            state: status.summary.state,
            not_ready: NotReady::of(&status),
            advice: reason(&status).map(Reason::advice),
            projects: Projected::of(workload, &[]),
            self_refreshing: workload.self_refreshing.clone(),
            counts: managed.then(|| Tally::from(&status.pods)),
            pods: objects.pods_of(workload),
            undo: Undo::of(workload, objects),
            brought_back: sync_brought_back(workload, objects),
            decision: status.decision,
            policy: status.policy,
            rolls: status.rolls,
            notes: objects.notes.clone(),
        }
    }
}

/// The reason that advice is given on.
fn reason(status: &ProjectionStatus) -> Option<Reason> {
    let text = &status.decision.as_ref()?.reason;
    let mut all = Reason::ALL.iter();
    match *all.find(|reason| reason.as_str() == text)? {
        Reason::InSync if status.pods.unknown > 0 => Some(Reason::StateUnknown),
        Reason::InSync => None,
        reason => Some(reason),
    }
}

/// Reason why nothing is managed.
const NO_LEADER: &str = "no operator leads, so nothing is";

/// Reason why a workload has no Projection.
fn not_managed(sync: Option<&str>) -> String {
    match sync {
        Some("false") => {
            "its annotation projsync.dev/sync is \"false\"; remove it or set \"true\"".to_owned()
        }
        Some("true") => "its annotation projsync.dev/sync is \"true\", but there is no Projection of it yet: does the operator watch this namespace?".to_owned(),
        Some(name) => format!(
            "its annotation projsync.dev/sync names the policy {name:?}, and there is no valid one of that name; write \"true\", \"false\" or the name of a policy"
        ),
        None => "no policy selects it; make a SyncPolicy that does, or annotate it with projsync.dev/sync=true".to_owned(),
    }
}

// === impl Report ===

impl Report for Explanation {
    fn page(&self, wide: bool, now: Timestamp) -> Page {
        let mut page = Page::default();
        page.push(
            Line::of(Tone::Strong, &self.workload)
                .then(Tone::Faint, format!(" in namespace {}", self.namespace)),
        );
        if let Some(why) = &self.not_managed {
            page.push(Line::plain(format!("Not managed: {why}.")));
        }
        let brought_back = self.brought_back.iter();
        page.append(brought_back.map(|text| Line::of(Tone::Bad, text)).collect());
        if let Some(decision) = &self.decision {
            page.section("State", self.decided(decision, now));
        }
        if let Some(policy) = &self.policy {
            page.section("Policy", in_force(policy));
        }
        page.section("Projects", self.projects(now));
        page.section("Pods", self.pods());
        page.section("Rolls", rolls(&self.rolls, wide, now));
        if let Some(undo) = &self.undo {
            page.section("Undo", how_to_undo(undo));
        }
        page
    }

    fn names(&self) -> Vec<String> {
        vec![self.workload.with_group()]
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Explanation {
    fn decided(&self, decision: &DecisionRecord, now: Timestamp) -> Page {
        let mut state = words::state(self.state);
        if decision.reason != Reason::InSync.as_str() {
            state = state
                .then(Tone::Plain, ": ")
                .then(Tone::Strong, &decision.reason);
        }
        let since = format!("since {} ({})", ago(&decision.since, now), decision.since.0);
        let mut lines = vec![
            state.beside(Tone::Faint, since),
            Line::plain(&decision.message),
        ];
        let not_ready = self.not_ready.iter();
        lines.extend(not_ready.map(|one| Line::of(Tone::Bad, one.words(now))));
        if let Some(time) = &decision.until {
            let next = format!("Next: {} ({})", until(time, now), time.0);
            lines.push(Line::plain(next));
        }
        lines.extend(self.advice.map(|advice| Line::of(Tone::Faint, advice)));
        lines.into_iter().collect()
    }

    fn projects(&self, now: Timestamp) -> Page {
        if self.projects.is_empty() && self.self_refreshing.is_empty() {
            return [Line::plain("no ConfigMap and no Secret")]
                .into_iter()
                .collect();
        }
        let mut table = Table::bare();
        for one in &self.projects {
            let uses: Vec<String> = one.uses.iter().map(describe).collect();
            table.push(vec![
                Line::of(Tone::Strong, &one.source),
                Line::plain(one.class.as_str()),
                Line::plain(uses.join("; ")),
                one.content(now),
            ]);
        }
        for one in &self.self_refreshing {
            table.push(vec![
                Line::plain(one.kind),
                Line::plain("Live"),
                Line::plain(format!("volume {}", one.volume)),
                Line::of(Tone::Faint, "refreshed by the kubelet itself"),
            ]);
        }
        table.lines()
    }

    fn pods(&self) -> Page {
        let mut page: Page = self.counts.iter().map(words::pods).collect();
        let mut table = Table::bare();
        for pod in &self.pods {
            table.push(vec![
                Line::plain(format!("pod/{}", pod.name)),
                words::pod_state(pod),
                Line::of(Tone::Faint, &pod.reason),
            ]);
        }
        page.append(table.lines());
        page
    }
}

/// `env log.level as LOG_LEVEL`.
fn describe(one: &OneUse) -> String {
    let optional = if one.optional { " (optional)" } else { "" };
    format!("{} {}{optional}", one.place, one.describe())
}

fn in_force(policy: &PolicyInForce) -> Page {
    let name = match (policy.kind, &policy.name) {
        (Some(kind), Some(name)) => format!("{}/{name}", kind.as_str()),
        _ => "the defaults".to_owned(),
    };
    let mut line = Line::of(Tone::Strong, name).beside(Tone::Plain, &policy.rules);
    if policy.rules.suspend {
        line = line.beside(Tone::Bad, "suspended");
    }
    let mut page: Page = [line, Line::plain(&policy.why)].into_iter().collect();
    if let Some(brake) = &policy.stopped_by {
        let told = format!("ClusterSyncPolicy/{brake} stops all rolls.");
        page.push(Line::of(Tone::Bad, told));
    }
    page
}

fn rolls(rolls: &[RollRecord], wide: bool, now: Timestamp) -> Page {
    let mut table = Table::bare();
    for roll in rolls {
        let mut row = vec![
            Line::plain(ago(&roll.time, now)),
            Line::plain(roll.causes.join("; ")),
            words::roll(roll),
        ];
        if wide {
            row.insert(1, Line::plain(roll.time.0));
            row.push(Line::of(Tone::Faint, &roll.revision));
        }
        table.push(row);
    }
    table.lines()
}

fn how_to_undo(undo: &Undo) -> Page {
    let mut page = Page::default();
    match &undo.command {
        Some(command) => {
            page.push(Line::plain("To undo the last change of the template that somebody else made:"));
            page.push(Line::of(Tone::Strong, format!("  {command}")));
        }
        None => page.push(Line::plain(
            "Every revision that the cluster keeps has the current template, so none of them undoes a change. To go further back, apply an earlier manifest; revisionHistoryLimit says how many revisions are kept.",
        )),
    }
    if undo.plain_undo_is_ours {
        page.push(Line::of(
            Tone::Faint,
            "`kubectl rollout undo` without a revision only undoes a roll by Projsync: new Pods start from the same template, with the current content.",
        ));
    }
    page
}

#[cfg(test)]
mod tests;
