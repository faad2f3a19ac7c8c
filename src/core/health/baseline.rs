//! What a workload is like before a roll.

use crate::core::health::failing::crashed_lately;
use crate::core::history::record::Record;
use crate::core::index::View;
use crate::core::time::ServerTime;

/// How many Pods are not ready before a roll that is about to be made; `None` where the roll
/// will tell nothing of its content, since something else goes on: another rollout, or crashes.
#[must_use]
pub fn baseline(record: &Record, view: &View<'_>, now: ServerTime) -> Option<u32> {
    let workload = view.workload;
    let pods = || view.pods.iter().filter(|(pod, _)| pod.active);
    let ready = pods().filter(|(pod, _)| pod.ready).count();
    let unready = workload.replicas - i64::try_from(ready).unwrap_or(i64::MAX);
    let unready = u32::try_from(unready.max(0)).unwrap_or(u32::MAX);
    let ours = |revision| workload.template.revision.as_ref() == Some(revision);
    let last = record.rolls.last().filter(|roll| ours(&roll.revision));
    let open = last.filter(|last| last.health.completed.is_none());
    if let Some(before) = open.and_then(|last| last.health.unready) {
        // What it has not brought back it may have broken.
        return Some(before.min(unready));
    }
    let busy = pods().any(|(pod, current)| !current || crashed_lately(pod, now));
    (!busy).then_some(unready)
}
