//! `projsync explain`: everything about one workload.

use super::connect::ConnectArgs;
use super::exit::Exit;
use super::fetch::Fetch;
use super::names::One;
use super::output::{Format, show, warn};
use crate::report::explain::Explanation;
use crate::report::leader::Leader;
use crate::report::name::WorkloadName;

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Show everything about one workload: what it projects, which content its Pods have, what Projsync decided last and \
why, its last rolls and the keys that caused them, the policy in force and the reason for that. If Projsync has \
rolled the workload, also show how to undo the last change that was not Projsync's.

It reads the workload, its Projection, its Pods and its revisions, but never a ConfigMap or Secret.";

/// Flags of `projsync explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The workload.
    #[command(flatten)]
    pub workload: One<WorkloadName>,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Explains the workload.
///
/// # Errors
/// If it does not exist or the cluster can't be read.
pub async fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let connection = args.connect.connect().await?;
    let fetch = Fetch::new(&connection, false);
    let leader = fetch.leader().await?;
    let (workload, objects) = fetch.one(&args.workload.0).await?;
    warn(&leader, &connection);
    show(&Explanation::new(&workload, &objects, &leader), args.output)?;
    Ok(match leader {
        Leader::Nobody => Exit::Unled,
        Leader::Leads(_) | Leader::Untold => Exit::Success,
    })
}
