//! API types, as paths and objects name them.

use std::borrow::Cow;

/// A type of the Kubernetes API.
#[derive(Debug)]
pub struct ApiType {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version within the group.
    pub version: &'static str,
    /// `kind` of the objects.
    pub kind: &'static str,
    /// Name of the resource in paths and roles.
    pub plural: &'static str,
    /// Short names that kubectl takes.
    pub short_names: &'static [&'static str],
    /// Where its objects live.
    pub scope: Scope,
}

/// Where the objects of a type live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each in a namespace.
    Namespace,
    /// In the cluster, beside the namespaces.
    Cluster,
}

/// Pods.
pub const POD: ApiType = ApiType {
    group: "",
    version: "v1",
    kind: "Pod",
    plural: "pods",
    short_names: &["po"],
    scope: Scope::Namespace,
};

/// CronJobs, whose next runs have the content of their time.
pub const CRON_JOB: ApiType = ApiType {
    group: "batch",
    version: "v1",
    kind: "CronJob",
    plural: "cronjobs",
    short_names: &["cj"],
    scope: Scope::Namespace,
};

/// Namespaces.
pub const NAMESPACE: ApiType = ApiType {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    short_names: &["ns"],
    scope: Scope::Cluster,
};

/// ReplicaSets, which stand between a workload and its Pods.
pub const REPLICA_SET: ApiType = ApiType {
    group: "apps",
    version: "v1",
    kind: "ReplicaSet",
    plural: "replicasets",
    short_names: &["rs"],
    scope: Scope::Namespace,
};

/// ControllerRevisions, in which controllers keep earlier templates.
pub const CONTROLLER_REVISION: ApiType = ApiType {
    group: "apps",
    version: "v1",
    kind: "ControllerRevision",
    plural: "controllerrevisions",
    short_names: &[],
    scope: Scope::Namespace,
};

impl ApiType {
    /// `apiVersion` of the objects.
    #[must_use]
    pub fn api_version(&self) -> Cow<'static, str> {
        match self.group {
            "" => Cow::Borrowed(self.version),
            group => Cow::Owned(format!("{group}/{}", self.version)),
        }
    }

    /// Path of the objects of one namespace, or of all.
    #[must_use]
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        let version = self.api_version();
        match namespace {
            Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{}", self.plural),
            None => format!("/{root}/{version}/{}", self.plural),
        }
    }

    /// Name of one object's type, as kubectl shows it: `deployment`.
    #[must_use]
    pub fn singular(&self) -> String {
        self.kind.to_ascii_lowercase()
    }

    /// The same with the group: `deployment.apps`, `configmap`.
    #[must_use]
    pub fn qualified(&self) -> String {
        match self.group {
            "" => self.singular(),
            group => format!("{}.{group}", self.singular()),
        }
    }

    /// Whether kubectl knows the type by this name, in lower case: singular, plural or
    /// short, with the group or without.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let bare = match self.group {
            "" => name,
            group => name
                .strip_suffix(group)
                .and_then(|name| name.strip_suffix('.'))
                .unwrap_or(name),
        };
        bare == self.plural || bare == self.singular() || self.short_names.contains(&bare)
    }
}
