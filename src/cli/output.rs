//! Printing of reports.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;

use super::connect::Connection;
use crate::report::Report;
use crate::report::leader::Leader;
use crate::report::output::{Line, clean, json};

/// Format of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// The same data as JSON
    Json,
    /// The same data as YAML
    Yaml,
    /// Only names, one per line, as kubectl accepts them
    Name,
}

/// Writes a report in a format.
///
/// # Errors
/// When it can't be written as such.
pub fn text(report: &impl Report, format: Format, now: Timestamp) -> anyhow::Result<String> {
    let page = match format {
        Format::Json => return Ok(serde_json::to_string_pretty(&json(report)?)? + "\n"),
        Format::Yaml => {
            let text = serde_saphyr::to_string(&json(report)?)?;
            return Ok(text.trim_end().to_owned() + "\n");
        }
        Format::Name => report.names().into_iter().map(Line::plain).collect(),
        Format::Table | Format::Wide => report.page(format == Format::Wide, now),
    };
    Ok(page.text(colours()))
}

/// Prints a report. Notes go to standard error unless the format contains them.
///
/// # Errors
/// When it can't be written.
pub fn show(report: &impl Report, format: Format) -> anyhow::Result<()> {
    print(&text(report, format, Timestamp::now())?)?;
    if !matches!(format, Format::Json | Format::Yaml) {
        print_notes(report.notes());
    }
    Ok(())
}

/// Returns whether standard output gets colours: it is a terminal, and the environment doesn't
/// forbid them.
#[must_use]
pub fn colours() -> bool {
    takes_colours(
        io::stdout().is_terminal(),
        std::env::var("NO_COLOR").ok().as_deref(),
        std::env::var("TERM").ok().as_deref(),
    )
}

/// See <https://no-color.org>: any value but an empty one counts.
fn takes_colours(terminal: bool, no_color: Option<&str>, term: Option<&str>) -> bool {
    terminal && no_color.is_none_or(str::is_empty) && term != Some("dumb")
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
///
/// # Errors
/// When it can't be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.context("can't write to standard output"),
    }
}

/// Writes notes to standard error.
pub fn print_notes(notes: &[String]) {
    for note in notes {
        print_error_line(&format!("note: {note}"));
    }
}

/// Says first, on standard error, that nobody leads or that it can't be told.
pub fn warn(leader: &Leader, connection: &Connection) {
    if let Some(warning) = leader.warning(&connection.operator.to_string()) {
        print_error_line(&format!("warning: {warning}"));
    }
}

/// Writes a line to standard error.
pub fn print_error_line(text: &str) {
    // If standard error is closed, nobody reads this.
    let _ = writeln!(io::stderr(), "{}", clean(text));
}

#[cfg(test)]
mod tests;
