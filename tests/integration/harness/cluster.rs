//! The control plane under test, with the custom resources and roles installed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use controlplane::{Action, Component, ControlPlane, Options};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{conditions, wait::await_condition};
use kube::{Client, Config};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::{Result, space};

/// A control plane.
pub(crate) struct Cluster {
    plane: ControlPlane,
}

impl Cluster {
    /// The one that most tests share. It ends with this process.
    pub(crate) async fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::own).await.cloned()
    }

    /// A new one. It ends when the last holder drops it.
    pub(crate) async fn own() -> Result<Arc<Self>> {
        let options = Options {
            audit: true,
            ..Options::default()
        };
        let plane = spawn_blocking(move || ControlPlane::start(&options)).await??;
        let cluster = Self { plane };
        cluster.install().await?;
        Ok(Arc::new(cluster))
    }

    /// An administrator's client, of this test's runtime.
    pub(crate) async fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// A client of this user, who may do what is bound to the name.
    pub(crate) async fn client_as(&self, user: &str) -> Result<Client> {
        let mut config = self.config().await?;
        config.auth_info.impersonate = Some(user.to_owned());
        Ok(Client::try_from(config)?)
    }

    async fn config(&self) -> Result<Config> {
        let kubeconfig = Kubeconfig::read_from(self.plane.kubeconfig())?;
        let options = KubeConfigOptions::default();
        Ok(Config::from_custom_kubeconfig(kubeconfig, &options).await?)
    }

    /// Stops, starts, kills, pauses or resumes a component. For a test's own only.
    pub(crate) async fn tell(self: &Arc<Self>, action: Action, component: Component) -> Result {
        let cluster = Arc::clone(self);
        Ok(spawn_blocking(move || cluster.plane.tell(action, component)).await??)
    }

    pub(crate) fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    pub(crate) fn audit_log(&self) -> Result<&Path> {
        self.plane.audit_log().context("no audit log")
    }

    async fn install(&self) -> Result {
        let client = self.client().await?;
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        for crd in projsync::api::crd::all() {
            let name = crd.metadata.name.clone().context("a CRD without a name")?;
            crds.create(&PostParams::default(), &crd).await?;
            await_condition(crds.clone(), &name, conditions::is_crd_established()).await?;
        }
        for manifest in manifests("config/rbac")? {
            if manifest["kind"] == "ClusterRole" {
                space::dynamic(&client, None, &manifest)?
                    .create(&PostParams::default(), &serde_json::from_value(manifest)?)
                    .await?;
            }
        }
        Ok(())
    }
}

/// The objects in the YAML files of a folder of the repository.
pub(crate) fn manifests(folder: &str) -> Result<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .with_context(|| folder.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text)
            .map_err(|error| anyhow!("{}: {error}", file.display()))?;
        found.extend(
            objects
                .into_iter()
                .filter(|object| object["kind"] != "Kustomization"),
        );
    }
    Ok(found)
}
