//! A test's own namespaces, and the operator's account in them.
//!
//! ```ignore
//! #[tokio::test]
//! async fn a_changed_key_rolls() -> Result {
//!     let env = Env::new().await?;                      // namespaces, service account, RBAC
//!     let app = config_map("app").data("a", "1").data("b", "1");
//!     let web = deployment("web").uses(app.volume().items(&["a"]));
//!     env.create_all(&[&policy("fast").fast(), &app, &web]).await?;
//!     env.rolled_out(&web).await?;
//!     let operator = env.operator(&[]).await?;          // the real binary, ready
//!     operator.decided(&web, "InSync").await?;
//!
//!     let edit = env.set(&app, "b", "2").await?;        // an edit, with its resourceVersion
//!     operator.caught_up(&[&edit]).await?;              // it was seen, read, and all work is done,
//!     env.assert_only(&[]).await?;                      // so that "nothing happened" means something
//!
//!     env.set(&app, "a", "2").await?;
//!     env.rolls(&web, 1).await?;                        // waits for it
//!     operator.decided(&web, "InSync").await?;
//!     env.assert_only(&[(&web, 1)]).await               // one roll, and nothing else was written
//! }
//! ```
//!
//! Most tests share a control plane: they make no Nodes on it, and no cluster-wide policy
//! without `namespaces`. [`Env::own`] brings one of its own, to stop parts of it.
//! `KEEP_LOGS=<folder>` keeps the operators' logs there; `OPERATOR_LOG_LEVEL` sets their
//! level (info).

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{bail, ensure};
use kube::{Api, Client};
use parking_lot::Mutex;
use projsync::api::names;
use projsync::api::policy::PolicyStatus;
use projsync::api::projection::{Projection, ProjectionStatus};
use projsync::kinds::WorkloadKind;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{
    ACCOUNT, Access, Audit, Cluster, DEFINITIONS, Object as _, Operator, Policy, Request, Result,
    Space, Workload, eventually, manifests, object, owned_by, until,
};
use tokio::sync::OnceCell;

use crate::proxy::Proxy;

/// Its roles of `config/rbac`: bound in each namespace that it watches, or in all.
pub(crate) const ROLES: [&str; 2] = ["projsync-manager", "projsync-secrets"];

/// Its role for what has no namespace.
const CLUSTER_ROLE: &str = "projsync-cluster";

/// Arguments for a short handover: a dead leader is replaced within about two seconds.
pub(crate) const QUICK_LEASE: [&str; 6] = [
    "--lease-duration=2s",
    "--lease-renew-deadline=1500ms",
    "--lease-retry-period=300ms",
    "--write-timeout=5s",
    "--requests-per-second=0",
    "--concurrency=8",
];

/// What the operator may own of a workload, as managedFields have it.
const OWNED: &str =
    r#"{"f:spec":{"f:template":{"f:metadata":{"f:annotations":{"f:projsync.dev/revision":{}}}}}}"#;

/// A test's own namespaces, and the operator's account in them.
pub(crate) struct Env {
    pub(crate) cluster: Arc<Cluster>,
    /// The namespaces that the operator is for.
    pub(crate) spaces: Vec<Space>,
    /// The namespace of its lease, key and service account.
    pub(crate) home: Space,
    /// Whether the operator watches all namespaces.
    cluster_wide: bool,
    folder: TempDir,
    audit: Mutex<Audit>,
}

impl Deref for Env {
    type Target = Space;

    /// The first namespace.
    fn deref(&self) -> &Space {
        &self.spaces[0]
    }
}

impl Env {
    /// One namespace on the shared control plane.
    pub(crate) async fn new() -> Result<Self> {
        Self::spanning(1).await
    }

    /// Several namespaces on the shared control plane.
    pub(crate) async fn spanning(namespaces: usize) -> Result<Self> {
        Self::on(shared().await?, namespaces, false).await
    }

    /// One namespace on a control plane of its own, whose parts may be stopped.
    pub(crate) async fn own() -> Result<Self> {
        Self::on(installed().await?, 1, false).await
    }

