//! Who has one namespace gets at nothing of another through Projsync.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use testkit::{
    Operator, Result, Source, Space, cluster_policy, deployment, eventually, object, policy, secret,
};

use crate::env::{Env, Told as _};

/// The request is refused for want of a right.
fn ensure_forbidden<T>(result: Result<T>, what: &str) -> Result {
    let error = match result {
        Ok(_) => anyhow::bail!("{what} was allowed"),
        Err(error) => error,
    };
    let refused = matches!(
        error.downcast_ref::<kube::Error>(),
        Some(kube::Error::Api(status)) if status.code == 403
    );
    ensure!(refused, "{what}: {error:#}");
    Ok(())
}

/// All strings in a value.
fn strings(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => BTreeSet::from([text.clone()]),
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => BTreeSet::new(),
    }
}

async fn told_of_source(space: &Space, operator: &Operator, db: &Source) -> Result<bool> {
    let index = operator.index().await?;
    Ok(index.sources.contains_key(&space.key(db)))
}

#[tokio::test]
async fn who_edits_policies_in_one_namespace_gets_at_nothing_of_another() -> Result {
    let env = Env::spanning(2).await?;
    let (here, there) = (&env.spaces[0], &env.spaces[1]);
    let (db, free) = (
        secret("db").data("password", "of-there"),
        secret("free").data("password", "of-there"),
    );
    let web = deployment("web").uses(db.env("A", "password"));
    let managed = web.clone().label("managed", "yes");
    let unmanaged = deployment("free").uses(free.env("A", "password"));
    there
        .create_all(&[&policy("web").fast().label("managed", "yes"), &db, &free])
        .await?;
    for workload in [&managed, &unmanaged] {
        there.create(workload).await?;
        there.rolled_out(workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(1).await?;
    operator.caught_up(&[]).await?;
    let told = async || -> Result<Value> {
        let told = there.projection(&managed).await?;
        let told = told.context("no Projection")?;
        Ok(json!([told.spec, told.status]))
    };
    eventually("all is told", async || {
        Ok(told().await?[1]["lastInSync"].is_object().then_some(()))
    })
    .await?;
    let (before, asked) = (told().await?, env.requests()?.len());

    // Whatever a policy can say, and workloads that name what is there.
    let mallory = env.in_hands_of(here, "mallory", "edit").await?;
    let greedy = policy("web")
        .fast()
        .priority(i32::MAX)
        .with(
            "sources",
            json!({"include": [
                {"name": "*"}, {"name": format!("{}/db", there.namespace)},
                {"name": format!("../{}/*", there.namespace)},
            ]}),
        )
        .with(
            "workloads",
            json!({"selector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "DoesNotExist"},
            ]}}),
        );
    eventually("the role that edits policies is aggregated", async || {
        mallory.create(&greedy).await.map(Some)
    })
    .await?;
    mallory.create(&policy("stop").suspended(true)).await?;
    let named = web.clone().sync("web");
    mallory.create(&named).await?;
    let foreign = deployment("foreign").sync("there/web").uses(db.volume());
    mallory.create(&foreign).await?;
    operator.decided(&named, "SourceMissing").await?;
    let status = here.policy_status(&greedy).await?;
    ensure!(status.workloads <= 2, "{status:?}");

    // What no rights allow.
    let everywhere = cluster_policy(&format!("{}-all", here.namespace), &[&there.namespace]);
    ensure_forbidden(mallory.create(&everywhere).await, "a ClusterSyncPolicy")?;
    let mut elsewhere = mallory.clone();
    elsewhere.namespace.clone_from(&there.namespace);
    ensure_forbidden(elsewhere.create(&policy("more")).await, "a policy there")?;
    let theirs = object("projsync.dev/v1alpha1", "Projection", "deployment-web");
    ensure_forbidden(elsewhere.get(&theirs).await, "to read a Projection there")?;
    let status = json!({"status": {"lastInSync": null}});
    ensure_forbidden(
        mallory.merge(&theirs, status.clone()).await,
        "to forge a Projection",
    )?;
    ensure_forbidden(
        mallory
            .merge_status(&greedy, json!({"status": {"workloads": 0}}))
            .await,
        "to forge the status of a policy",
    )?;
    ensure!(told_of_source(here, &operator, &db).await?, "it looks here");

    // A Secret of the same name and content: all that happens, happens here. (Nothing
    // keeps the containers of these nodes from running without it, so they are old.)
    mallory.create(&db).await?;
    env.rolls(&named, 1).await?;
    here.rolled_out(&named).await?;
    let edit = mallory.set(&db, "password", "another").await?;
    env.rolls(&named, 2).await?;
    here.rolled_out(&named).await?;
    operator.caught_up(&[&edit]).await?;
    env.assert_only(&[(&named, 2)]).await?;

    ensure!(told().await? == before, "{:#}", told().await?);
    ensure!(there.revision(&managed).await?.is_none());
    ensure!(there.projection(&unmanaged).await?.is_none());
    let requests = env.requests()?;
    for request in &requests[asked..] {
        let there = request.namespace == there.namespace;
        let looked = ["list", "watch"].contains(&request.verb.as_str());
        ensure!(!there || looked, "{request:?}");
    }
    // Nor is anything said here of what is there.
    let mut said = strings(&json!(here.projection(&named).await?));
    for workload in [&named, &foreign] {
        for (reason, note) in here.events(workload).await? {
            said.extend([reason, note]);
        }
    }
    let tells = said.iter().find(|said| said.contains(&there.namespace));
    ensure!(tells.is_none(), "{tells:?}");
    Ok(())
}

