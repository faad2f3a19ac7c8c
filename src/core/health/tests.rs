//! Rolls as controllers and kubelets show them, and what is made of them.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use crate::api::projection::RollState;
use crate::core::history::record::Health;
use crate::core::object::pod::{ContainerStart, End, Pod};
use crate::core::object::workload::Counts;
use crate::core::plan::{Act, Verdict};
use crate::core::state::{Pace, ProjectionStep, WorkloadStep};
use crate::core::testing::{World, reference};
use crate::kinds::Class;

/// A Deployment of three Pods, in sync.
fn running() -> World {
    let mut world = World::new([reference("app", Class::Frozen, false)]);
    fill(&mut world);
    world
}

fn fill(world: &mut World) {
    world.policy(json!({"settle": "0s", "minInterval": "0s"}));
    world.write("app", &[("a", "1")]);
    world.wait_secs(10);
    for name in ["web-1", "web-2", "web-3"] {
        world.pod(name);
    }
    status(world);
    world.wait_secs(4000);
    world.step();
}

/// The Deployment's controller writes its status.
fn status(world: &mut World) {
    let set = |pod: &Pod| pod.revision == world.workload.template.revision;
    let count = |holds: &dyn Fn(&Pod) -> bool| {
        i64::try_from(world.pods.values().filter(|pod| holds(pod)).count()).unwrap()
    };
    world.workload.counts = Counts {
        replicas: count(&|_| true),
        updated: count(&set),
        available: count(&|pod| pod.ready),
    };
    world.put_workload();
}

/// The content changes and is rolled; the new Pods are as `pod` makes them.
fn rolled(content: &str, pod: impl Fn(&mut Pod)) -> World {
    let mut world = running();
    roll(&mut world, content, pod);
    world
}

fn roll(world: &mut World, content: &str, pod: impl Fn(&mut Pod)) {
    world.write("app", &[("a", content)]);
    world.read();
    match world.plan().verdict {
        Verdict::Act(Act::Roll(plan)) => world.patch(&plan),
        other => panic!("no roll: {other:?}"),
    }
    world.wait_secs(2);
    world.replace_pods();
    each(world, pod);
}

/// Changes each Pod.
fn each(world: &mut World, change: impl Fn(&mut Pod)) {
    for mut pod in world.pods.clone().into_values() {
        change(&mut pod);
        world.put_pod(pod);
    }
    status(world);
}

/// Changes the first Pod.
fn first(world: &mut World, change: impl Fn(&mut Pod)) {
    let mut pod = world.pods.values().next().unwrap().clone();
    change(&mut pod);
    world.put_pod(pod);
    status(world);
}

/// The kubelet starts a container, which is not ready yet.
fn starts(pod: &mut Pod) {
    pod.ready = false;
    let container = &mut pod.containers[0];
    (container.ready, container.was_ready) = (false, false);
    if let Some(started) = &mut container.started {
        started.at += SignedDuration::from_secs(1);
    }
}

fn ready(pod: &mut Pod) {
    pod.ready = true;
    pod.containers[0].ready = true;
    pod.containers[0].was_ready = true;
    pod.broken = None;
}

/// Its container ended three seconds after its start, and for the time being is not
/// started again.
fn crashes(pod: &mut Pod) {
    starts(pod);
    let container = &mut pod.containers[0];
    let started = container.started.unwrap().at;
    container.restarts += 1;
    container.end = Some(Box::new(End {
        at: started + SignedDuration::from_secs(3),
        after: Duration::from_secs(3),
    }));
    container.started = Some(ContainerStart {
        at: started + SignedDuration::from_secs(3),
        shown: None,
        ahead: 0,
    });
}

fn waits(reason: &str) -> impl Fn(&mut Pod) {
    move |pod| {
        starts(pod);
        pod.containers[0].started = None;
        pod.broken = Some(reason.into());
    }
}

fn health(world: &mut World) -> Health {
    world.plan();
    world.record().rolls.last().unwrap().health.clone()
}

