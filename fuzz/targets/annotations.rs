//! A workload, as JSON, with whatever annotations and labels → whether it is managed.

use kube::Resource as _;
use projsync::cluster::views::{AnyWorkload, View};
use projsync::core::history::record::base_of;
use projsync::core::policy::{Candidate, Policies, Selected};
use projsync::kinds::WorkloadKind;
use serde_json::Value;

/// Whatever it is, it can be decoded; and without a policy only `projsync.dev/sync` as
/// exactly `true` has it managed.
pub fn run(input: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let view: View<AnyWorkload> = serde_json::from_value(json.clone()).unwrap();
    let _ = view.meta().name.as_deref();
    let Ok(view) = view.object else {
        return;
    };
    let workload = view.of(WorkloadKind::DEPLOYMENT);
    if let Some(revision) = &workload.template.revision {
        assert!(revision.starts_with(base_of(revision)));
    }
    let selected = Policies::default().select(&Candidate {
        kind: WorkloadKind::DEPLOYMENT,
        namespace: "ns",
        namespace_labels: None,
        labels: &workload.labels,
        sync: workload.sync.as_deref(),
    });
    let asked = json["metadata"]["annotations"]["projsync.dev/sync"] == "true";
    assert_eq!(matches!(selected, Selected::Managed(_)), asked);
}
