//! `projsync tree`: who projects what.

use super::connect::ConnectArgs;
use super::exit::Exit;
use super::fetch::Fetch;
use super::names::One;
use super::output::{Format, show, warn};
use crate::report::leader::Leader;
use crate::report::name::Root;
use crate::report::tree::{SourceTree, WorkloadTree};

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Show what projects a ConfigMap or Secret, or what a workload projects.

For a source the tree shows its uses (Live: the kubelet refreshes the files of running containers; Frozen: fixed \
when a container starts), the workloads, Jobs and Pods with these uses, and which content each Pod has. A Pod is \
shown by what its own spec says, so also one of an older template, or one that a webhook has changed. For Pods \
that are not managed this is known only if a managed workload projects the same keys. With --keys it shows who \
uses these keys, and what happens to each when they change.

It reads workloads, CronJobs, Pods, ReplicaSets and Projections of the namespace, but never a ConfigMap or Secret.";

/// Flags of `projsync tree`.
#[derive(Clone, Debug, clap::Args)]
pub struct TreeArgs {
    /// Its root.
    #[command(flatten)]
    pub root: One<Root>,
    /// Show only who uses these keys, separated by commas
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub keys: Vec<String>,
    /// Format of the output
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Shows the tree.
///
/// # Errors
/// If the workload does not exist or the cluster can't be read.
pub async fn run(args: &TreeArgs) -> anyhow::Result<Exit> {
    let connection = args.connect.connect().await?;
    let fetch = Fetch::new(&connection, false);
    let leader = fetch.leader().await?;
    warn(&leader, &connection);
    let keys = args.keys.clone();
    match &args.root.0 {
        Root::Source(source) => {
            let objects = fetch.namespace().await?;
            let tree = SourceTree::new(source.clone(), keys, &objects);
            show(&tree, args.output)?;
        }
        Root::Workload(name) => {
            let (workload, objects) = fetch.one(name).await?;
            show(&WorkloadTree::new(&workload, keys, &objects), args.output)?;
        }
    }
    Ok(match leader {
        Leader::Nobody => Exit::Unled,
        Leader::Leads(_) | Leader::Untold => Exit::Success,
    })
}