/// The state after each of these seconds.
fn states(world: &mut World, seconds: &[u64]) -> Vec<RollState> {
    let states = seconds.iter().map(|wait| {
        world.wait_secs(*wait);
        health(world).state
    });
    states.collect()
}

fn reason(world: &mut World) -> String {
    let trouble = health(world).trouble.unwrap();
    match trouble.pod {
        Some(pod) => format!("{pod}: {}", trouble.reason),
        None => trouble.reason.to_string(),
    }
}

fn is_good(world: &World) -> bool {
    let timeline = world.track().timeline.as_ref().unwrap();
    timeline.newest().good.is_some()
}

use RollState::{Complete, Failed, Good, Rolling, Stuck};

#[test]
fn what_stays_complete_for_a_minute_is_good() {
    let mut world = rolled("2", starts);
    assert_eq!(states(&mut world, &[0, 300]), [Rolling, Rolling]);
    each(&mut world, ready);
    // What happened in the last three seconds may be unseen.
    assert_eq!(
        states(&mut world, &[0, 59, 3, 1]),
        [Complete, Complete, Complete, Good]
    );
    assert!(is_good(&world));
    assert_eq!(health(&mut world).unready, Some(0));
    // It is looked at without an event.
    roll(&mut world, "3", ready);
    let mut looks = 0;
    while health(&mut world).state != Good {
        let at = world.planned().step;
        let WorkloadStep::At(at) = at else {
            panic!("{at:?}");
        };
        world.wait(at.since(world.now()));
        looks += 1;
    }
    assert!((1..4).contains(&looks), "{looks}");
}

/// `kubectl rollout status` waits for this too.
#[test]
fn what_its_controller_still_works_on_is_not_complete() {
    let mut world = rolled("2", ready);
    // minReadySeconds: ready, and not available yet.
    world.workload.counts.available = 0;
    world.put_workload();
    assert_eq!(health(&mut world).state, Rolling);
    status(&mut world);
    world.workload.counts.replicas += 1;
    world.put_workload();
    assert_eq!(health(&mut world).state, Rolling);
    status(&mut world);
    assert_eq!(health(&mut world).state, Complete);

    // A Pod of the earlier template is left, for which the status has no word yet.
    let mut world = running();
    let old = world.pods.values().next().unwrap().clone();
    roll(&mut world, "2", ready);
    let counts = world.workload.counts;
    world.put_pod(old);
    world.workload.counts = counts;
    world.put_workload();
    assert_eq!(health(&mut world).state, Rolling);
}

#[test]
fn a_crash_loop_fails_the_roll() {
    let mut world = rolled("2", starts);
    world.wait_secs(3);
    first(&mut world, crashes);
    assert_eq!(health(&mut world).state, Rolling);
    world.wait_secs(2);
    first(&mut world, |pod| {
        crashes(pod);
        pod.broken = Some("CrashLoopBackOff".into());
    });
    assert_eq!(health(&mut world).state, Failed);
    assert_eq!(reason(&mut world), "web-1.1: CrashLoopBackOff");
    let since = health(&mut world).trouble.unwrap().since;
    // Between two crashes it runs, and without a readiness probe it is ready then.
    each(&mut world, ready);
    world.wait_secs(60);
    assert_eq!(health(&mut world).state, Failed);
    assert_eq!(health(&mut world).trouble.unwrap().since, since);
    assert!(!is_good(&world));
}

#[test]
fn a_failure_has_to_last() {
    let mut world = rolled("2", ready);
    assert_eq!(states(&mut world, &[0, 50]), [Complete, Complete]);
    // It crashed once, and the database was there the next time.
    first(&mut world, |pod| {
        pod.containers[0].started.as_mut().unwrap().at += SignedDuration::from_secs(45);
        crashes(pod);
    });
    assert_eq!(states(&mut world, &[0, 20]), [Rolling, Rolling]);
    first(&mut world, ready);
    // The soak begins anew.
    assert_eq!(states(&mut world, &[0, 30, 34]), [Complete, Complete, Good]);

    let mut world = rolled("2", starts);
    first(&mut world, crashes);
    assert_eq!(states(&mut world, &[0, 29, 1]), [Rolling, Rolling, Failed]);
    assert_eq!(reason(&mut world), "web-1.1: Crashed");
}

