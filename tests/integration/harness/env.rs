//! A test's own namespaces, and the operator's account in them.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::audit::{Audit, ask_the_same, is_allowed, is_write};
use super::space::owned_by;
use super::{
    Cluster, Object, Operator, Proxy, Request, Result, Space, Workload, eventually, manifests,
    object,
};

/// The operator's service account in its namespace.
const ACCOUNT: &str = "projsync";

/// Its roles of `config/rbac`: bound in each namespace that it watches, or in all.
const ROLES: [&str; 2] = ["projsync-manager", "projsync-secrets"];

/// Its role for what has no namespace.
const CLUSTER_ROLE: &str = "projsync-cluster";

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
    pub(super) cluster_wide: bool,
    pub(super) folder: TempDir,
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
        Self::on(Cluster::shared().await?, namespaces, false).await
    }

    /// One namespace on a control plane of its own, whose parts may be stopped.
    pub(crate) async fn own() -> Result<Self> {
        Self::on(Cluster::own().await?, 1, false).await
    }

    /// Several namespaces on a control plane of its own, and an operator that
    /// watches all there are.
    pub(crate) async fn cluster_wide(namespaces: usize) -> Result<Self> {
        Self::on(Cluster::own().await?, namespaces, true).await
    }

    async fn on(cluster: Arc<Cluster>, namespaces: usize, cluster_wide: bool) -> Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let client = cluster.client().await?;
        let folder = tempfile::tempdir()?;
        let plane = cluster.plane();
        let space = |namespace: String| Space {
            client: client.clone(),
            namespace,
            kubectl: vec![
                plane.kubectl(),
                plane.kubeconfig().to_owned(),
                folder.path().join("kubectl-cache"),
            ],
        };
        let mut spaces = Vec::new();
        for which in 0..namespaces.max(1) {
            spaces.push(space(format!("test-{number}-{which}")));
        }
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
                space.create(&self.binding("ClusterRole", role)).await?;
            }
        }
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
        let plane = self.cluster.plane();
        Operator::new(self, plane.server(), plane.ca(), arguments).await
    }

    /// An operator that has not been started, and reaches the API server only so.
    pub(crate) async fn behind(&self, proxy: &Proxy, arguments: &[&str]) -> Result<Operator> {
        let authority = proxy.authority.as_ref();
        let ca = authority.map_or(self.cluster.plane().ca(), |authority| &authority.file);
        Operator::new(self, &proxy.url, ca, arguments).await
    }

    /// A token of the operator's account.
    async fn token(&self) -> Result<String> {
        let accounts: Api<ServiceAccount> =
            Api::namespaced(self.home.client.clone(), &self.home.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: Vec::new(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(ACCOUNT, &PostParams::default(), &request)
            .await?;
        Ok(answer.status.context("no token")?.token)
    }

    /// Puts another token in place of an operator's, as the kubelet does. Gives the one
    /// before.
    pub(crate) async fn renew_token(&self, operator: &Operator) -> Result<String> {
        let old = std::fs::read_to_string(operator.token())?;
        std::fs::write(operator.token(), self.token().await?)?;
        Ok(old)
    }

    /// A kubeconfig of the operator's account, with a token in a file beside it, and what
    /// the audit log calls that.
    pub(super) async fn credentials(&self, file: &Path, server: &str, ca: &Path) -> Result<String> {
        let token = self.token().await?;
        let token_file = file.with_extension("token");
        std::fs::write(&token_file, &token)?;
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster":
                {"server": server, "certificate-authority": ca}}],
            "users": [{"name": "test", "user": {"tokenFile": token_file}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        std::fs::write(file, kubeconfig.to_string())?;
        let claims = token.split('.').nth(1).context("the token is no JWT")?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        Ok(format!(
            "JTI={}",
            claims["jti"].as_str().unwrap_or_default()
        ))
    }

    /// Another client of the operator's account: what it may do.
    pub(crate) async fn account_client(&self) -> Result<Client> {
        let file = self.folder.path().join("account.kubeconfig");
        let plane = self.cluster.plane();
        self.credentials(&file, plane.server(), plane.ca()).await?;
        let kubeconfig = Kubeconfig::read_from(&file)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(Client::try_from(config)?)
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
        requests.retain(|request| is_write(request) && request.succeeded());
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
                !is_write(request) || self.is_own(request),
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
                _ => request.succeeded() || !is_write(request),
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

fn workload_kind(resource: &str) -> Option<&'static str> {
    match resource {
        "deployments" => Some("Deployment"),
        "statefulsets" => Some("StatefulSet"),
        "daemonsets" => Some("DaemonSet"),
        _ => None,
    }
}
