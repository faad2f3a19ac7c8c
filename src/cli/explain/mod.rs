//! `projsync explain`: all about one workload.

pub mod render;
pub mod report;
#[cfg(test)]
mod tests;
pub mod undo;

use jiff::Timestamp;
use kube::api::DynamicObject;

use super::connect::ConnectArgs;
use super::exit::Exit;
use super::fetch::Fetch;
use super::gather;
use super::name::WorkloadName;
use super::objects::selector;
use super::output::Format;
use super::tree::show;
use crate::kinds::WorkloadKind;

use report::Report;
use undo::Undo;

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Show all about one workload: what it projects, what its Pods have of it, what Projsync decided last and why, \
its last rolls and the keys that caused them, the policy in force and why it is, and, where Projsync has \
rolled it, how to undo the last change that was not Projsync's.

It reads the workload, its Projection, its Pods and its revisions; never a ConfigMap or Secret.";

/// Flags of `projsync explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The workload: deployment/web, sts/db, ds/agent
    #[arg(value_name = "WORKLOAD")]
    pub workload: WorkloadName,
    /// How to print
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Format,
    /// Which cluster.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Explains the workload.
///
/// # Errors
/// Where it does not exist or the cluster can't be read.
pub async fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let connection = args.connect.connect().await?;
    let namespace = connection.namespace.clone();
    let mut fetch = Fetch::new(&connection, false);
    let one = gather::one(&mut fetch, &args.workload).await?;
    let undo = match &one.object {
        Some(object) if one.workload.was_rolled() => {
            undo(&mut fetch, &args.workload, &namespace, object).await?
        }
        _ => None,
    };
    let pods = one.pods.as_deref();
    let report = Report::new(one.workload, namespace, pods, undo, fetch.notes);
    show(args.output, &report, &report.notes, || {
        render::page(&report, args.output, Timestamp::now())
    })?;
    Ok(Exit::Success)
}

async fn undo(
    fetch: &mut Fetch<'_>,
    workload: &WorkloadName,
    namespace: &str,
    object: &DynamicObject,
) -> anyhow::Result<Option<Undo>> {
    let kind = workload.kind;
    let Some(objects) = fetch.revisions(kind, selector(object).as_ref()).await? else {
        return Ok(None);
    };
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let current = match kind {
        WorkloadKind::Deployment => object.data.pointer("/spec/template"),
        // Their revisions hold the template in another form.
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => None,
    };
    Ok(Undo::new(
        workload,
        namespace,
        current.and_then(undo::template_hash),
        undo::revisions(kind, uid, &objects),
    ))
}