#[test]
fn a_container_that_is_ready_no_longer_fails_it() {
    let mut world = rolled("2", ready);
    assert_eq!(states(&mut world, &[0, 40]), [Complete, Complete]);
    first(&mut world, |pod| {
        pod.ready = false;
        pod.containers[0].ready = false;
    });
    assert_eq!(
        states(&mut world, &[0, 29, 1, 30]),
        [Complete, Complete, Rolling, Failed]
    );
    assert_eq!(reason(&mut world), "web-1.1: NotReady");

    // Long after its start it has other reasons.
    let mut world = rolled("2", ready);
    assert_eq!(states(&mut world, &[0, 64, 300]), [Complete, Good, Good]);
    first(&mut world, |pod| {
        pod.ready = false;
        pod.containers[0].ready = false;
    });
    assert_eq!(states(&mut world, &[0, 60, 600]), [Good; 3]);
}

/// The node controller sets only the Pod's condition.
#[test]
fn a_lost_node_accuses_nothing() {
    let mut world = rolled("2", ready);
    assert_eq!(health(&mut world).state, Complete);
    first(&mut world, |pod| pod.ready = false);
    assert_eq!(states(&mut world, &[0, 64]), [Complete, Good]);

    // Where no Pod is left nothing shows that it is healthy, and nobody waits for it for ever.
    let mut world = rolled("2", ready);
    assert_eq!(health(&mut world).state, Complete);
    each(&mut world, |pod| pod.ready = false);
    assert_eq!(states(&mut world, &[0, 599, 1]), [Rolling, Rolling, Stuck]);
    each(&mut world, ready);
    assert_eq!(states(&mut world, &[0, 59, 5]), [Complete, Complete, Good]);
}

#[test]
fn what_does_not_go_on_is_told() {
    // Without a probe that ever succeeds, the rollout waits for the deadline.
    let mut world = rolled("2", starts);
    assert_eq!(states(&mut world, &[0, 599, 1]), [Rolling, Rolling, Failed]);
    assert_eq!(reason(&mut world), "web-1.1: NotReady");

    // A Deployment's controller may lose patience earlier.
    let mut world = rolled("2", starts);
    assert_eq!(health(&mut world).state, Rolling);
    world.workload.stuck = Some("ReplicaSet has timed out progressing.".into());
    world.put_workload();
    assert_eq!(health(&mut world).state, Failed);

    // What never started says nothing of the content.
    let mut world = rolled("2", waits("ImagePullBackOff"));
    assert_eq!(states(&mut world, &[0, 29, 1]), [Rolling, Rolling, Stuck]);
    assert_eq!(reason(&mut world), "web-1.1: ImagePullBackOff");
    each(&mut world, ready);
    assert_eq!(health(&mut world).state, Complete);
    assert_eq!(health(&mut world).trouble, None);

    // No node has room for it.
    let mut world = rolled("2", |pod| {
        starts(pod);
        pod.containers[0].started = None;
    });
    assert_eq!(states(&mut world, &[0, 599, 1]), [Rolling, Rolling, Stuck]);
    assert_eq!(reason(&mut world), "NoProgress");
}

#[test]
fn progress_moves_the_deadline() {
    let mut world = rolled("2", starts);
    assert_eq!(states(&mut world, &[0, 500]), [Rolling, Rolling]);
    first(&mut world, ready);
    assert_eq!(
        states(&mut world, &[0, 500, 100]),
        [Rolling, Rolling, Failed]
    );
    // One that flaps makes none, and a Deployment that its owner paused needs none.
    let mut world = rolled("2", starts);
    world.workload.paused = true;
    world.put_workload();
    assert_eq!(states(&mut world, &[0, 6000]), [Rolling, Rolling]);
}

