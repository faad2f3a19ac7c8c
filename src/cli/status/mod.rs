//! `projsync status`: which workloads are out of sync, and why.

mod follow;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;

use super::connect::{ConnectArgs, Connection};
use super::exit::Exit;
use super::fetch::Fetch;
use super::output::{Format, print_error_line, show};
use super::run_args::positive;
use crate::api::Projection;
use crate::report::name::WorkloadName;
use crate::report::status::{Row, Status};

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Show which workloads are out of sync, and why, worst first.

It reads Projections, and with -l the metadata of workloads, but never a ConfigMap or Secret. The operator \
writes a Projection at most once in 5 seconds, or once in 30 during a rollout, so the last moments may be \
missing. --wait waits until everything has been in sync for --stable-for.";

/// Flags of `projsync status`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// Only these workloads, as KIND/NAME
    #[arg(value_name = "WORKLOAD")]
    pub workloads: Vec<WorkloadName>,
    /// Workloads of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", "workloads"])]
    pub all_namespaces: bool,
    /// Only workloads with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Format,
    /// Print again whenever something changes
    #[arg(short, long, conflicts_with_all = ["wait", "exit_code"])]
    pub watch: bool,
    /// Show by the exit code whether everything is in sync
    #[arg(long)]
    pub exit_code: bool,
    /// Wait until everything is in sync; the exit code shows whether it is
    #[arg(long)]
    pub wait: bool,
    /// With --wait: maximum time to wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = positive)]
    pub timeout: Duration,
    /// With --wait: time for which everything must have been in sync
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = stable_for)]
    pub stable_for: Duration,
    /// Which cluster.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

fn stable_for(text: &str) -> Result<Duration, String> {
    match text.parse::<crate::api::Duration>() {
        Ok(duration) if duration.get().is_zero() => Ok(Duration::ZERO),
        _ => positive(text),
    }
}

/// The Projections to show.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    /// Names of workloads; all if empty.
    pub(super) workloads: &'a [WorkloadName],
    /// Uids of workloads that the labels select; all if `None`.
    pub(super) labelled: Option<BTreeSet<String>>,
    /// True if they are of several namespaces.
    pub(super) namespaces: bool,
}

impl Filter<'_> {
    /// The row of a Projection, if it is to be shown.
    fn row(&self, projection: &Projection) -> Option<Row> {
        let uid = &projection.spec.workload.uid;
        let labelled = self.labelled.as_ref();
        let row = Row::from(projection);
        let named = self.workloads.is_empty() || self.workloads.contains(&row.workload);
        (named && labelled.is_none_or(|uids| uids.contains(uid))).then_some(row)
    }

    /// The report on the Projections to show.
    fn report<'p>(
        &self,
        projections: impl IntoIterator<Item = &'p Projection>,
        notes: Vec<String>,
    ) -> Status {
        let rows = projections.into_iter().filter_map(|p| self.row(p));
        let status = Status::new(rows.collect(), notes, Timestamp::now());
        Status {
            namespaces: self.namespaces,
            ..status
        }
    }
}

/// Shows the managed workloads.
///
/// # Errors
/// If Projections can't be read, or a named workload is not managed.
pub async fn run(args: &StatusArgs) -> anyhow::Result<Exit> {
    let connection = args.connect.connect().await?;
    if args.wait {
        return follow::wait(args, &connection).await;
    }
    if args.watch {
        return follow::watch(args, &connection).await;
    }
    let report = fetch(args, &connection).await?;
    print_status(args, &connection, &report)?;
    Ok(match args.exit_code {
        true => exit(&report),
        false => Exit::Success,
    })
}

async fn fetch(args: &StatusArgs, connection: &Connection) -> anyhow::Result<Status> {
    let mut fetch = Fetch::new(connection, args.all_namespaces);
    let projections = fetch.projections().await?;
    let filter = args.filter(&fetch).await?;
    let report = filter.report(&projections, fetch.notes);
    let missing = args.missing(&report);
    if !missing.is_empty() {
        bail!(
            "not managed, or not in namespace {}: {}; `explain` says more",
            connection.namespace,
            missing.join(", ")
        );
    }
    Ok(report)
}

impl StatusArgs {
    /// The requested workloads that are not in the report.
    fn missing(&self, report: &Status) -> Vec<String> {
        let named = self.workloads.iter();
        named
            .filter(|name| !report.items.iter().any(|row| row.workload == **name))
            .map(ToString::to_string)
            .collect()
    }

    async fn filter(&self, fetch: &Fetch<'_>) -> anyhow::Result<Filter<'_>> {
        Ok(Filter {
            workloads: &self.workloads,
            labelled: match &self.selector {
                Some(labels) => Some(fetch.labelled(labels).await?),
                None => None,
            },
            namespaces: self.all_namespaces,
        })
    }
}

/// The exit code for a report.
fn exit(report: &Status) -> Exit {
    match (report.out_of_sync(), report.is_unknown()) {
        (0, false) => Exit::Success,
        (0, true) => Exit::Unknown,
        _ => Exit::OutOfSync,
    }
}

fn print_status(args: &StatusArgs, connection: &Connection, report: &Status) -> anyhow::Result<()> {
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
