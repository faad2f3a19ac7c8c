//! `status` for people.

use jiff::Timestamp;

use super::report::{Report, Row};
use crate::api::projection::{Outcome, State};
use crate::cli::age::{ago, until};
use crate::cli::output::{Format, Line, Page, Table, Tone};

/// The rows as a table, or their names.
#[must_use]
pub fn page(report: &Report, format: Format, namespaces: bool, now: Timestamp) -> Page {
    if format == Format::Name {
        let rows = report.items.iter();
        return rows
            .map(|row| Line::plain(row.workload.with_group()))
            .collect();
    }
    if report.items.is_empty() {
        return Page::default();
    }
    let wide = format == Format::Wide;
    let mut headings = vec![
        "WORKLOAD",
        "STATE",
        "SOURCES",
        "PODS",
        "FRESH",
        "STALE",
        "REFRESHING",
        "UNKNOWN",
        "DECISION",
        "REASON",
        "LAST ROLL",
    ];
    if namespaces {
        headings.insert(0, "NAMESPACE");
    }
    if wide {
        headings.extend(["POLICY", "UNTIL", "MESSAGE"]);
    }
    let mut table = Table::new(headings);
    for row in &report.items {
        let mut cells = cells(row, now);
        if namespaces {
            cells.insert(0, Line::plain(&row.namespace));
        }
        if wide {
            cells.extend(more(row, now));
        }
        table.push(cells);
    }
    table.lines()
}

fn cells(row: &Row, now: Timestamp) -> Vec<Line> {
    let count = |count: u32, tone| match count {
        0 => Line::plain(0),
        _ => Line::of(tone, count),
    };
    let pods = row.pods;
    vec![
        Line::of(Tone::Strong, &row.workload),
        state(row.state),
        Line::plain(row.sources),
        Line::plain(pods.total),
        Line::plain(pods.fresh),
        count(pods.stale, Tone::Bad),
        count(pods.refreshing, Tone::Busy),
        count(pods.unknown, Tone::Busy),
        Line::plain(row.decision.map_or("-", outcome)),
        or_none(&row.reason),
        or_none(
            &row.last_roll
                .as_ref()
                .map(|time| ago(time, now))
                .unwrap_or_default(),
        ),
    ]
}

fn more(row: &Row, now: Timestamp) -> [Line; 3] {
    let when = row.until.as_ref().map(|time| until(time, now));
    [
        or_none(row.policy.as_deref().unwrap_or_default()),
        or_none(&when.unwrap_or_default()),
        or_none(&row.message),
    ]
}

fn or_none(text: &str) -> Line {
    match text {
        "" => Line::plain("-"),
        text => Line::plain(text),
    }
}

/// A workload's state, coloured.
#[must_use]
pub fn state(state: Option<State>) -> Line {
    match state {
        Some(State::InSync) => Line::of(Tone::Good, "InSync"),
        Some(State::Rolling) => Line::of(Tone::Busy, "Rolling"),
        Some(State::Waiting) => Line::of(Tone::Busy, "Waiting"),
        Some(State::Held) => Line::of(Tone::Bad, "Held"),
        Some(State::Unknown) => Line::of(Tone::Busy, "Unknown"),
        None => Line::of(Tone::Faint, "Pending"),
    }
}

/// An outcome as the API spells it.
#[must_use]
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Nothing => "Nothing",
        Outcome::Roll => "Roll",
        Outcome::Wait => "Wait",
        Outcome::Hold => "Hold",
    }
}
