//! A leader that can't reach the API server any more, or reaches it late.

use anyhow::ensure;
use http::Method;
use testkit::{Edit, Result, config_map, deployment, eventually, policy, until};

use super::{Fleet, SHORT_LEASE, in_turn};
use crate::env::{Env, Told as _};
use crate::proxy::{Act, Passed, Proxy};

#[tokio::test]
async fn a_leader_that_is_cut_off_is_replaced_and_comes_back_as_a_standby() -> Result {
    let env = Env::new().await?;
    let fleet = Fleet::create(&env, 12).await?;
    let count = fleet.all().count();
    let proxy = Proxy::start(&env.cluster).await?;
    let mut leader = env.behind(&proxy, &SHORT_LEASE).await?;
    leader.start().await?;
    leader.all_in_sync(count).await?;
    let standby = env.operator(&SHORT_LEASE).await?;
    standby.all_in_sync(count).await?;

    let cut = async {
        env.rolls(&fleet.pairs[1].1, 1).await?;
        proxy.close().await;
        anyhow::Ok(())
    };
    let (edits, cut) = tokio::join!(fleet.stream(&env), cut);
    cut?;
    let edits: Vec<Edit> = edits?;
    let edits: Vec<&Edit> = edits.iter().collect();
    for (_, workload) in &fleet.pairs {
        env.rolls(workload, 1).await?;
    }
    ensure!(env.leader().await? == Some(standby.identity.clone()));
    until("it knows that it leads no more", Some(0.0), async || {
        leader.sample("projsync_leader").await
    })
    .await?;

    proxy.open().await?;
    leader.caught_up(&edits).await?;
    let told = format!(
        "[+]lease ok: standing by, the lease is held by {}",
        standby.identity
    );
    eventually("it stands by", async || {
        let (code, text) = leader.probe("/readyz").await?;
        ensure!(code == 200 && text.contains(&told), "{code}: {text}");
        Ok(Some(()))
    })
    .await?;
    for (_, workload) in fleet.all() {
        env.rolled_out(workload).await?;
    }
    standby.caught_up(&edits).await?;
    standby.all_in_sync(count).await?;
    for ((_, workload), edit) in fleet.pairs.iter().zip(edits.iter().step_by(2)) {
        env.assert_started_after(workload, edit).await?;
    }
    let busy = &fleet.busy.1;
    let pairs = fleet.pairs.iter().map(|(_, workload)| (workload, 1));
    let rolls: Vec<_> = pairs.chain([(busy, env.roll_count(busy)?)]).collect();
    env.assert_only(&rolls).await?;
    ensure!(in_turn(&env, &leader, &standby)?);
    Ok(())
}

/// The writes of the replaced leader that are on their way still: all are refused.
#[tokio::test]
async fn what_a_replaced_leader_had_sent_lands_over_nothing() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "0");
    let web = deployment("web").uses(app.volume());
    let other = deployment("other").uses(config_map("none").volume());
    env.create_all(&[
        &policy("fast").fast(),
        &config_map("none"),
        &app,
        &web,
        &other,
    ])
    .await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&other).await?;
    let proxy = Proxy::start(&env.cluster).await?;
    let patient = [&SHORT_LEASE[..], &["--write-timeout=2m"]].concat();
    let mut leader = env.behind(&proxy, &patient).await?;
    leader.start().await?;
    leader.all_in_sync(2).await?;
    let standby = env.operator(&SHORT_LEASE).await?;
    standby.all_in_sync(2).await?;
    let total = async || {
        let told = env.projection(&other).await?.and_then(|told| told.status);
        anyhow::Ok(told.map(|status| status.pods.total))
    };
    until("all is told", Some(1), total).await?;

    // A roll and a Projection are sent, and stay on the way; so does the Lease then.
    let before = proxy.passed().len();
    let hold = |lease: bool| {
        proxy.rule(move |request| {
            let path = request.uri.path();
            let late = path.contains("/deployments/") || path.contains("/projections/");
            let lease = lease && path.contains("/leases");
            match request.method == Method::PATCH && late {
                true => Act::HoldOnTheWay,
                false if lease => Act::Hold,
                false => Act::Pass,
            }
        });
    };
    hold(false);
    let late = |path: &str| -> Option<Passed> {
        let mut passed = proxy.passed().into_iter().skip(before);
        passed.find(|passed| passed.method == "PATCH" && passed.path.contains(path))
    };
    const ROLL: &str = "/deployments/web?";
    const PROJECTION: &str = "/projections/deployment-other?";
    env.set(&app, "a", "1").await?;
    env.scale(&other, 2).await?;
    eventually("both are on their way", async || {
        Ok((late(ROLL).is_some() && late(PROJECTION).is_some()).then_some(()))
    })
    .await?;
    hold(true);

    // The next leader makes both, and more.
    env.rolls(&web, 1).await?;
    env.rolled_out(&web).await?;
    let edit = env.set(&app, "a", "2").await?;
    env.rolls(&web, 2).await?;
    env.rolled_out(&web).await?;
    env.scale(&other, 3).await?;
    env.rolled_out(&other).await?;
    until("all is told", Some(3), total).await?;
    standby.caught_up(&[&edit]).await?;
    let state = async || {
        let web = env.get(&web).await?["metadata"]["resourceVersion"].clone();
        let told = env
            .projection(&other)
            .await?
            .map(|told| told.metadata.resource_version);
        anyhow::Ok((web, told))
    };
    let standing = state().await?;

    proxy.rule(|_| Act::Pass);
    for path in [ROLL, PROJECTION] {
        until(format!("{path} is answered"), Some(Some(409)), async || {
            Ok(late(path).map(|passed| passed.code))
        })
        .await?;
    }
    leader.caught_up(&[&edit]).await?;
    ensure!(state().await? == standing, "something landed");
    env.assert_only(&[(&web, 2)]).await?;
    ensure!(in_turn(&env, &leader, &standby)?);
    Ok(())
}
