//! No byte of any Secret is told, and none is read that nobody asked for.

mod needles;
mod spoilt;

use anyhow::ensure;
use serde_json::json;
use testkit::{Object, Request, Result, deployment, eventually, object, policy, secret};

use self::needles::{Needles, value};
use crate::env::Env;
use crate::proxy::Proxy;

#[tokio::test]
async fn only_secrets_that_a_managed_workload_projects_are_read() -> Result {
    let env = Env::cluster_wide(2).await?;
    let (here, there) = (&env.spaces[0], &env.spaces[1]);
    let filled = |name: &str| secret(name).data("a", "1");
    let used = filled("used");
    let unused = [
        "unmanaged",
        "opted-out",
        "bare",
        "nobody",
        "unmounted",
        "pull",
    ]
    .map(filled);
    let [unmanaged, opted_out, bare, _, unmounted, pull] = &unused;
    let managed = deployment("managed")
        .label("managed", "yes")
        .uses(used.volume())
        .uses(unmounted.volume().unmounted());
    let mut workloads = vec![
        managed.clone(),
        deployment("free").uses(unmanaged.volume()),
        deployment("out")
            .label("managed", "yes")
            .sync("false")
            .uses(opted_out.env("A", "a")),
    ];
    let more = ["second", "third"].map(|name| {
        deployment(name)
            .label("managed", "yes")
            .uses(used.env("A", "a"))
            .uses(used.volume())
    });
    workloads.extend(more);
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"},
        "spec": {
            "imagePullSecrets": [{"name": pull.name()}],
            "containers": [{"name": "main", "image": "app:1",
                "envFrom": [{"secretRef": {"name": bare.name()}}]}],
        },
    });
    for space in [here, there] {
        for source in unused.iter().chain([&used]) {
            space.create(source).await?;
        }
    }
    here.create_all(&[&policy("fast").fast().label("managed", "yes"), &bare])
        .await?;
    for workload in &workloads {
        here.create(workload).await?;
    }
    for workload in &workloads {
        here.rolled_out(workload).await?;
    }
    // The other namespace has no policy.
    there.create(&managed).await?;
    there.rolled_out(&managed).await?;

    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(3).await?;
    let index = operator.index().await?;
    let known: Vec<&String> = index.sources.keys().collect();
    ensure!(known == [&here.key(&used)], "{known:?}");

    for space in [here, there] {
        for source in &unused {
            space.set(source, "a", "2").await?;
        }
    }
    // What is not in the index can't be waited for: this comes after it.
    let before = env.requests()?.len();
    let edit = here.set(&used, "a", "2").await?;
    let rolled = [&managed, &workloads[3], &workloads[4]];
    for workload in rolled {
        env.rolls(workload, 1).await?;
        here.rolled_out(workload).await?;
    }
    operator.caught_up(&[&edit]).await?;
    operator.all_in_sync(3).await?;
    eventually("all is written", async || {
        let queues = operator.queues().await?;
        let left: Vec<_> = queues
            .values()
            .filter(|queue| !queue.idle || queue.delayed > 0)
            .collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(Some(()))
    })
    .await?;
    env.assert_only(&rolled.map(|workload| (workload, 1)))
        .await?;

    // Never read: neither at the start nor for a change.
    let requests = env.requests()?;
    for request in requests
        .iter()
        .filter(|request| request.resource == "secrets")
    {
        let fine = match request.verb.as_str() {
            "get" => {
                (&*request.namespace, &*request.name) == (&*here.namespace, "used")
                    || (&*request.namespace, &*request.name)
                        == (&*env.home.namespace, "projsync-digest-key")
            }
            "create" => request.namespace == env.home.namespace,
            verb => ["list", "watch"].contains(&verb) && request.name.is_empty(),
        };
        ensure!(fine, "{request:?}");
    }
    // Listed and watched by their metadata alone.
    let mut lists = 0;
    for passed in proxy.passed() {
        let path = passed.path.split('?').next().unwrap_or_default();
        if ["/secrets", "/configmaps"]
            .iter()
            .any(|kind| path.ends_with(kind))
        {
            lists += 1;
            ensure!(
                passed.accept.contains("as=PartialObjectMetadata"),
                "{passed:?}"
            );
        }
    }
    ensure!(lists >= 4, "{lists} lists and watches");

    // What the one change cost.
    let cost = |resource: &str, verb: &str| {
        let asked = |request: &&Request| request.resource == resource && request.verb == verb;
        requests[before..].iter().filter(asked).count()
    };
    ensure!(cost("secrets", "get") == 1 && cost("configmaps", "get") == 0);
    ensure!(cost("deployments", "patch") == 3, "a patch a workload");
    ensure!(cost("events", "create") == 3 && cost("events", "patch") == 0);
    ensure!(cost("deployments", "get") == 0 && cost("pods", "get") == 0);
    let lists = requests[before..]
        .iter()
        .filter(|request| request.verb == "list")
        .count();
    ensure!(lists == 0, "{lists} lists");
    // The roll, that it is over, and up to when all is known of its Pods.
    let written = cost("projections", "patch");
    ensure!(
        (3..=9).contains(&written),
        "{written} writes of Projections"
    );
    ensure!(cost("projections", "get") == 0);
    Ok(())
}

#[tokio::test]
async fn a_debug_line_of_a_refused_key_holds_nothing_of_it() -> Result {
    let env = Env::new().await?;
    let mut needles = Needles::default();
    let bad = value(99);
    needles.add(bad.as_bytes());
    let key = secret("projsync-digest-key").data("key", &bad);
    env.home.create(&key).await?;
    let mut operator = env.replica(&["--log-level=trace"]).await?;
    operator.spawn()?;
    let status = operator.ends().await?;
    ensure!(!status.success(), "it goes on with a key that is none");
    let log = operator.log()?;
    ensure!(log.contains("projsync-digest-key"), "{log}");
    needles.assert_not_in("the log", &log)?;
    // Only read, never overwritten.
    ensure!(
        env.home
            .exists(&object("v1", "Secret", "projsync-digest-key"))
            .await?
    );
    ensure!(env.writes()?.is_empty());
    Ok(())
}
