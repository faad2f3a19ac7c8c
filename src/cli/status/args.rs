//! The flags of `projsync status`, and the workloads that they select.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::Projection;
use crate::cli::connect::ConnectArgs;
use crate::cli::fetch::Fetch;
use crate::cli::names::{Many, NAMES};
use crate::cli::output::Format;
use crate::cli::run_args::positive;
use crate::report::name::WorkloadName;
use crate::report::status::{Row, Status};

/// Flags of `projsync status`.
#[derive(Clone, Debug, clap::Args)]
pub struct StatusArgs {
    /// Only these workloads.
    #[command(flatten)]
    pub workloads: Many<WorkloadName>,
    /// Workloads of all namespaces
    #[arg(short = 'A', long, conflicts_with_all = ["namespace", NAMES])]
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

impl StatusArgs {
    /// The requested workloads that are not in the report.
    pub(super) fn missing(&self, report: &Status) -> Vec<String> {
        let named = self.workloads.0.iter();
        named
            .filter(|name| !report.items.iter().any(|row| row.workload == **name))
            .map(ToString::to_string)
            .collect()
    }

    pub(super) async fn filter(&self, fetch: &Fetch<'_>) -> anyhow::Result<Filter<'_>> {
        Ok(Filter {
            workloads: &self.workloads.0,
            labelled: match &self.selector {
                Some(labels) => Some(fetch.labelled(labels).await?),
                None => None,
            },
            namespaces: self.all_namespaces,
        })
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
    pub(super) fn report<'p>(
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
