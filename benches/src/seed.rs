//! Fills the cluster.

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use testkit::Space;

use crate::fleet::Fleet;
use crate::manifests::{self, BARE, BURST, SHARED};
use crate::progress::Progress;
use crate::scale::Scale;

/// How many requests are under way.
const AT_ONCE: usize = 32;

/// How many bytes of a Secret etcd takes, nearly.
const LARGE: usize = 1_000_000;

/// Creates everything and waits until every Pod runs.
pub(crate) async fn fill(space: &Space, scale: Scale, progress: &Progress) -> Result<Fleet> {
    for policy in manifests::policies() {
        space.create(&policy).await?;
    }
    let sources = sources(scale);
    create_all(space, progress, "ConfigMaps and Secrets", &sources).await?;
    let fleet = Fleet::watch(space.client.clone());
    let deployments = deployments(scale);
    create_all(space, progress, "Deployments", &deployments).await?;
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
    space: &Space,
    progress: &Progress,
    what: &str,
    objects: &[Value],
) -> Result<()> {
    let step = progress.step(format!("creating {} {what}", objects.len()), objects.len());
    let created = stream::iter(objects)
        .map(|object| space.create(object))
        .buffer_unordered(AT_ONCE);
    let count = created.try_fold(0, async |done, _| {
        step.at(done);
        Ok(done + 1)
    });
    count.await.map(drop)
}
