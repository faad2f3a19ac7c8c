//! The output of `projsync status`, and its exit code.

use crate::cli::connect::Connection;
use crate::cli::exit::Exit;
use crate::cli::output::{Format, print_error_line, show};
use crate::report::status::Status;

use super::args::StatusArgs;

/// The exit code for a report.
pub(super) fn exit(report: &Status) -> Exit {
    match (report.out_of_sync(), report.is_unknown()) {
        (0, false) => Exit::Success,
        (0, true) => Exit::Unknown,
        _ => Exit::OutOfSync,
    }
}

pub(super) fn print_status(
    args: &StatusArgs,
    connection: &Connection,
    report: &Status,
) -> anyhow::Result<()> {
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
