//! What a Pod has that no workload's template tells of, such as a bare one or a Job's.
//!
//! Nobody keeps a timeline for it. But where a managed workload projects the same keys, its
//! Projection says when they changed; and the Pod says when its containers started.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::api::projection::{PodState, ProjectionStatus, TimelineEntry};
use crate::cli::objects::{Life, Pod, Workload};
use crate::cli::uses::Uses;
use crate::kinds::Class;

/// A start is told by a node's clock and a change by the API server's: the nearer they are the
/// less can be told.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// What the Pod has of a source, and why; `None` where nothing speaks against its being Fresh,
/// which is not the same.
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
        let reason = format!("It started when {source} changed.");
        Some((PodState::Unknown, reason))
    } else {
        None
    }
}

/// When the first of the containers that see the source started.
fn started(pod: &Pod, uses: &Uses) -> Option<Timestamp> {
    let containers = uses.uses.iter().flat_map(|one| &one.containers);
    containers
        .filter_map(|name| pod.starts.get(name))
        .min()
        .copied()
}

/// When a key that is seen changed last, as far as a Projection tells.
fn last_change(uses: &Uses, workloads: &[Workload]) -> Option<Timestamp> {
    let seen = keys(uses);
    let changes = |entry: &&TimelineEntry| {
        let mut changed = entry.changed.iter();
        changed.any(|key| seen.as_ref().is_none_or(|seen| seen.contains(&**key)))
    };
    statuses(workloads)
        .flat_map(|status| &status.references)
        .filter(|record| record.kind == uses.source.kind && record.name == uses.source.name)
        .flat_map(|record| &record.timeline)
        .filter(changes)
        .filter_map(|entry| Some(entry.since.time.as_ref()?.0))
        .max()
}

/// The keys that are seen; `None` for all.
fn keys(uses: &Uses) -> Option<BTreeSet<&str>> {
    let each = uses.uses.iter().map(|one| one.keys.as_ref());
    let all: Option<Vec<_>> = each.collect();
    Some(all?.into_iter().flatten().map(|seen| &*seen.key).collect())
}

fn statuses(workloads: &[Workload]) -> impl Iterator<Item = &ProjectionStatus> {
    let projections = workloads.iter().filter_map(|one| one.projection.as_ref());
    projections.filter_map(|projection| projection.status.as_ref())
}
