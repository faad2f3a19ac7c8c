//! The output of `projsync status`, and its exit code.

use crate::cli::connect::Connection;
use crate::cli::exit::Exit;
use crate::cli::output::{Format, print_error_line, show, warn};
use crate::report::leader::Leader;
use crate::report::status::{Row, Status};

use super::args::StatusArgs;

/// The exit code for a report.
pub(super) fn exit(report: &Status) -> Exit {
    if report.leader == Leader::Nobody {
        return Exit::Unled;
    }
    match (report.out_of_sync(), report.unseen(), report.is_unknown()) {
        _ if !report.items.iter().any(Row::is_managed) => Exit::Nothing,
        (0, 0, false) => Exit::Success,
        (0, 0, true) => Exit::Unknown,
        (0, _, _) => Exit::Unled,
        _ => Exit::OutOfSync,
    }
}

pub(super) fn print_status(
    args: &StatusArgs,
    connection: &Connection,
    report: &Status,
) -> anyhow::Result<()> {
    warn(&report.leader, connection);
    show(report, args.output)?;
    let for_people = !matches!(args.output, Format::Json | Format::Yaml);
    if report.items.is_empty() && for_people {
        let place = match args.all_namespaces {
            true => "in any namespace".to_owned(),
            false => format!("in namespace {}", connection.namespace),
        };
        print_error_line(&format!("No managed workloads found {place}."));
    }
    Ok(())
}
