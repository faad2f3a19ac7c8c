//! What can't be listed: why, and what has to be granted.

use kube::Resource;

use crate::api::policy::ClusterSyncPolicy;
use crate::cluster::watch::Denial;
use crate::kinds::{NAMESPACE, SourceKind};

/// Says so in sentences.
pub(super) fn sentence<K: Resource>(
    kind: &K::DynamicType,
    namespace: Option<&str>,
    denial: Denial,
) -> String {
    let mut resource = K::plural(kind).into_owned();
    let group = K::group(kind);
    if !group.is_empty() {
        resource = format!("{resource}.{group}");
    }
    match denial {
        Denial::Forbidden => {
            let (here, there) = match namespace {
                Some(namespace) => (format!(" in namespace {namespace}"), " there"),
                None => (String::new(), ""),
            };
            let role = role(&K::kind(kind));
            format!(
                "The operator may not list and watch {resource}{here}. Grant its service account the role {role}{there}."
            )
        }
        Denial::UnknownType => {
            format!("The API server does not know {resource}. Install the definition.")
        }
    }
}

/// The role of `config/rbac` that grants it.
fn role(kind: &str) -> &'static str {
    match kind {
        kind if kind == SourceKind::SECRET.as_str() => "projsync-secrets",
        kind if kind == NAMESPACE.kind || kind == <ClusterSyncPolicy as Resource>::kind(&()) => {
            "projsync-cluster"
        }
        _ => "projsync-manager",
    }
}
