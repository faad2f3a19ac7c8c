//! One handover after the other, while everything changes.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::coordination::v1::Lease;
use projsync::api::names::REVISION_ANNOTATION;
use serde_json::json;
use testkit::{Edit, Operator, Result, Source, Workload, config_map, deployment, policy, until};
use tokio::sync::watch;
use tokio::time::{Instant, interval};

use super::PACE;
use crate::env::{Env, QUICK_LEASE};

const HANDOVERS: usize = 20;

/// So many workloads; each is edited once in as many paces.
const WORKLOADS: usize = 8;

/// Edits one source after the other until told to stop; gives the last edit of each, and
/// how many there were.
async fn stream(
    env: &Env,
    fleet: &[(Source, Workload)],
    stop: watch::Receiver<bool>,
) -> Result<Vec<(Edit, usize)>> {
    let mut edits = BTreeMap::new();
    let mut pace = interval(PACE);
    for number in 0.. {
        let which = number % fleet.len();
        // All have had as many when it ends.
        if which == 0 && *stop.borrow() {
            break;
        }
        pace.tick().await;
        let round = number / fleet.len() + 1;
        let edit = env.set(&fleet[which].0, "a", &round.to_string()).await?;
        edits.insert(which, (edit, round));
    }
    Ok(edits.into_values().collect())
}

/// Every fifth leader is killed, the others are stopped; each comes back as a standby.
async fn hand_over(env: &Env, replicas: &mut [Operator; 2], stop: watch::Sender<bool>) -> Result {
    for number in 1..=HANDOVERS {
        let leader = env.leader().await?.context("nobody leads")?;
        let [first, second] = &mut *replicas;
        let (leads, next) = match first.identity == leader {
            true => (first, second),
            false => (second, first),
        };
        match number % 5 {
            0 => leads.kill()?,
            _ => leads.stop().await?,
        }
        until("the other leads", Some(next.identity.clone()), async || {
            env.leader().await
        })
        .await?;
        leads.start().await?;
    }
    stop.send_replace(true);
    Ok(())
}

#[tokio::test]
async fn twenty_handovers_in_a_row_in_a_stream_of_changes() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let fleet: Vec<_> = (0..WORKLOADS)
        .map(|number| {
            let source = config_map(&format!("app-{number}")).data("a", "0");
            // All that ever was stays to be looked at.
            let workload = deployment(&format!("web-{number}"))
                .uses(source.volume())
                .with("revisionHistoryLimit", json!(1000));
            (source, workload)
        })
        .collect();
    for (source, workload) in &fleet {
        env.create_all(&[source, workload]).await?;
    }
    for (_, workload) in &fleet {
        env.rolled_out(workload).await?;
    }
    let (stop, stopped) = watch::channel(false);
    let mut replicas = [
        env.operator(&QUICK_LEASE).await?,
        env.operator(&QUICK_LEASE).await?,
    ];
    for replica in &replicas {
        replica.all_in_sync(WORKLOADS).await?;
    }
    let begun = Instant::now();
    let (edits, ()) = tokio::try_join!(
        stream(&env, &fleet, stopped),
        hand_over(&env, &mut replicas, stop),
    )?;
    println!("{HANDOVERS} handovers in {:.1?}", begun.elapsed());

    let [last, _] = &replicas;
    let newest: Vec<&Edit> = edits.iter().map(|(edit, _)| edit).collect();
    last.caught_up(&newest).await?;
    for (_, workload) in &fleet {
        env.rolled_out(workload).await?;
    }
    last.all_in_sync(WORKLOADS).await?;
    // Nothing missed.
    for ((_, workload), (edit, _)) in fleet.iter().zip(&edits) {
        env.assert_started_after(workload, edit).await?;
    }
    // Nothing twice: a revision that comes again gets a counter.
    let mut rolls = Vec::new();
    for ((_, workload), (_, edits)) in fleet.iter().zip(&edits) {
        let count = env.roll_count(workload)?;
        ensure!(
            (1..=*edits).contains(&count),
            "{count} rolls for {edits} edits"
        );
        rolls.push((workload, count));
    }
    let counts: Vec<_> = rolls.iter().map(|(_, count)| count).collect();
    println!("{counts:?} rolls for {} edits each", edits[0].1);
    for set in env.list::<ReplicaSet>().await? {
        let template = set.spec.and_then(|spec| spec.template);
        let annotations = template.and_then(|template| template.metadata?.annotations);
        let revision = annotations.and_then(|mut all| all.remove(REVISION_ANNOTATION));
        let parts = revision
            .as_ref()
            .map_or(3, |revision| revision.split('.').count());
        ensure!(parts == 3, "{revision:?} was rolled twice");
    }
    env.assert_only(&rolls).await?;
    let lease = env.home.list::<Lease>().await?.remove(0);
    let transitions = lease.spec.and_then(|spec| spec.lease_transitions);
    ensure!(
        transitions >= Some(HANDOVERS as i32),
        "{transitions:?} handovers"
    );
    Ok(())
}
