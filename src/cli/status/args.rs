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
use crate::report::leader::{Leader, Versions};
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
    /// The requested workloads that are not managed.
    pub(super) fn missing(&self, report: &Status) -> Vec<String> {
        let named = self.workloads.0.iter();
        let is_managed = |name: &&WorkloadName| {
            let mut rows = report.items.iter();
            rows.any(|row| row.workload == **name && row.is_managed())
        };
        named
            .filter(|name| !is_managed(name))
            .map(ToString::to_string)
            .collect()
    }

    /// The report on what is selected. Sources are read only if nothing else is wrong. It is
    /// enough if the operator has seen them as they were at `first`.
    pub(super) async fn report<'p, P>(
        &self,
        fetch: &mut Fetch<'_>,
        projections: P,
        first: Option<&Versions>,
    ) -> anyhow::Result<Status>
    where
        P: IntoIterator<Item = &'p Projection> + Clone,
    {
        let mut filter = self.filter(fetch).await?;
        let report = filter.report(projections.clone(), fetch.notes.clone());
        let compares = self.wait || self.exit_code;
        if !compares || report.out_of_sync() > 0 || report.leader == Leader::Nobody {
            return Ok(report);
        }
        if let Some(first) = first {
            filter.versions = Some(first.clone());
            let report = filter.report(projections.clone(), fetch.notes.clone());
            if report.unseen() == 0 {
                return Ok(report);
            }
        }
        filter.versions = Some(fetch.versions().await?);
        Ok(filter.report(projections, fetch.notes.clone()))
    }

    async fn filter(&self, fetch: &Fetch<'_>) -> anyhow::Result<Filter<'_>> {
        Ok(Filter {
            leader: fetch.leader().await?,
            versions: None,
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
    /// The leader.
    pub(super) leader: Leader,
    /// The newest versions of sources, if they are to be compared.
    pub(super) versions: Option<Versions>,
}

impl Filter<'_> {
    /// The row of a Projection, if it is to be shown.
    fn row(&self, projection: &Projection) -> Option<Row> {
        let uid = &projection.spec.workload.uid;
        let labelled = self.labelled.as_ref();
        let mut row = Row::from(projection);
        let versions = self.versions.as_ref();
        row.unseen = versions.and_then(|newest| newest.unseen(projection, &self.leader));
        let named = self.workloads.is_empty() || self.workloads.contains(&row.workload);
        let is_its_own = projection.workload().is_some();
        (is_its_own && named && labelled.is_none_or(|uids| uids.contains(uid))).then_some(row)
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
            leader: self.leader.clone(),
            ..status
        }
    }
}
