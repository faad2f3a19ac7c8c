//! The spec of a policy, as JSON, or a duration as text.

use projsync::api::Duration;
use projsync::api::policy::{ClusterSyncPolicySpec, SyncPolicySpec};
use projsync::core::policy::{Candidate, CompiledPolicy, Labels, Policies, PolicyId, Selected};
use projsync::kinds::{SourceKind, WorkloadKind};

/// A policy is compiled or says in words why not; a duration that is read is written
/// so that it reads the same.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match text.parse::<Duration>() {
        Ok(duration) => assert_eq!(duration.to_string().parse(), Ok(duration)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(spec) = serde_json::from_str::<SyncPolicySpec>(text) {
        let id = PolicyId::namespaced("ns", "policy");
        select(&id, CompiledPolicy::namespaced(&id, &spec));
    }
    if let Ok(spec) = serde_json::from_str::<ClusterSyncPolicySpec>(text) {
        let id = PolicyId::cluster("policy");
        select(&id, CompiledPolicy::cluster(&id, &spec));
    }
}

fn select(id: &PolicyId, policy: Result<CompiledPolicy, projsync::core::policy::PolicyError>) {
    if let Err(error) = &policy {
        assert!(!error.to_string().is_empty());
    }
    let valid = policy.is_ok();
    let mut policies = Policies::default();
    policies.apply(id, policy);
    let labels: Labels = [("app".to_owned(), "web".to_owned())].into();
    let selected = policies.select(&Candidate {
        kind: WorkloadKind::DEPLOYMENT,
        namespace: "ns",
        namespace_labels: Some(&labels),
        labels: &labels,
        sync: None,
    });
    if let Selected::Managed(policy) = selected {
        assert!(valid && !policy.why.is_empty());
        let _ = policy.sources.admits(SourceKind::SECRET, "name");
    }
}
