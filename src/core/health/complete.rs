//! When a roll is complete.

use crate::core::health::seen::{Seen, new_pods};
use crate::core::history::record::Health;

/// Whether all Pods are replaced and as many are ready as before the roll: the rule of
/// `kubectl rollout status`, which honours `minReadySeconds`, less the Pods that were not
/// ready before either; at least one must be.
///
/// <https://github.com/kubernetes/kubernetes/blob/v1.37.2/staging/src/k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go>
pub(super) fn is_complete(health: &Health, seen: &Seen<'_>) -> bool {
    let view = seen.view;
    let (wanted, counts) = (view.workload.replicas, view.workload.counts);
    let unready = i64::from(health.unready.unwrap_or(0));
    let needed = wanted - unready.min(wanted - 1);
    let ready = new_pods(view).filter(|pod| pod.ready).count();
    let mut active = view.pods.iter().filter(|(pod, _)| pod.active);
    seen.outdated.is_empty()
        && active.all(|(_, current)| *current)
        && i64::try_from(ready).is_ok_and(|ready| ready >= needed)
        && counts.replicas <= counts.updated
        && counts.updated >= needed
        && counts.available >= needed
}