    /// Several namespaces on a control plane of its own, and an operator that
    /// watches all there are.
    pub(crate) async fn cluster_wide(namespaces: usize) -> Result<Self> {
        Self::on(installed().await?, namespaces, true).await
    }

    async fn on(cluster: Arc<Cluster>, namespaces: usize, cluster_wide: bool) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let client = cluster.client().await?;
        let folder = tempfile::tempdir()?;
        let space = |namespace: String| Space {
            client: client.clone(),
            namespace,
            kubectl: cluster.kubectl(),
        };
        let spaces = (0..namespaces).map(|which| space(format!("test-{number}-{which}")));
        let spaces = spaces.collect();
        let home = space(format!("test-{number}-operator"));
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", home.namespace);
        let audit = Mutex::new(Audit::follow(cluster.audit_log()?.to_owned(), user)?);
        let env = Self {
            spaces,
            home,
            cluster_wide,
            folder,
            audit,
            cluster,
        };
        env.make_namespaces().await?;
        env.make_account().await?;
        Ok(env)
    }

    async fn make_namespaces(&self) -> Result {
        for space in self.spaces.iter().chain([&self.home]) {
            space
                .create(&object("v1", "Namespace", &space.namespace))
                .await?;
        }
        for space in &self.spaces {
            let account = object("v1", "ServiceAccount", "default");
            eventually("the default service account", async || {
                Ok(space.exists(&account).await?.then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// The account, with the rules of `config/rbac`.
    async fn make_account(&self) -> Result {
        let home = &self.home;
        home.create(&object("v1", "ServiceAccount", ACCOUNT))
            .await?;
        for mut role in manifests("config/rbac")? {
            if role["kind"] == "Role" {
                role["metadata"]["namespace"] = json!(home.namespace);
                home.create(&role).await?;
                home.create(&self.binding("Role", &role.name())).await?;
            }
        }
        self.bind_everywhere(CLUSTER_ROLE).await?;
        for role in ROLES {
            if self.cluster_wide {
                self.bind_everywhere(role).await?;
                continue;
            }
            for space in &self.spaces {
                self.grant(space, role).await?;
            }
        }
        Ok(())
    }

    /// Binds one of its [`ROLES`] in a namespace.
    pub(crate) async fn grant(&self, space: &Space, role: &str) -> Result {
        space.create(&self.binding("ClusterRole", role)).await?;
        Ok(())
    }

    /// Takes that away again.
    pub(crate) async fn revoke(&self, space: &Space, role: &str) -> Result {
        space.delete(&self.binding("ClusterRole", role)).await?;
        Ok(())
    }

    async fn bind_everywhere(&self, role: &str) -> Result {
        let mut binding = self.binding("ClusterRole", role);
        binding["kind"] = json!("ClusterRoleBinding");
        binding["metadata"]["name"] = json!(format!("{role}-{}", self.home.namespace));
        self.create(&binding).await?;
        Ok(())
    }

    fn binding(&self, kind: &str, role: &str) -> Value {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.home.namespace}],
        })
    }

    /// Starts an operator and waits until it is ready.
    ///
    /// Several are replicas of one: they share the lease. Shorten its durations
    /// for a test of handover with [`QUICK_LEASE`](super::operator::QUICK_LEASE).
    pub(crate) async fn operator(&self, arguments: &[&str]) -> Result<Operator> {
        let mut operator = self.replica(arguments).await?;
        operator.start().await?;
        Ok(operator)
    }

    /// An operator that has not been started.
    pub(crate) async fn replica(&self, arguments: &[&str]) -> Result<Operator> {
        let access = self.cluster.access(&self.home.namespace).await?;
        self.with_access(&access, arguments)
    }

    /// An operator that has not been started, and reaches the API server only so.
    pub(crate) async fn behind(&self, proxy: &Proxy, arguments: &[&str]) -> Result<Operator> {
        let access = self.cluster.access(&self.home.namespace).await?;
        let authority = proxy.authority.as_ref();
        let access = Access {
            server: proxy.url.clone(),
            ca: authority.map_or(access.ca, |authority| authority.file.clone()),
            ..access
        };
        self.with_access(&access, arguments)
    }

    fn with_access(&self, access: &Access, more: &[&str]) -> Result<Operator> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("operator-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let level = std::env::var("OPERATOR_LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
        let mut arguments = vec![
            format!("--operator-namespace={}", self.home.namespace),
            format!("--identity={name}"),
            "--log-format=text".to_owned(),
        ];
        if !more.iter().any(|one| one.starts_with("--log-level")) {
            arguments.push(format!("--log-level={level}"));
        }
        if !self.cluster_wide {
            let names: Vec<&str> = self.spaces.iter().map(|one| &*one.namespace).collect();
            arguments.push(format!("--namespaces={}", names.join(",")));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let arguments = [&arguments, more].concat();
        let binary = env!("CARGO_BIN_EXE_projsync").into();
        let (folder, spaces) = (self.folder.path(), self.spaces.clone());
        let mut operator = Operator::new(binary, folder, &name, access, spaces, &arguments)?;
        if let Some(folder) = std::env::var_os("KEEP_LOGS") {
            operator.log = PathBuf::from(folder).join(format!("{}-{name}.log", self.namespace));
        }
        Ok(operator)
    }

    /// Puts another token in place of an operator's, as the kubelet does. Gives the one
    /// before.
    pub(crate) async fn renew_token(&self, operator: &Operator) -> Result<String> {
        let old = std::fs::read_to_string(operator.token())?;
        let access = self.cluster.access(&self.home.namespace).await?;
        std::fs::write(operator.token(), access.token)?;
        Ok(old)
    }

    /// Another client of the operator's account: what it may do.
    pub(crate) async fn account_client(&self) -> Result<Client> {
        let file = self.folder.path().join("account.kubeconfig");
        self.cluster
            .access(&self.home.namespace)
            .await?
            .write(&file)?;
        testkit::client(&file, None).await
    }

    /// One of the namespaces in the hands of somebody who has this ClusterRole there,
    /// and no right anywhere else.
    pub(crate) async fn in_hands_of(&self, space: &Space, user: &str, role: &str) -> Result<Space> {
        let user = format!("{user}-{}", space.namespace);
        space
            .create(&json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": user},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }))
            .await?;
        Ok(Space {
            client: self.cluster.client_as(&user).await?,
            ..space.clone()
        })
    }

    /// All requests of the operator's account so far, refused ones too.
    pub(crate) fn requests(&self) -> Result<Vec<Request>> {
        Ok(self.audit.lock().requests()?.to_vec())
    }

    /// All writes of the operator's account that were accepted.
    pub(crate) fn writes(&self) -> Result<Vec<Request>> {
        let mut requests = self.requests()?;
        requests.retain(|request| request.is_write() && request.succeeded());
        Ok(requests)
    }

    /// Who holds the lease; `None` where it was given up.
    pub(crate) async fn leader(&self) -> Result<Option<String>> {
        let lease = object("coordination.k8s.io/v1", "Lease", "projsync");
        let holder = self.home.get(&lease).await?["spec"]["holderIdentity"].clone();
        Ok(holder
            .as_str()
            .filter(|holder| !holder.is_empty())
            .map(str::to_owned))
    }

    /// Has a Pod of a workload get ready, whatever its `ready_after` says.
    pub(crate) async fn gets_ready(&self, workload: &Workload) -> Result {
        eventually("a Pod", async || {
            let pods = self.pods(workload).await?;
            let name = pods.into_iter().find_map(|pod| pod.metadata.name);
            let Some(name) = name else { return Ok(None) };
            let ready = json!({"status": {"phase": "Running",
                "conditions": [{"type": "Ready", "status": "True",
                    "lastTransitionTime": "2020-01-01T00:00:00Z"}],
                "containerStatuses": [{"name": "main", "image": "app:1", "imageID": "",
                    "ready": true, "restartCount": 0, "started": true,
                    "state": {"running": {"startedAt": "2020-01-01T00:00:00Z"}}}]}});
            self.merge_status(&object("v1", "Pod", &name), ready)
                .await?;
            Ok(Some(()))
        })
        .await
    }

    /// How often each workload was patched so far, by `<kind> <namespace>/<name>`.
    /// As the operator patches nothing but the revision, these are its rolls.
    pub(crate) fn roll_counts(&self) -> Result<BTreeMap<String, usize>> {
        let mut counts = BTreeMap::new();
        for write in self.writes()? {
            if let Some(kind) = workload_kind(&write.resource) {
                let key = format!("{kind} {}/{}", write.namespace, write.name);
                *counts.entry(key).or_default() += 1;
            }
        }
        Ok(counts)
    }

    /// How often a workload was rolled so far.
    pub(crate) fn roll_count(&self, workload: &Workload) -> Result<usize> {
        Ok(self
            .roll_counts()?
            .get(&self.key(workload))
            .copied()
            .unwrap_or(0))
    }

    /// Waits until a workload has been rolled so often; more is an error.
    #[track_caller]
    pub(crate) fn rolls(&self, workload: &Workload, count: usize) -> impl Future<Output = Result> {
        let key = self.key(workload);
        let looked = eventually(format!("{count} rolls of {key}"), async move || match self
            .roll_count(workload)?
        {
            seen if seen >= count => Ok(Some(seen)),
            seen => bail!("{seen}"),
        });
        async move {
            let seen = looked.await?;
            ensure!(seen == count, "{key} was rolled {seen} times, not {count}");
            Ok(())
        }
    }

    /// Asserts that the operator has rolled these workloads so often, no other,
    /// and that it has written nothing else than what is its own.
    ///
    /// Let its queues run empty before ([`Operator::caught_up`]).
    pub(crate) async fn assert_only(&self, rolls: &[(&Workload, usize)]) -> Result {
        let wanted: BTreeMap<String, usize> = rolls
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(workload, count)| (self.key(*workload), *count))
            .collect();
        self.assert_nothing_else()?;
        let counts = self.roll_counts()?;
        ensure!(counts == wanted, "rolls: wanted {wanted:?}, saw {counts:?}");
        self.assert_owns_revisions_only().await
    }

    /// Asserts that the operator wrote nothing but what is its own, and that
    /// nothing was refused for want of a right.
    pub(crate) fn assert_nothing_else(&self) -> Result {
        let requests = self.requests()?;
        for request in &requests {
            ensure!(
                !request.is_write() || self.is_own(request),
                "the operator must not: {request:?}"
            );
            let fine = match request.code {
                // An API server that starts knows no roles yet, and forbids everything.
                403 => requests
                    .iter()
                    .any(|other| is_allowed(other) && ask_the_same(request, other)),
                // Gone meanwhile; another version or another leader; an API server
                // that starts or stops.
                404 | 409 | 500.. => true,
                _ => request.succeeded() || !request.is_write(),
            };
            ensure!(fine, "the operator was refused: {request:?}");
        }
        Ok(())
    }

    fn is_own(&self, request: &Request) -> bool {
        let home = request.namespace == self.home.namespace;
        let here = self.cluster_wide
            || self
                .spaces
                .iter()
                .any(|space| space.namespace == request.namespace);
        match (request.resource.as_str(), request.verb.as_str()) {
            ("deployments" | "statefulsets" | "daemonsets" | "syncpolicies/status", "patch") => {
                here
            }
            ("projections", "patch" | "delete") => here,
            ("events", "create" | "patch") => here || request.namespace == "default",
            ("clustersyncpolicies/status", "patch") => true,
            ("leases", "create" | "update") | ("secrets", "create") => home,
            _ => false,
        }
    }

    /// Asserts by the workloads' managedFields that the operator owns at most
    /// the one annotation.
    async fn assert_owns_revisions_only(&self) -> Result {
        let owned: Value = serde_json::from_str(OWNED)?;
        for space in &self.spaces {
            for kind in ["Deployment", "StatefulSet", "DaemonSet"] {
                for workload in space.all(&object("apps/v1", kind, "")).await? {
                    for fields in owned_by(&workload, "projsync") {
                        ensure!(*fields == owned, "{}: {fields}", workload.name());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether it was not for want of a right or of a working API server that it failed, if it
/// did.
fn is_allowed(request: &Request) -> bool {
    request.code < 500 && ![0, 401, 403].contains(&request.code)
}

/// Whether the same rule grants both.
fn ask_the_same(one: &Request, other: &Request) -> bool {
    (&one.verb, &one.resource, &one.namespace) == (&other.verb, &other.resource, &other.namespace)
}

/// The control plane that most tests share. It ends with this process.
async fn shared() -> Result<Arc<Cluster>> {
    static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
    SHARED.get_or_try_init(installed).await.cloned()
}

/// A new one, with the definitions and roles of Projsync. It ends when the last holder
/// drops it.
async fn installed() -> Result<Arc<Cluster>> {
    let cluster = Cluster::start().await?;
    for arguments in DEFINITIONS {
        cluster.kubectl().run(arguments).await?;
    }
    let space = cluster.space("default").await?;
    for manifest in manifests("config/rbac")? {
        if manifest["kind"] == "ClusterRole" {
            space.create(&manifest).await?;
        }
    }
    Ok(Arc::new(cluster))
}

/// Refers to a workload's Projection.
pub(crate) fn projection_of(workload: &Workload) -> Result<Value> {
    let kind: WorkloadKind = serde_json::from_value(json!(workload.kind().as_str()))?;
    let name = names::projection_name(kind, &workload.name());
    Ok(object("projsync.dev/v1alpha1", "Projection", &name))
}

/// What the operator says of objects in a namespace.
pub(crate) trait Told {
    /// A workload's Projection, where there is one.
    async fn projection(&self, workload: &Workload) -> Result<Option<Projection>>;

    /// Waits until a workload's Projection says this.
    async fn reported<T: Debug + PartialEq>(
        &self,
        workload: &Workload,
        want: T,
        look: impl Fn(&ProjectionStatus) -> T,
    ) -> Result;

    /// Waits until the operator has taken in the newest version of a policy, and gives what
    /// it then says of it.
    async fn policy_status(&self, policy: &Policy) -> Result<PolicyStatus>;
}

impl Told for Space {
    /// A workload's Projection, where there is one.
    async fn projection(&self, workload: &Workload) -> Result<Option<Projection>> {
        let api: Api<Projection> = Api::namespaced(self.client.clone(), &self.namespace);
        Ok(api.get_opt(&projection_of(workload)?.name()).await?)
    }

    /// Waits until a workload's Projection says this.
    async fn reported<T: Debug + PartialEq>(
        &self,
        workload: &Workload,
        want: T,
        look: impl Fn(&ProjectionStatus) -> T,
    ) -> Result {
        let what = format!("the Projection of {}", self.key(workload));
        until(what, Some(want), async || {
            let projection = self.projection(workload).await?;
            Ok(projection.and_then(|one| one.status).as_ref().map(&look))
        })
        .await
    }

    /// Waits until the operator has taken in the newest version of a policy, and
    /// gives what it then says of it.
    async fn policy_status(&self, policy: &Policy) -> Result<PolicyStatus> {
        let what = format!("the status of {}", self.key(policy));
        eventually(what, async || {
            let found = self.get(policy).await?;
            let status: PolicyStatus = serde_json::from_value(found["status"].clone())?;
            let generation = found["metadata"]["generation"].as_i64();
            Ok((status.observed_generation == generation).then_some(status))
        })
        .await
    }
}

fn workload_kind(resource: &str) -> Option<&'static str> {
    match resource {
        "deployments" => Some("Deployment"),
        "statefulsets" => Some("StatefulSet"),
        "daemonsets" => Some("DaemonSet"),
        _ => None,
    }
}
