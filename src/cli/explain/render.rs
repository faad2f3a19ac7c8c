//! `explain` for people.

use jiff::Timestamp;

use super::report::{Projected, Report};
use super::undo::Undo;
use crate::api::policy::Strategy;
use crate::api::projection::{DecisionRecord, PolicyInForce, RollRecord};
use crate::cli::age::{ago, until};
use crate::cli::output::{Format, Line, Page, Table, Tone};
use crate::cli::status::{Counts, outcome, state};
use crate::cli::tree::pod_state;
use crate::cli::uses::OneUse;

/// The report, section by section.
#[must_use]
pub fn page(report: &Report, format: Format, now: Timestamp) -> Page {
    if format == Format::Name {
        return [Line::plain(report.workload.with_group())]
            .into_iter()
            .collect();
    }
    let mut page = Page::default();
    page.push(
        Line::of(Tone::Strong, &report.workload)
            .then(Tone::Faint, format!(" in namespace {}", report.namespace)),
    );
    if let Some(why) = &report.not_managed {
        page.push(
            Line::plain("Not managed: ")
                .then(Tone::Plain, why)
                .then(Tone::Plain, "."),
        );
    }
    if let Some(decision) = &report.decision {
        let heading = "Decision";
        page.section(heading, decided(report, decision, now));
    }
    if let Some(policy) = &report.policy {
        page.section("Policy", in_force(policy));
    }
    page.section("Projects", projects(report, now));
    page.section("Pods", pods(report));
    page.section("Rolls", rolls(&report.rolls, format, now));
    if let Some(undo) = &report.undo {
        page.section("Undo", how_to_undo(undo));
    }
    page
}

fn decided(report: &Report, decision: &DecisionRecord, now: Timestamp) -> Page {
    let mut lines = vec![
        state(report.state)
            .beside(Tone::Plain, outcome(decision.outcome))
            .beside(Tone::Strong, &decision.reason)
            .beside(
                Tone::Faint,
                format!("since {} ({})", ago(&decision.since, now), decision.since.0),
            ),
        Line::plain(&decision.message),
    ];
    if let Some(time) = &decision.until {
        lines.push(Line::plain(format!(
            "until {} ({})",
            time.0,
            until(time, now)
        )));
    }
    if let Some(advice) = report.advice {
        lines.push(Line::of(Tone::Faint, advice));
    }
    lines.into_iter().collect()
}

fn in_force(policy: &PolicyInForce) -> Page {
    let name = match (policy.kind, &policy.name) {
        (Some(kind), Some(name)) => format!("{}/{name}", kind.as_str()),
        _ => "the defaults".to_owned(),
    };
    let strategy = match policy.strategy {
        Strategy::Rollout => "Rollout",
        Strategy::Observe => "Observe",
    };
    let mut line = Line::of(Tone::Strong, name).beside(
        Tone::Plain,
        format!(
            "strategy {strategy}, settle {}, minInterval {}",
            policy.settle, policy.min_interval
        ),
    );
    if policy.suspend {
        line = line.beside(Tone::Bad, "suspended");
    }
    [line, Line::plain(&policy.why)].into_iter().collect()
}

fn projects(report: &Report, now: Timestamp) -> Page {
    if report.projects.is_empty() && report.self_refreshing.is_empty() {
        return [Line::plain("no ConfigMap and no Secret")]
            .into_iter()
            .collect();
    }
    let mut table = Table::bare();
    for one in &report.projects {
        let uses: Vec<String> = one.uses.iter().map(describe).collect();
        table.push(vec![
            Line::of(Tone::Strong, &one.source),
            Line::plain(one.class.as_str()),
            Line::plain(uses.join("; ")),
            content(one, now),
        ]);
    }
    for one in &report.self_refreshing {
        table.push(vec![
            Line::plain(one.kind),
            Line::plain("Live"),
            Line::plain(format!("volume {}", one.volume)),
            Line::of(Tone::Faint, "refreshed by the kubelet itself"),
        ]);
    }
    table.lines()
}

/// `env log.level as LOG_LEVEL`.
fn describe(one: &OneUse) -> String {
    let optional = if one.optional { " (optional)" } else { "" };
    format!("{} {}{optional}", one.place, one.describe())
}

fn content(one: &Projected, now: Timestamp) -> Line {
    if one.missing {
        return Line::of(Tone::Bad, "it, or a required key of it, does not exist");
    }
    if one.excluded {
        return Line::of(Tone::Faint, "left out by its policy");
    }
    let mut text = match &one.since {
        Some(since) => format!("content of {}", ago(since, now)),
        None => String::new(),
    };
    if !one.changed.is_empty() {
        text = format!("{text}: changed {}", one.changed.join(", "));
    }
    Line::of(Tone::Faint, text)
}

fn pods(report: &Report) -> Page {
    let mut page = Page::default();
    if let Some(counts) = &report.counts {
        page.push(Line::plain(describe_counts(counts)));
    }
    let mut table = Table::bare();
    for pod in &report.pods {
        table.push(vec![
            Line::plain(format!("pod/{}", pod.name)),
            pod_state(pod),
            Line::of(Tone::Faint, &pod.reason),
        ]);
    }
    page.append(table.lines());
    page
}

fn describe_counts(counts: &Counts) -> String {
    let named = [
        (counts.fresh, "Fresh"),
        (counts.stale, "Stale"),
        (counts.refreshing, "Refreshing"),
        (counts.unknown, "Unknown"),
    ];
    let parts: Vec<String> = named
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    match parts.as_slice() {
        [] => "none".to_owned(),
        parts => format!("{}: {}", counts.total, parts.join(", ")),
    }
}

fn rolls(rolls: &[RollRecord], format: Format, now: Timestamp) -> Page {
    let mut table = Table::bare();
    for roll in rolls {
        let mut row = vec![
            Line::plain(ago(&roll.time, now)),
            Line::plain(roll.causes.join("; ")),
        ];
        if format == Format::Wide {
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
            page.push(Line::plain(
                "The last change of the template that was not Projsync's is undone by",
            ));
            page.push(Line::of(Tone::Strong, format!("  {command}")));
        }
        None => page.push(Line::plain(
            "No kept revision has another template. If there was one, revisionHistoryLimit has let it go: apply the former manifest.",
        )),
    }
    if undo.plain_undo_is_ours {
        page.push(Line::of(
            Tone::Faint,
            "Plain `kubectl rollout undo` would only undo a roll of Projsync: the template stays as it is, and new Pods start with the content of now.",
        ));
    }
    page
}