/// A content whose key is gone by the time that the container starts.
#[test]
fn a_container_that_lacks_what_it_refers_to_fails_it() {
    let mut world = rolled("2", waits("CreateContainerConfigError"));
    assert_eq!(states(&mut world, &[0, 29, 1]), [Rolling, Rolling, Failed]);
}

#[test]
fn a_workload_that_was_not_ready_neither_proves_nor_accuses() {
    let broken = || {
        let mut world = running();
        first(&mut world, |pod| pod.ready = false);
        world
    };
    let mut world = broken();
    roll(&mut world, "2", ready);
    first(&mut world, |pod| pod.ready = false);
    assert_eq!(health(&mut world).unready, Some(1));
    assert_eq!(states(&mut world, &[0, 600]), [Complete, Complete]);
    assert!(!is_good(&world));

    let mut world = broken();
    roll(&mut world, "2", crashes);
    each(&mut world, |pod| {
        crashes(pod);
        pod.broken = Some("CrashLoopBackOff".into());
    });
    assert_eq!(health(&mut world).state, Stuck);
    assert_eq!(reason(&mut world), "web-1.1: CrashLoopBackOff");

    // Nor does one that crashed in the hour before.
    let mut world = running();
    first(&mut world, |pod| {
        crashes(pod);
        pod.containers[0].end.as_mut().unwrap().at += SignedDuration::from_secs(3900);
        ready(pod);
    });
    roll(&mut world, "2", ready);
    assert_eq!(health(&mut world).unready, None);
    assert_eq!(states(&mut world, &[0, 600]), [Complete, Complete]);
}

/// Whether the image or the content is at fault can't be told.
#[test]
fn a_rollout_of_the_owner_neither_proves_nor_accuses() {
    let mut world = rolled("2", starts);
    let revision = world.workload.template.revision.clone();
    world.change_template(2, revision.as_deref());
    world.replace_pods();
    each(&mut world, |pod| {
        crashes(pod);
        crashes(pod);
    });
    assert_eq!(health(&mut world).state, Stuck);
    assert_eq!(health(&mut world).unready, None);

    // His was under way when ours began.
    let mut world = running();
    world.change_template(2, None);
    world.pod("web-4");
    status(&mut world);
    roll(&mut world, "2", ready);
    assert_eq!(health(&mut world).unready, None);
}

#[test]
fn the_fix_of_a_bad_content_can_prove_itself() {
    let mut world = rolled("bad", starts);
    for _ in 0..2 {
        world.wait_secs(3);
        each(&mut world, crashes);
    }
    assert_eq!(health(&mut world).state, Failed);
    roll(&mut world, "good", ready);
    assert_eq!(health(&mut world).unready, Some(0));
    assert_eq!(states(&mut world, &[0, 64]), [Complete, Good]);
    let failed = &world.record().rolls[0].health;
    assert_eq!((failed.state, failed.completed), (Failed, None));
}

#[test]
fn what_failed_and_stays_healthy_is_good_after_all() {
    let mut world = rolled("2", crashes);
    each(&mut world, crashes);
    assert_eq!(health(&mut world).state, Failed);
    each(&mut world, ready);
    world.wait_secs(290);
    // The crashes are long ago.
    assert_eq!(
        states(&mut world, &[20, 299, 5]),
        [Failed, Failed, Complete]
    );
    assert_eq!(states(&mut world, &[5]), [Good]);
}

/// It is paused, say, so that what came since waits; other workloads may wait for the proof.
#[test]
fn a_soak_goes_on_though_other_content_has_come() {
    let mut world = World::new([
        reference("app", Class::Frozen, false),
        reference("other", Class::Frozen, true),
    ]);
    world.write("other", &[("a", "1")]);
    fill(&mut world);
    roll(&mut world, "2", ready);
    assert_eq!(health(&mut world).state, Complete);
    world.workload.paused = true;
    world.put_workload();
    world.write("other", &[("a", "2")]);
    world.read();
    assert_eq!(states(&mut world, &[0, 64]), [Complete, Good]);
    let goods: Vec<bool> = (world.record().tracks.values())
        .map(|track| track.timeline.as_ref().unwrap().newest().good.is_some())
        .collect();
    assert_eq!(goods, [true, false]);
}