/// Nobody learns by comparing: not of what another namespace has, nor by guesses of
/// their own, which need a Secret of the same name in a namespace of their own.
#[tokio::test]
async fn digests_of_one_namespace_tell_nothing_in_another() -> Result {
    let env = Env::spanning(2).await?;
    let db = secret("db").data("password", "1").data("user", "shop");
    let web = deployment("web")
        .uses(db.env("A", "password"))
        .uses(db.volume());
    for space in &env.spaces {
        space
            .create_all(&[&policy("fast").fast(), &db, &web])
            .await?;
        space.rolled_out(&web).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;
    let mut edits = Vec::new();
    for space in &env.spaces {
        edits.push(space.set(&db, "password", "2").await?);
    }
    operator.seen(&edits.iter().collect::<Vec<_>>()).await?;
    let mut told = Vec::new();
    for space in &env.spaces {
        let revision = eventually("it is rolled", async || space.revision(&web).await).await?;
        space.rolled_out(&web).await?;
        let status = eventually("all is told", async || {
            let projection = space.projection(&web).await?;
            let status = projection.and_then(|projection| projection.status);
            Ok(status.filter(|status| {
                status.rolls.len() == 1
                    && status
                        .last_in_sync
                        .as_ref()
                        .is_some_and(|last| !last.digests.is_empty())
            }))
        })
        .await?;
        let mut digests = BTreeSet::from([revision]);
        digests.extend(status.rolls.iter().map(|roll| roll.revision.clone()));
        for reference in &status.references {
            digests.extend(reference.key_digests.values().cloned());
            digests.extend(
                reference
                    .timeline
                    .iter()
                    .filter_map(|one| one.digest.clone()),
            );
        }
        digests.extend(
            status
                .last_in_sync
                .into_iter()
                .flat_map(|last| last.digests.into_values()),
        );
        // Two contents of two references, two keys, and the revision.
        ensure!(digests.len() >= 6, "{digests:?}");
        told.push(digests);
    }
    let both: Vec<_> = told[0].intersection(&told[1]).collect();
    ensure!(both.is_empty(), "equal in two namespaces: {both:?}");
    Ok(())
}
