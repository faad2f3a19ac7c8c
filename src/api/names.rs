//! Names that Projsync reserves.

use sha2::{Digest, Sha256};

use crate::kinds::WorkloadKind;

/// API group of the custom resources.
pub const GROUP: &str = "projsync.dev";

/// Version of the custom resources.
pub const VERSION: &str = "v1alpha1";

/// Field manager of everything that Projsync writes.
pub const FIELD_MANAGER: &str = "projsync";

/// Annotation on a Pod template that names the content its Pods are to start with. Only
/// Projsync writes it; a new value rolls the workload.
pub const REVISION_ANNOTATION: &str = "projsync.dev/revision";

/// Annotation on a workload, written by its owner: `"true"` (manage it under the policy
/// that selects it, or the defaults), `"false"` (never manage it), or the name of a
/// policy.
pub const SYNC_ANNOTATION: &str = "projsync.dev/sync";

/// Label on each object that Projsync creates.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "projsync";

/// Maximum length of an object's name (a DNS subdomain), in bytes.
const MAX_NAME: usize = 253;

/// Name of a workload's [`Projection`](crate::api::Projection) in its namespace:
/// `<kind>-<name>` in lower case.
///
/// If that is too long for a name, it is cut and ends in a hash of the whole.
#[must_use]
pub fn projection_name(kind: WorkloadKind, workload: &str) -> String {
    let name = format!("{}-{workload}", kind.as_str().to_ascii_lowercase());
    if name.len() <= MAX_NAME {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let hash: String = digest[..10]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = &name[..name.floor_char_boundary(MAX_NAME - hash.len() - 1)];
    // A name's part may not end in these.
    format!("{}-{hash}", kept.trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_is_named_after_its_workload() {
        assert_eq!(
            projection_name(WorkloadKind::DEPLOYMENT, "web.shop"),
            "deployment-web.shop"
        );
        assert_eq!(
            projection_name(WorkloadKind::STATEFUL_SET, "db"),
            "statefulset-db"
        );
    }

    #[test]
    fn a_long_name_is_cut_and_told_from_others() {
        let long = "a".repeat(253);
        let other = format!("{}b", "a".repeat(252));
        let name = projection_name(WorkloadKind::DEPLOYMENT, &long);
        assert_eq!(name.len(), 253);
        assert_eq!(name, projection_name(WorkloadKind::DEPLOYMENT, &long));
        assert_ne!(name, projection_name(WorkloadKind::DEPLOYMENT, &other));
        assert_ne!(
            projection_name(WorkloadKind::STATEFUL_SET, &long),
            projection_name(WorkloadKind::DAEMON_SET, &long)
        );
        assert_eq!(
            projection_name(WorkloadKind::DAEMON_SET, &"a".repeat(243)).len(),
            253
        );
    }

    #[test]
    fn a_cut_leaves_a_valid_name() {
        for dots in 215..235 {
            let name = format!("{}.{}", "a".repeat(dots), "b".repeat(252 - dots));
            let cut = projection_name(WorkloadKind::DEPLOYMENT, &name);
            assert!(cut.len() <= 253 && !cut.contains(".-"), "{cut}");
        }
    }
}
