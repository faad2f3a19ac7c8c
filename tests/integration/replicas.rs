//! Several replicas: one writes. One goes: nothing is missed, nothing is done twice.

mod cut_off;
mod many;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::events::v1::Event;
use projsync::api::names::REVISION_ANNOTATION;
use projsync::api::projection::Projection;
use serde_json::json;
use testkit::{
    Edit, Operator, Request, Result, Source, Workload, WorkloadKind, config_map, deployment,
    eventually, policy, secret, until,
};
use tokio::time::interval;

use crate::env::{Env, Told as _, projection_of};

/// The lease duration of [`SHORT_LEASE`].
const LEASE: Duration = Duration::from_secs(4);

/// A lease that is short, and long enough for a machine with more to do.
const SHORT_LEASE: [&str; 3] = [
    "--lease-duration=4s",
    "--lease-renew-deadline=3s",
    "--lease-retry-period=500ms",
];

/// After a leader went, and where it is dead its lease has lapsed, the next one's
/// first roll comes within this.
const TAKEOVER: Duration = Duration::from_secs(2);

/// Time between two edits of a stream.
const PACE: Duration = Duration::from_millis(100);

/// How a leader goes.
#[derive(Clone, Copy)]
enum End {
    /// SIGTERM: it gives the lease up.
    Stop,
    /// SIGKILL: the lease has to lapse.
    Kill,
    /// SIGSTOP: the lease lapses, and later it wakes up.
    Sleep,
}

/// Workloads with a ConfigMap each, and one whose ConfigMap changes all the time.
struct Fleet {
    pairs: Vec<(Source, Workload)>,
    busy: (Source, Workload),
}

impl Fleet {
    async fn create(env: &Env, count: usize) -> Result<Self> {
        let pair = |name: &str| {
            let source = config_map(&format!("{name}-config")).data("a", "0");
            let workload = deployment(name).uses(source.volume());
            (source, workload)
        };
        let fleet = Self {
            pairs: (0..count)
                .map(|number| pair(&format!("web-{number}")))
                .collect(),
            busy: pair("busy"),
        };
        env.create(&policy("fast").fast()).await?;
        for (source, workload) in fleet.all() {
            env.create_all(&[source, workload]).await?;
        }
        for (_, workload) in fleet.all() {
            env.rolled_out(workload).await?;
        }
        Ok(fleet)
    }

    fn all(&self) -> impl Iterator<Item = &(Source, Workload)> {
        self.pairs.iter().chain([&self.busy])
    }

    /// Edits each ConfigMap once, and the busy one each time.
    async fn stream(&self, env: &Env) -> Result<Vec<Edit>> {
        let mut edits = Vec::new();
        let mut pace = interval(PACE);
        for (number, (source, _)) in self.pairs.iter().enumerate() {
            pace.tick().await;
            edits.push(env.set(source, "a", "1").await?);
            edits.push(
                env.set(&self.busy.0, "a", &format!("{}", number + 1))
                    .await?,
            );
        }
        Ok(edits)
    }
}

/// The accepted writes of a replica, less those of the lease.
fn writes_of(env: &Env, operator: &Operator) -> Result<Vec<Request>> {
    let mut writes = env.writes()?;
    writes.retain(|write| write.credential == operator.credential && write.resource != "leases");
    Ok(writes)
}

#[tokio::test]
async fn one_of_two_writes() -> Result {
    let env = Env::new().await?;
    let (app, db) = (
        config_map("app").data("a", "1"),
        secret("db").data("a", "1"),
    );
    env.create_all(&[&policy("fast").fast(), &app, &db]).await?;
    let kinds = [
        WorkloadKind::Deployment,
        WorkloadKind::StatefulSet,
        WorkloadKind::DaemonSet,
    ];
    let workloads = kinds.map(|kind| {
        let name = kind.as_str().to_lowercase();
        Workload::new(kind, &name)
            .uses(app.volume())
            .uses(db.env("A", "a"))
    });
    for workload in &workloads {
        env.create(workload).await?;
        env.rolled_out(workload).await?;
    }
    let leader = env.operator(&[]).await?;
    leader.all_in_sync(3).await?;
    let standby = env.operator(&[]).await?;
    // It reads and decides like the leader: its caches are warm.
    standby.all_in_sync(3).await?;

    for (round, source) in [&app, &db, &app].into_iter().enumerate() {
        let edit = env.set(source, "a", &format!("{}", round + 2)).await?;
        for workload in &workloads {
            env.rolls(workload, round + 1).await?;
            env.rolled_out(workload).await?;
        }
        leader.caught_up(&[&edit]).await?;
        standby.caught_up(&[&edit]).await?;
        leader.all_in_sync(3).await?;
        standby.all_in_sync(3).await?;
    }
    let rolls: Vec<_> = workloads.iter().map(|workload| (workload, 3)).collect();
    env.assert_only(&rolls).await?;

    ensure!(env.leader().await? == Some(leader.identity.clone()));
    let writes = env.writes()?;
    let by = |operator: &Operator| {
        writes
            .iter()
            .filter(|write| write.credential == operator.credential)
            .count()
    };
    ensure!(
        by(&leader) == writes.len() && !writes.is_empty(),
        "{writes:?}"
    );
    ensure!(by(&standby) == 0, "{writes:?}");
    let events: Vec<Event> = env.list().await?;
    let instances: BTreeSet<_> = events
        .into_iter()
        .filter(|event| event.reporting_controller.as_deref() == Some("projsync.dev/projsync"))
        .map(|event| event.reporting_instance)
        .collect();
    ensure!(
        instances == BTreeSet::from([Some(leader.identity.clone())]),
        "{instances:?}"
    );
    ensure!(leader.sample("projsync_leader").await? == Some(1.0));
    ensure!(standby.sample("projsync_leader").await? == Some(0.0));
    Ok(())
}