/// A container that starts again reads its variables anew.
#[test]
fn what_a_pod_took_by_itself_later_says_nothing_of_the_roll() {
    let mut world = rolled("2", ready);
    assert_eq!(states(&mut world, &[0, 64]), [Complete, Good]);
    world.policy(json!({"suspend": true}));
    world.write("app", &[("a", "bad")]);
    world.read();
    world.wait_secs(10);
    for _ in 0..3 {
        let now = world.time();
        first(&mut world, |pod| {
            crashes(pod);
            pod.broken = Some("CrashLoopBackOff".into());
            pod.containers[0].started.as_mut().unwrap().at = now;
            pod.containers[0].end.as_mut().unwrap().at = now;
        });
        world.wait_secs(10);
    }
    let pods = world.assess();
    let outdated: Vec<bool> = pods.iter().map(|pod| pod.is_outdated()).collect();
    assert_eq!(outdated, [false, true, true]);
    assert_eq!(states(&mut world, &[0, 60]), [Good, Good]);
}

/// The annotation alone, or another one, says whose Pods these are.
#[test]
fn only_a_roll_in_force_is_judged() {
    let mut world = rolled("2", ready);
    world.change_template(1, None);
    assert_eq!(states(&mut world, &[0, 64]), [Rolling, Rolling]);
    // Without Pods there is nothing to see.
    let mut world = rolled("2", starts);
    world.workload.replicas = 0;
    for name in world.pods.clone().into_keys() {
        world.delete_pod(&name);
    }
    status(&mut world);
    assert_eq!(states(&mut world, &[0, 6000]), [Rolling, Rolling]);
}

#[test]
fn without_pods_no_soak_passes() {
    let mut world = rolled("2", ready);
    assert_eq!(health(&mut world).state, Complete);
    world.workload.replicas = 0;
    let pods = std::mem::take(&mut world.pods);
    for name in pods.keys() {
        world.delete_pod(name);
    }
    status(&mut world);
    assert_eq!(states(&mut world, &[0, 6000]), [Rolling, Rolling]);
    world.workload.replicas = 3;
    for name in pods.keys() {
        world.pod(name);
    }
    status(&mut world);
    assert_eq!(states(&mut world, &[0, 62, 2]), [Complete, Complete, Good]);
}

#[test]
fn it_outlives_the_operator() {
    let mut world = rolled("2", ready);
    assert_eq!(states(&mut world, &[0, 40]), [Complete, Complete]);
    world.stop();
    world.start();
    world.read();
    // By the server's time the rest of the soak is left.
    assert_eq!(states(&mut world, &[0, 24]), [Complete, Good]);
    world.stop();
    world.start();
    world.read();
    assert_eq!(health(&mut world).state, Good);
    assert!(is_good(&world));

    let mut world = rolled("2", starts);
    first(&mut world, crashes);
    first(&mut world, crashes);
    let before = health(&mut world);
    world.stop();
    world.wait_secs(3600);
    world.start();
    world.read();
    assert_eq!(health(&mut world), before);
    assert_eq!(before.state, Failed);
}

#[test]
fn a_failure_is_written_at_once() {
    let mut world = rolled("2", starts);
    health(&mut world);
    first(&mut world, crashes);
    world.planned();
    assert!(matches!(
        world.report(Pace::Coalesced),
        ProjectionStep::After(_)
    ));
    first(&mut world, crashes);
    world.planned();
    let ProjectionStep::Write(write) = world.report(Pace::Coalesced) else {
        panic!("nothing is written");
    };
    let roll = &write.status.rolls[0];
    let trouble = roll.trouble.as_ref().unwrap();
    assert_eq!(roll.state, Failed);
    assert_eq!(trouble.pod.as_deref(), Some("web-1.1"));
    world.written(&write);
    assert!(matches!(
        world.report(Pace::Coalesced),
        ProjectionStep::After(_)
    ));
}
