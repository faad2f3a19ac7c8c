//! Fills the cluster.

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::manifests::{self, BARE, BURST, NAMESPACE, SHARED};
use crate::progress::Progress;
use crate::scale::Scale;

/// How many requests are under way.
const AT_ONCE: usize = 32;

/// How many bytes of a Secret etcd takes, nearly.
const LARGE: usize = 1_000_000;

/// Creates everything and waits until every Pod runs.
pub(crate) async fn fill(client: &Client, scale: Scale, progress: &Progress) -> Result<Fleet> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    create(client, None, &namespace).await?;
    for policy in manifests::policies() {
        create(client, Some(NAMESPACE), &policy).await?;
    }
    let sources = sources(scale);
    create_all(client, progress, "ConfigMaps and Secrets", &sources).await?;
    let fleet = Fleet::watch(client.clone());
    let deployments = deployments(scale);
    create_all(client, progress, "Deployments", &deployments).await?;
    let step = progress.step("Pods start", deployments.len());
    fleet
        .all_rolled_out(deployments.len(), |done| step.at(done))
        .await?;
    Ok(fleet)
}

fn sources(scale: Scale) -> Vec<Value> {
    let named = [SHARED, BURST, BARE];
    let mut sources: Vec<Value> = named.into_iter().map(manifests::config_map).collect();
    let shared = scale.narrow_fan_outs().map(manifests::shared_by);
    sources.extend(shared.map(|name| manifests::config_map(&name)));
    let config_maps = (0..scale.config_maps).map(manifests::name);
    sources.extend(config_maps.map(|name| manifests::config_map(&name)));
    let secrets = (0..scale.secrets).map(manifests::name);
    sources.extend(secrets.map(|name| manifests::secret(&name, 2 << 10)));
    let unused = (0..scale.unused_secrets).map(manifests::unused);
    sources.extend(unused.map(|name| manifests::secret(&name, 8 << 10)));
    let large = (0..scale.large_secrets).map(manifests::large);
    sources.extend(large.map(|name| manifests::secret(&name, LARGE)));
    sources
}

/// Those that Projsync manages, and one that it doesn't.
fn deployments(scale: Scale) -> Vec<Value> {
    let secret = |number: usize| match number < scale.large_secrets_used {
        true => manifests::large(number),
        false => manifests::name(number % scale.secrets),
    };
    let singles = (0..scale.singles).map(|number| {
        let config_map = manifests::name(number % scale.config_maps);
        let name = manifests::name(number);
        manifests::deployment(&name, scale.replicas, &config_map, &secret(number), &[])
    });
    let shared = (0..scale.fan_out).map(|number| {
        let name = manifests::shared_user(number);
        let more = scale.narrow_fan_outs().filter(|width| number < *width);
        let more: Vec<String> = more.map(manifests::shared_by).collect();
        manifests::deployment(&name, scale.replicas, SHARED, &secret(number), &more)
    });
    let named = [BURST, BARE];
    let named =
        named.map(|name| manifests::deployment(name, scale.replicas, name, &secret(0), &[]));
    singles.chain(shared).chain(named).collect()
}

async fn create_all(
    client: &Client,
    progress: &Progress,
    what: &str,
    objects: &[Value],
) -> Result<()> {
    let step = progress.step(format!("creating {} {what}", objects.len()), objects.len());
    let created = stream::iter(objects)
        .map(|object| create(client, Some(NAMESPACE), object))
        .buffer_unordered(AT_ONCE);
    let count = created.try_fold(0, async |done, ()| {
        step.at(done);
        Ok(done + 1)
    });
    count.await.map(drop)
}

async fn create(client: &Client, namespace: Option<&str>, object: &Value) -> Result<()> {
    let field = |name: &str| object[name].as_str().unwrap_or_default();
    let (group, version) = field("apiVersion")
        .split_once('/')
        .unwrap_or(("", field("apiVersion")));
    let kind = GroupVersionKind::gvk(group, version, field("kind"));
    let plural = match field("kind") {
        "SyncPolicy" => "syncpolicies".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let resource = ApiResource::from_gvk_with_plural(&kind, &plural);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let created = api
        .create(
            &PostParams::default(),
            &serde_json::from_value(object.clone())?,
        )
        .await;
    let name = || format!("creating {} {}", field("kind"), object["metadata"]["name"]);
    created.with_context(name)?;
    Ok(())
}
