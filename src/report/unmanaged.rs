//! The content of Pods that belong to no managed workload, such as bare Pods and those of Jobs.
//!
//! Projsync keeps no timeline for such a Pod. But if a managed workload projects the same keys,
//! its Projection says when they changed, and the Pod says when its containers started.

use jiff::{SignedDuration, Timestamp};

use super::objects::{Pod, Workload};
use super::uses::Uses;
use crate::api::projection::{PodState, TimelineEntry};
use crate::cluster::views::Life;
use crate::kinds::Class;

/// Difference between a start, by a node's clock, and a change, by the API server's, below which
/// their order is not known.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// State of the Pod for a source, and the reason. `None` means that nothing shows that it is not
/// Fresh, which doesn't prove that it is.
#[must_use]
pub(super) fn state(pod: &Pod, uses: &Uses, workloads: &[Workload]) -> Option<(PodState, String)> {
    if pod.life != Life::Active || uses.class != Class::Frozen {
        return None;
    }
    let started = started(pod, uses)?;
    let changed = last_change(uses, workloads)?;
    let source = &uses.source;
    if changed >= started + MARGIN {
        let reason = format!("It started before {source} changed.");
        Some((PodState::Stale, reason))
    } else if changed > started - MARGIN {
        let reason = format!("It started at about the time when {source} changed.");
        Some((PodState::Unknown, reason))
    } else {
        None
    }
}

/// Start of the first container that sees the source.
fn started(pod: &Pod, uses: &Uses) -> Option<Timestamp> {
    let sees = |name: &str| {
        uses.uses
            .iter()
            .flat_map(|one| &one.containers)
            .any(|c| c == name)
    };
    let containers = pod.object.containers.iter();
    containers
        .filter(|container| sees(&container.name))
        .filter_map(|container| Some(container.started?.at))
        .min()
}

/// Last change of a key that is seen, as far as a Projection shows it.
fn last_change(uses: &Uses, workloads: &[Workload]) -> Option<Timestamp> {
    let seen = uses.key_names();
    let changes = |entry: &&TimelineEntry| {
        let mut changed = entry.changed.iter();
        changed.any(|key| seen.as_ref().is_none_or(|seen| seen.contains(&**key)))
    };
    let statuses = workloads.iter().filter_map(Workload::status);
    statuses
        .flat_map(|status| &status.references)
        .filter(|record| record.kind == uses.source.kind && record.name == uses.source.name)
        .flat_map(|record| &record.timeline)
        .filter(changes)
        .filter_map(|entry| Some(entry.since.time.as_ref()?.0))
        .max()
}
