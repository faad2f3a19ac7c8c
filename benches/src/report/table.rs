//! The figures as a table, which Markdown takes as one too.

use std::fmt::Write as _;

use super::Results;
use crate::figure::Figure;

/// The table, with what it was measured on.
pub(crate) fn table(results: &Results) -> String {
    let mut text = String::new();
    let (machine, scale) = (&results.machine, &results.scale);
    let mut say = |line: String| {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{line}");
    };
    say(format!(
        "\n{} cores, {} GiB, {}; Kubernetes {}",
        machine.cores, machine.memory_gib, machine.processor, results.kubernetes
    ));
    say(format!(
        "{} Deployments of {} Pods in all; {} ConfigMaps of 2 KiB; Secrets: {} of 2 KiB, {} of 8 KiB that nobody uses, {} of 1 MB of which {} are used\n",
        scale.deployments,
        scale.pods(),
        scale.config_maps,
        scale.secrets,
        scale.unused_secrets,
        scale.large_secrets,
        scale.large_secrets_used
    ));
    let header = ["scenario", "figure", "measured", "limit", ""].map(str::to_owned);
    let mut rows = vec![header];
    let mut scenario = "";
    for figure in &results.figures {
        let mut row = row(figure);
        if figure.scenario == scenario {
            row[0].clear();
        }
        scenario = figure.scenario;
        rows.push(row);
    }
    let width = |column: usize| {
        let widths = rows
            .iter()
            .map(|row: &[String; 5]| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    for (number, row) in rows.iter().enumerate() {
        let [scenario, name, value, limit, met] = row;
        say(format!(
            "| {scenario:<0$} | {name:<1$} | {value:>2$} | {limit:>3$} | {met:<4$} |",
            widths[0], widths[1], widths[2], widths[3], widths[4]
        ));
        if number == 0 {
            let dashes = |column: usize| "-".repeat(widths[column]);
            say(format!(
                "| {} | {} | {}: | {}: | {} |",
                dashes(0),
                dashes(1),
                "-".repeat(widths[2] - 1),
                "-".repeat(widths[3] - 1),
                dashes(4)
            ));
        }
    }
    if let Some(parts) = results.breakdown {
        say(format!(
            "\nOf a change, by the API server's clock (medians): watch {:.1} ms, read {:.1} ms, plan {:.1} ms, patch {:.1} ms.",
            parts.watch, parts.read, parts.plan, parts.patch
        ));
    }
    text
}

/// A figure in one line.
pub(crate) fn line(figure: &Figure) -> String {
    let [scenario, name, value, limit, _] = row(figure);
    format!("{scenario}: {name}: {value} (limit: {limit})")
}

fn row(figure: &Figure) -> [String; 5] {
    let met = match figure.is_met() {
        _ if figure.is_broken() => "BROKEN",
        Some(true) => "met",
        Some(false) => "not met",
        None => "",
    };
    [
        figure.scenario.to_owned(),
        figure.name.clone(),
        figure.unit.show(figure.value),
        figure
            .limit
            .map_or_else(String::new, |limit| limit.show(figure.unit)),
        met.to_owned(),
    ]
}
