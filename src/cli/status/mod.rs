//! `projsync status`: which workloads are out of sync, and why.

mod args;
mod follow;
mod print;
#[cfg(test)]
mod tests;

use anyhow::bail;

use super::connect::Connection;
use super::exit::Exit;
use super::fetch::Fetch;
use crate::report::leader::Leader;
use crate::report::status::Status;
use print::{exit, print_status};

pub use args::StatusArgs;

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Show which workloads are out of sync, and why, worst first.

It reads Projections and the operator's Lease, with -l the metadata of workloads, and with --exit-code or --wait \
the metadata of ConfigMaps and Secrets, but never their content. The operator \
writes a Projection at most once in 5 seconds, or once in 30 during a rollout, so the last moments may be \
missing. --wait waits until everything has been in sync for --stable-for.";

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
    Ok(match (args.exit_code, &report.leader) {
        (true, _) => exit(&report),
        (false, Leader::Nobody) => Exit::Unled,
        (false, _) => Exit::Success,
    })
}

async fn fetch(args: &StatusArgs, connection: &Connection) -> anyhow::Result<Status> {
    let mut fetch = Fetch::new(connection, args.all_namespaces);
    let projections = fetch.projections().await?;
    let report = args.report(&mut fetch, &projections, None).await?;
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