/// The leader goes in the middle of a stream of changes.
async fn handover(end: End) -> Result {
    let env = Env::new().await?;
    let fleet = Fleet::create(&env, 16).await?;
    let count = fleet.all().count();
    let mut leader = env.operator(&SHORT_LEASE).await?;
    leader.all_in_sync(count).await?;
    let standby = env.operator(&SHORT_LEASE).await?;
    standby.all_in_sync(count).await?;
    let before = env.leader().await?;
    ensure!(before == Some(leader.identity.clone()), "{before:?} leads");

    let go = async {
        env.rolls(&fleet.pairs[1].1, 1).await?;
        let went = Timestamp::now();
        match end {
            End::Stop => leader.stop().await?,
            End::Kill => leader.kill()?,
            End::Sleep => leader.pause()?,
        }
        anyhow::Ok(went)
    };
    let (edits, went) = tokio::join!(fleet.stream(&env), go);
    let went = went?;
    let edits: Vec<Edit> = edits?;
    let last = edits.last().expect("there are edits");

    for (_, workload) in &fleet.pairs {
        env.rolls(workload, 1).await?;
    }
    standby.caught_up(&edits.iter().collect::<Vec<_>>()).await?;
    until(
        "the other leads",
        Some(standby.identity.clone()),
        async || env.leader().await,
    )
    .await?;
    if matches!(end, End::Sleep) {
        leader.resume()?;
        leader.caught_up(&edits.iter().collect::<Vec<_>>()).await?;
        until("it notices", true, async || {
            Ok(leader.log()?.contains("no longer leading"))
        })
        .await?;
    }
    for (_, workload) in fleet.all() {
        env.rolled_out(workload).await?;
    }
    standby.all_in_sync(count).await?;

    // Nothing missed: each has the last content of its source.
    for ((_, workload), edit) in fleet.pairs.iter().zip(edits.iter().step_by(2)) {
        env.assert_started_after(workload, edit).await?;
    }
    let busy = &fleet.busy.1;
    env.assert_started_after(busy, last).await?;
    // Nothing twice.
    let often = env.roll_count(busy)?;
    let mut rolls: Vec<_> = fleet
        .pairs
        .iter()
        .map(|(_, workload)| (workload, 1))
        .collect();
    rolls.push((busy, often));
    env.assert_only(&rolls).await?;
    ensure!(
        (1..=fleet.pairs.len()).contains(&often),
        "{often} rolls of {}",
        fleet.pairs.len()
    );
    assert_no_content_twice(&env, busy, often).await?;
    // Both have done some of it, and the second only after the first.
    let rolled = |writes: Vec<Request>| writes.iter().any(|write| write.resource == "deployments");
    ensure!(rolled(writes_of(&env, &leader)?) && rolled(writes_of(&env, &standby)?));
    ensure!(in_turn(&env, &leader, &standby)?);
    let within = match end {
        End::Stop => TAKEOVER,
        End::Kill | End::Sleep => LEASE + TAKEOVER,
    };
    let took = first_roll(&env, &standby)?.duration_since(went);
    println!("the first roll came {took:#} after the leader went");
    ensure!(took.unsigned_abs() <= within, "{took:#}, not {within:?}");
    Ok(())
}

/// When the first roll of a replica reached the API server.
fn first_roll(env: &Env, operator: &Operator) -> Result<Timestamp> {
    let writes = writes_of(env, operator)?.into_iter();
    let mut rolls = writes.filter(|write| write.resource == "deployments");
    Ok(rolls.next().context("no roll")?.received)
}

