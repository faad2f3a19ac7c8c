//! `projsync tree`: what projects what.

pub mod effect;
pub mod render;
pub mod source;
#[cfg(test)]
mod tests;
mod unmanaged;
pub mod workload;

use super::connect::ConnectArgs;
use super::exit::Exit;
use super::fetch::Fetch;
use super::gather;
use super::name::Root;
use super::output::{Format, Page, colours, print, print_notes, structured};

pub use effect::Effect;
pub use render::pod_state;
use source::SourceTree;
use workload::WorkloadTree;

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Show what projects a ConfigMap or Secret, or what a workload projects.

From a source it goes to the ways in which it is seen (Live: the kubelet refreshes the files of running \
containers; Frozen: fixed when a container starts), to the workloads, Jobs and Pods that see it so, and to \
what each Pod has; of a Pod that nobody manages, where a managed workload projects the same keys. With \
--keys it tells who sees these keys and what a change of them asks of whom.

It reads workloads, Pods and Projections of the namespace; never a ConfigMap or Secret.";

/// Flags of `projsync tree`.
#[derive(Clone, Debug, clap::Args)]
pub struct TreeArgs {
    /// A source (configmap/app, secret/db) or a workload (deployment/web, sts/db, ds/agent)
    #[arg(value_name = "SOURCE|WORKLOAD")]
    pub root: Root,
    /// Only what sees these keys, separated by commas
    #[arg(long, value_name = "KEYS", value_delimiter = ',')]
    pub keys: Vec<String>,
    /// How to print
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Shows the tree.
///
/// # Errors
/// Where the workload does not exist or the cluster can't be read.
pub async fn run(args: &TreeArgs) -> anyhow::Result<Exit> {
    let connection = args.connect.connect().await?;
    let namespace = connection.namespace.clone();
    let mut fetch = Fetch::new(&connection, false);
    let keys = args.keys.clone();
    let page = match &args.root {
        Root::Source(source) => {
            let seen = gather::namespace(fetch).await?;
            let tree = SourceTree::new(source.clone(), namespace, keys, seen);
            show(args.output, &tree, &tree.notes, || {
                render::source(&tree, args.output)
            })
        }
        Root::Workload(name) => {
            let one = gather::one(&mut fetch, name).await?;
            let pods = one.pods.as_deref();
            let tree = WorkloadTree::new(one.workload, namespace, keys, pods, fetch.notes);
            show(args.output, &tree, &tree.notes, || {
                render::workload(&tree, args.output)
            })
        }
    };
    page.map(|()| Exit::Success)
}

/// Prints a report; its notes go to standard error where they aren't in it.
pub(super) fn show(
    format: Format,
    report: &impl serde::Serialize,
    notes: &[String],
    page: impl FnOnce() -> Page,
) -> anyhow::Result<()> {
    if matches!(format, Format::Json | Format::Yaml) {
        return print(&structured(report, format)?);
    }
    print(&page().text(colours()))?;
    print_notes(notes);
    Ok(())
}
