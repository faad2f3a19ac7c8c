//! Rights that are partly there: what can't be listed is told and left out, the rest goes
//! on, and it is taken in once it can be listed.

use anyhow::{Context as _, ensure};
use testkit::{
    Operator, Result, Space, Workload, config_map, deployment, eventually, policy, secret, until,
};

use crate::env::{Env, ROLES, Told as _};
use crate::proxy::Proxy;

const MANAGER: &str = ROLES[0];
const SECRETS: &str = ROLES[1];

/// Waits until the decision about a workload has this reason; gives its sentence.
async fn decided(
    operator: &Operator,
    space: &Space,
    workload: &Workload,
    reason: &str,
) -> Result<String> {
    let key = space.key(workload);
    eventually(format!("{key} is {reason}"), async || {
        let index = operator.index().await?;
        let seen = index.workloads.get(&key).context("it is not managed")?;
        ensure!(seen.reason.as_deref() == Some(reason), "{seen:?}");
        Ok(Some(seen.message.clone().unwrap_or_default()))
    })
    .await
}

/// How many watches of a kind are left out.
async fn left_out(operator: &Operator, kind: &str) -> Result<f64> {
    let sample = format!("projsync_watches_left_out{{kind=\"{kind}\"}}");
    operator.sample(&sample).await?.context("no such metric")
}

/// The operator is ready, and says that it lacks this.
async fn ready_without(operator: &Operator, watches: &[&str]) -> Result {
    let (code, text) = operator.probe("/readyz").await?;
    ensure!(code == 200, "{code}: {text}");
    for watch in watches {
        let told = format!("[+]watch/{watch} ok: left out: list failed: 403 Forbidden: ");
        ensure!(text.contains(&told), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_whose_rights_are_gone_stops_no_other() -> Result {
    let env = Env::spanning(2).await?;
    let (here, there) = (&env.spaces[0], &env.spaces[1]);
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.env("A", "a"));
    for space in [here, there] {
        space
            .create_all(&[&policy("fast").fast(), &app, &web])
            .await?;
        space.rolled_out(&web).await?;
    }
    let mut operator = env.operator(&[]).await?;
    operator.all_in_sync(2).await?;
    operator.caught_up(&[]).await?;
    operator.stop().await?;

    env.revoke(there, MANAGER).await?;
    env.revoke(there, SECRETS).await?;
    operator.start().await?;
    let watch = format!("Pod in {}", there.namespace);
    ready_without(&operator, &[&watch]).await?;
    ensure!(left_out(&operator, "Pod").await? == 1.0);
    let edits = [
        here.set(&app, "a", "2").await?,
        there.set(&app, "a", "2").await?,
    ];
    env.rolls(&web, 1).await?;
    here.rolled_out(&web).await?;
    operator.seen(&[&edits[0]]).await?;
    here.assert_started_after(&web, &edits[0]).await?;
    ensure!(!env.roll_counts()?.contains_key(&there.key(&web)));

    // Granted again, without a restart: what was edited meanwhile is rolled, once.
    env.grant(there, MANAGER).await?;
    env.grant(there, SECRETS).await?;
    eventually("it is rolled there", async || {
        Ok(env
            .roll_counts()?
            .contains_key(&there.key(&web))
            .then_some(()))
    })
    .await?;
    there.rolled_out(&web).await?;
    operator.all_in_sync(2).await?;
    there.assert_started_after(&web, &edits[1]).await?;
    let counts = env.roll_counts()?;
    ensure!(counts.values().all(|count| *count == 1), "{counts:?}");
    until("nothing is left out", 0.0, async || {
        left_out(&operator, "Secret").await
    })
    .await
}

#[tokio::test]
async fn config_maps_can_be_had_without_secrets() -> Result {
    let env = Env::new().await?;
    let (app, db) = (
        config_map("app").data("a", "1"),
        secret("db").data("p", "1"),
    );
    let web = deployment("web").uses(app.env("A", "a"));
    let store = deployment("store")
        .uses(app.env("A", "a"))
        .uses(db.env("P", "p"));
    env.create_all(&[&policy("fast").fast(), &app, &db, &web, &store])
        .await?;
    for workload in [&web, &store] {
        env.rolled_out(workload).await?;
    }
    env.revoke(&env, SECRETS).await?;
    let operator = env.operator(&[]).await?;
    ready_without(&operator, &[&format!("Secret in {}", env.namespace)]).await?;
    operator.decided(&web, "InSync").await?;
    let told = decided(&operator, &env, &store, "NotListed").await?;
    let wanted = format!(
        "The operator may not list and watch secrets in namespace {}. Grant its service account the role projsync-secrets there.",
        env.namespace
    );
    ensure!(told == wanted, "{told}");
    until("an Event says so", true, async || {
        let events = env.events(&store).await?;
        Ok(events.contains(&("NotListed".to_owned(), wanted.clone())))
    })
    .await?;
    until("its Projection says so", Some(wanted.clone()), async || {
        let status = env.projection(&store).await?.and_then(|found| found.status);
        let decision = status.and_then(|status| status.decision);
        Ok(decision.map(|decision| decision.message))
    })
    .await?;

    let edit = env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    operator.seen(&[&edit]).await?;
    decided(&operator, &env, &store, "NotListed").await?;
    ensure!(env.roll_count(&store)? == 0);

    env.grant(&env, SECRETS).await?;
    env.rolls(&store, 1).await?;
    env.rolled_out(&store).await?;
    operator.all_in_sync(2).await
}

/// A watch that goes on is ended by the API server after a while, and denied then.
#[tokio::test]
async fn a_right_that_is_taken_away_is_missed_and_taken_in_again() -> Result {
    let env = Env::new().await?;
    let (app, db) = (
        config_map("app").data("a", "1"),
        secret("db").data("p", "1"),
    );
    let web = deployment("web").uses(app.env("A", "a"));
    let store = deployment("store").uses(db.env("P", "p"));
    env.create_all(&[&policy("fast").fast(), &app, &db, &web, &store])
        .await?;
    for workload in [&web, &store] {
        env.rolled_out(workload).await?;
    }
    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(2).await?;

    env.revoke(&env, SECRETS).await?;
    proxy.cut().await?;
    decided(&operator, &env, &store, "NotListed").await?;
    let edits = [
        env.set(&db, "p", "2").await?,
        env.set(&app, "a", "2").await?,
    ];
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    ensure!(env.roll_count(&store)? == 0);

    env.grant(&env, SECRETS).await?;
    env.rolls(&store, 1).await?;
    env.rolled_out(&store).await?;
    operator.seen(&[&edits[0], &edits[1]]).await?;
    env.assert_started_after(&store, &edits[0]).await?;
    operator.all_in_sync(2).await
}