/// Whether all rolls of the first came before all of the second.
fn in_turn(env: &Env, first: &Operator, second: &Operator) -> Result<bool> {
    let mut rolls = env.writes()?;
    rolls.retain(|write| write.resource == "deployments");
    let by_second = |write: &Request| write.credential == second.credential;
    let began = rolls.iter().position(by_second).unwrap_or(rolls.len());
    Ok(rolls[began..].iter().all(by_second)
        && rolls[..began]
            .iter()
            .all(|write| write.credential == first.credential))
}

/// Each roll was to another content: a digest that comes again gets a counter.
async fn assert_no_content_twice(env: &Env, workload: &Workload, rolls: usize) -> Result {
    let sets: Vec<ReplicaSet> = env.list().await?;
    let revisions: Vec<String> = sets
        .into_iter()
        .filter(|set| {
            let labels = set.metadata.labels.as_ref();
            labels
                .and_then(|labels| labels.get("app"))
                .map(String::as_str)
                == Some(workload.label_value())
        })
        .filter_map(|set| {
            let template = set.spec?.template?;
            template.metadata?.annotations?.remove(REVISION_ANNOTATION)
        })
        .collect();
    ensure!(revisions.len() == rolls, "{rolls} rolls: {revisions:?}");
    let digests: BTreeSet<_> = revisions
        .iter()
        .map(|revision| revision.split('.').take(3).collect::<Vec<_>>())
        .collect();
    ensure!(digests.len() == rolls, "{rolls} rolls: {revisions:?}");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_stops_hands_over_in_a_stream_of_changes() -> Result {
    handover(End::Stop).await
}

#[tokio::test]
async fn a_leader_that_is_killed_is_replaced_in_a_stream_of_changes() -> Result {
    handover(End::Kill).await
}

#[tokio::test]
async fn a_leader_that_wakes_up_late_does_nothing_more() -> Result {
    handover(End::Sleep).await
}

/// The last write of a leader that was replaced may come after those of the next.
#[tokio::test]
async fn a_projection_that_is_written_over_is_written_again() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.volume());
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    let told = async || {
        let status = env.projection(&web).await?.and_then(|told| told.status);
        let status = status.context("no status yet")?;
        let synced = status.last_in_sync.map(|last| last.digests);
        Ok((status.decision.map(|last| last.reason), synced))
    };
    let before = eventually("its Projection", async || match told().await? {
        (reason, Some(digests)) => Ok(Some((reason, Some(digests)))),
        (_, None) => Ok(None),
    })
    .await?;
    let projection = projection_of(&web)?;
    let late = json!({"status": {"lastInSync": null, "decision": {"reason": "SourceNotRead"}}});
    env.merge(&projection, late).await?;
    until("it is as before", before, async || told().await).await?;
    operator.caught_up(&[]).await?;
    env.assert_only(&[]).await
}

#[tokio::test]
async fn stops_in_the_middle_of_work_and_goes_on_where_it_was() -> Result {
    const COUNT: usize = 16;
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    env.create_all(&[&policy("fast").fast(), &app]).await?;
    let fleet: Vec<_> = (0..COUNT)
        .map(|number| deployment(&format!("web-{number}")).uses(app.volume()))
        .collect();
    for workload in &fleet {
        env.create(workload).await?;
    }
    for workload in &fleet {
        env.rolled_out(workload).await?;
    }
    // So slow that there is a middle.
    let slow = ["--concurrency=1", "--requests-per-second=4"];
    let mut operator = env.operator(&slow).await?;
    operator.all_in_sync(COUNT).await?;
    // What it knew before is stored: without it a workload is seen for the first time.
    until("Projections", COUNT, async || {
        Ok(env.list::<Projection>().await?.len())
    })
    .await?;
    let rolled = || -> Result<usize> { Ok(env.roll_counts()?.values().sum()) };

    env.set(&app, "a", "2").await?;
    until("the first rolls", true, async || Ok(rolled()? >= 1)).await?;
    operator.stop().await?;
    let middle = rolled()?;
    ensure!(middle < COUNT, "all {COUNT} were rolled before it stopped");
    ensure!(env.leader().await?.is_none(), "the lease was not given up");
    let writes = env.writes()?;
    let last = writes.last().map(|write| write.resource.as_str());
    ensure!(
        last == Some("leases"),
        "the lease was not given up last: {last:?}"
    );
    ensure!(operator.log()?.contains("stopped"), "it did not say so");

    let mut operator = env.operator(&[]).await?;
    for workload in &fleet {
        env.rolls(workload, 1).await?;
        env.rolled_out(workload).await?;
    }
    operator.all_in_sync(COUNT).await?;
    let rolls: Vec<_> = fleet.iter().map(|workload| (workload, 1)).collect();
    env.assert_only(&rolls).await?;
    operator.stop().await
}
