//! What the state says to do, event by event.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::api::reasons::Reason;
use crate::core::history::record::{Health, Roll};
use crate::core::plan::{Act, Verdict};
use crate::core::policy::Rollout;
use crate::core::policy::{CompiledPolicy, PolicyId};
use crate::core::testing::{World, config_map, reference};
use crate::core::time::Mono;
use crate::kinds::{Class, Rv, WorkloadId};

mod fan_out;

/// A Deployment with one Pod, in sync, whose Projection is written.
fn in_sync() -> World {
    let mut world = World::new([reference("app", Class::Frozen, false)]);
    world.write("app", &[("a", "1")]);
    world.wait_secs(10);
    world.pod("web-1");
    world.wait_secs(10);
    world.read();
    assert_eq!(world.planned().decision.reason, Reason::InSync);
    written(&mut world);
    world
}

/// The Projection that is to be written.
fn write(world: &World, pace: Pace) -> Box<ProjectionWrite> {
    match world.report(pace) {
        ProjectionStep::Write(write) => write,
        other => panic!("nothing to write: {other:?}"),
    }
}

/// Writes the Projection.
fn written(world: &mut World) {
    let write = write(world, Pace::AtOnce);
    world.written(&write);
}

/// Lets somebody else write over the Projection, as the watch shows it.
fn overwritten(world: &mut World, rv: Option<Rv>) -> Option<Duration> {
    let stored = world.stored.clone().unwrap();
    world.shown(&stored, rv, true)
}

/// Whether there is nothing to look at until an event tells of a Pod, or none does for too
/// long.
fn rests(world: &mut World) -> bool {
    let WorkloadStep::At(at) = world.planned().step else {
        return false;
    };
    at.since(world.now()) > Rollout::default().deadline - REPORT_INTERVAL * 3
}

fn report(world: &World) -> ProjectionStep {
    world.report(Pace::Coalesced)
}

/// How long a Projection that is to be written has to wait.
fn wait(world: &World) -> Duration {
    match report(world) {
        ProjectionStep::After(wait) => wait,
        other => panic!("{other:?}"),
    }
}

/// Changes the content and rolls: what the workload's controller does follows.
fn roll(world: &mut World) {
    world.write("app", &[("a", "2")]);
    world.read();
    world.wait_secs(5);
    let planned = world.planned();
    let WorkloadStep::Act(order) = planned.step else {
        panic!("{planned:?}");
    };
    let Act::Roll(plan) = &order.act;
    world.patch(plan);
}

fn opt(world: &mut World, sync: &str) {
    world.workload.sync = Some(sync.into());
    world.put_workload();
    world.read();
}

#[test]
fn a_projection_outlives_the_management_of_its_workload_by_five_minutes() {
    let mut world = in_sync();
    opt(&mut world, "false");
    let planned = world.planned();
    assert_eq!(planned.decision.reason, Reason::NotManaged);
    // That is told at once.
    assert_eq!(planned.report, Some(Duration::ZERO));
    let write = write(&world, Pace::Coalesced);
    let summary = &write.status.summary;
    assert_eq!(
        summary.state,
        Some(crate::api::projection::State::NotManaged)
    );
    assert!(
        !write.status.references.is_empty(),
        "it may be managed again"
    );
    let mut conditions = write.status.conditions.iter();
    assert!(conditions.all(|it| it.status == "Unknown" && it.reason == "NotManaged"));
    written(&mut world);
    assert_eq!(world.planned().report, Some(RETIRE_AFTER));
    world.wait(RETIRE_AFTER - Duration::from_secs(1));
    let ProjectionStep::After(left) = report(&world) else {
        panic!("deleted too early");
    };
    assert_eq!(left, Duration::from_secs(1));
    world.wait(left);
    assert!(matches!(report(&world), ProjectionStep::Delete { .. }));
    world.state.forget(&World::id());
    assert_eq!(world.state.remembered(), []);
}

#[test]
fn the_version_of_a_source_in_which_nothing_projected_changed_is_told_ever_more_rarely() {
    let mut world = in_sync();
    world.wait(ROLLOUT_INTERVAL);
    let mut versions = BTreeSet::new();
    // At once where nothing was told for a while.
    for interval in [0, 60, 120, 240, 240] {
        world.label("app");
        world.read();
        assert_eq!(world.planned().decision.reason, Reason::InSync);
        if interval > 0 {
            let left = Duration::from_secs(interval) - REPORT_INTERVAL;
            assert_eq!(wait(&world), left);
            world.wait(left);
        }
        let write = write(&world, Pace::Coalesced);
        versions.insert(write.status.references[0].source_resource_version.clone());
        written(&mut world);
        world.wait(REPORT_INTERVAL);
        assert!(matches!(report(&world), ProjectionStep::Rest));
    }
    assert_eq!(versions.len(), 5);
}

#[test]
fn a_workload_that_is_managed_again_in_time_keeps_its_history() {
    let mut world = in_sync();
    opt(&mut world, "false");
    world.planned();
    world.wait(RETIRE_AFTER - Duration::from_secs(1));
    world.write("app", &[("a", "2")]);
    opt(&mut world, "true");
    world.wait(RETIRE_AFTER);
    // What went by meanwhile is a change all the same.
    let planned = world.planned();
    assert_eq!(planned.decision.reason, Reason::ContentChanged);
    assert!(!matches!(report(&world), ProjectionStep::Delete { .. }));
    world.state.forget(&World::id());
    assert_eq!(world.state.remembered(), [World::id()]);
}

#[test]
fn a_roll_is_written_at_once_and_once_more_with_the_last_in_sync_that_covers_its_pods() {
    let mut world = in_sync();
    roll(&mut world);
    assert!(matches!(report(&world), ProjectionStep::Write(_)));
    written(&mut world);
    let rolled = world.now();
    world.read();
    assert_eq!(world.planned().decision.reason, Reason::BeingReplaced);
    assert_eq!(wait(&world), ROLLOUT_INTERVAL);
    world.wait_secs(3);
    world.replace_pods();
    world.read();
    let created = world.time();
    assert_eq!(world.planned().decision.reason, Reason::InSync);
    assert!(!wait(&world).is_zero());
    // Planned by its own clock, not by an event.
    world.wait_secs(2);
    assert_eq!(world.now().since(rolled), REPORT_INTERVAL);
    assert!(matches!(world.planned().step, WorkloadStep::At(_)));
    assert!(!wait(&world).is_zero());
    world.wait_secs(1);
    world.planned();
    let last = write(&world, Pace::Coalesced).status.last_in_sync;
    assert!(last.is_some_and(|last| last.time.0 >= created));
    written(&mut world);
    world.wait(REPORT_INTERVAL);
    assert!(rests(&mut world));
    assert!(matches!(report(&world), ProjectionStep::Rest));
}

#[test]
fn being_in_sync_is_told_even_where_the_last_in_sync_does_not_follow() {
    let mut world = in_sync();
    roll(&mut world);
    written(&mut world);
    world.replace_pods();
    world.read();
    let plan = |world: &mut World| {
        let now = world.moment();
        world.state.plan(&World::id(), now, None)
    };
    assert_eq!(plan(&mut world).decision.reason, Reason::InSync);
    assert_eq!(wait(&world), REPORT_INTERVAL * 2);
    world.wait(REPORT_INTERVAL * 2);
    plan(&mut world);
    assert!(matches!(report(&world), ProjectionStep::Write(_)));
}

#[test]
fn what_lasts_after_a_roll_is_told_in_time() {
    let mut world = in_sync();
    roll(&mut world);
    written(&mut world);
    world.read();
    // Its Pods take their time.
    world.planned();
    world.wait(ROLLOUT_INTERVAL);
    world.planned();
    assert!(matches!(report(&world), ProjectionStep::Write(_)));
    written(&mut world);
    // Now it needs somebody.
    world.workload.stuck = Some("quota".into());
    world.put_workload();
    world.read();
    assert_eq!(world.planned().decision.reason, Reason::Blocked);
    assert_eq!(wait(&world), REPORT_INTERVAL);
    world.wait(REPORT_INTERVAL);
    let told = write(&world, Pace::Coalesced).status.decision.unwrap();
    assert_eq!(told.reason, Reason::Blocked.as_str());
}

#[test]
fn a_roll_that_was_made_while_another_was_written_is_written_at_once() {
    let mut world = in_sync();
    roll(&mut world);
    let first = write(&world, Pace::Coalesced);
    world.wait_secs(1);
    let again = Roll {
        revision: "v1.key.other".into(),
        time: world.time(),
        rv: None,
        causes: Vec::new(),
        health: Health::default(),
    };
    let now = world.now();
    (world.state).rolled(&World::id(), again, "v1.key.other", now);
    world.written(&first);
    assert!(matches!(report(&world), ProjectionStep::Write(_)));
    written(&mut world);
    assert_eq!(wait(&world), REPORT_INTERVAL);
}

#[test]
fn a_process_that_ends_writes_without_waiting() {
    let mut world = in_sync();
    roll(&mut world);
    written(&mut world);
    world.replace_pods();
    world.read();
    world.planned();
    assert!(!wait(&world).is_zero());
    assert!(matches!(
        world.report(Pace::AtOnce),
        ProjectionStep::Write(_)
    ));
}

#[test]
fn a_projection_is_written_again_where_somebody_deleted_it() {
    let mut world = in_sync();
    world.wait(REPORT_INTERVAL);
    assert!(matches!(report(&world), ProjectionStep::Rest));
    assert!(world.state.disowned(&World::id(), true));
    // There is no version that it could take the place of.
    assert_eq!(write(&world, Pace::AtOnce).version, None);
}

#[test]
fn a_projection_takes_the_place_of_the_newest_version_that_is_known() {
    let mut world = in_sync();
    let ours = world.projection;
    let older = ours.map(|rv| Rv(rv.0 - 1));
    assert_eq!(overwritten(&mut world, older), None);
    world.write("app", &[("a", "2")]);
    world.read();
    world.wait_secs(5);
    world.planned();
    // Our own, though the watch has not shown it yet.
    assert_eq!(write(&world, Pace::AtOnce).version, ours);
    let newer = ours.map(|rv| Rv(rv.0 + 1));
    overwritten(&mut world, newer);
    assert_eq!(write(&world, Pace::AtOnce).version, newer);
}

#[test]
fn a_projection_that_somebody_wrote_over_is_written_again() {
    let mut world = in_sync();
    // What came before our write, and our write itself.
    let ours = world.projection;
    let older = ours.map(|rv| Rv(rv.0 - 1));
    assert_eq!(overwritten(&mut world, older), None);
    assert_eq!(overwritten(&mut world, ours), None);
    assert!(matches!(world.report(Pace::AtOnce), ProjectionStep::Rest));
    let newer = ours.map(|rv| Rv(rv.0 + 1));
    assert_eq!(overwritten(&mut world, newer), Some(REPORT_INTERVAL));
    world.label("app");
    written(&mut world);
    assert!(matches!(world.report(Pace::AtOnce), ProjectionStep::Rest));
}

#[test]
fn a_refused_roll_is_told_until_it_is_made() {
    let mut world = in_sync();
    world.write("app", &[("a", "2")]);
    world.read();
    world.wait_secs(5);
    assert!(matches!(world.planned().step, WorkloadStep::Act(_)));
    let refuse = |world: &mut World| {
        let note = "The API server refuses the roll: freeze".to_owned();
        let now = world.now();
        world.state.refused(&World::id(), note, now)
    };
    assert!(refuse(&mut world).is_some());
    let told = write(&world, Pace::Coalesced).status.decision.unwrap();
    assert_eq!(told.reason, Reason::RollFailed.as_str());
    assert!(told.message.ends_with("freeze"), "{}", told.message);
    written(&mut world);
    // Trying it again is nothing new to tell of.
    assert!(matches!(world.planned().step, WorkloadStep::Act(_)));
    refuse(&mut world);
    assert!(matches!(world.report(Pace::AtOnce), ProjectionStep::Rest));
}

#[test]
fn a_new_pod_is_planned_by_the_clock_only_while_in_sync() {
    let mut world = in_sync();
    world.pod("web-2");
    world.read();
    // Its start has to be covered by `lastInSync`.
    assert!(matches!(world.planned().step, WorkloadStep::At(_)));

    roll(&mut world);
    world.pod("web-3");
    world.read();
    assert_eq!(world.planned().decision.reason, Reason::BeingReplaced);
    assert!(rests(&mut world));
}

#[test]
fn nobody_is_in_sync_with_an_edit_that_is_not_read() {
    let mut world = in_sync();
    world.write("app", &[("a", "1")]);
    let planned = world.planned();
    assert_eq!(planned.decision.reason, Reason::SourceNotRead);
    assert_eq!(planned.decision.verdict, Verdict::Wait(None));
    // It mostly passes at once.
    assert!(!wait(&world).is_zero());
    world.read();
    assert_eq!(world.planned().decision.reason, Reason::InSync);
    // What is outdated all the same is rolled without waiting for it.
    world.write("app", &[("a", "2")]);
    world.read();
    world.wait_secs(5);
    world.write("app", &[("a", "3")]);
    assert!(matches!(world.planned().step, WorkloadStep::Act(_)));
}

#[test]
fn only_who_sees_all_namespaces_reports_on_cluster_policies() {
    let mut world = in_sync();
    let policies = [
        PolicyId::namespaced("shop", "some"),
        PolicyId::cluster("all"),
    ];
    let now = world.now();
    for id in &policies {
        let spec = serde_json::from_value(json!({})).unwrap();
        let policy = CompiledPolicy::namespaced(id, &spec);
        world.state.change(now, |state| {
            state.policies.insert(id.clone(), PolicyMeta::default());
            state.index.apply_policy(id, policy)
        });
    }
    let mut reported = |cluster_wide| {
        world.state.settings.cluster_wide = cluster_wide;
        world.wait(POLICIES_INTERVAL);
        let now = world.moment();
        match world.state.policy_statuses(now) {
            PolicyStep::Write(statuses) => statuses.into_iter().map(|(id, _)| id).collect(),
            PolicyStep::After(wait) => panic!("{wait:?}"),
        }
    };
    let mut all: Vec<PolicyId> = reported(true);
    all.sort();
    assert_eq!(reported(false), policies[..1]);
    assert_eq!(all, policies);
}

#[test]
fn a_workload_that_names_no_policy_is_told_so_once() {
    let mut world = in_sync();
    world.workload.sync = Some("such".into());
    world.stop();
    world.stored = None;
    world.start();
    opt(&mut world, "such");
    let planned = world.planned();
    assert_eq!(planned.decision.reason, Reason::PolicyNotFound);
    assert!(planned.news && planned.uid.is_some());
    assert!(!world.planned().news);
    opt(&mut world, "false");
    assert!(!world.planned().news);
    opt(&mut world, "such");
    assert!(world.planned().news);
}

#[test]
fn the_first_projection_is_followed_by_one_that_covers_the_pods() {
    let mut world = in_sync();
    world.stop();
    world.stored = None;
    world.start();
    world.read();
    assert!(matches!(world.planned().step, WorkloadStep::At(_)));
    written(&mut world);
    assert!(matches!(world.planned().step, WorkloadStep::Rest));
}

#[test]
fn policies_are_reported_on_once_all_workloads_are_planned() {
    let mut world = in_sync();
    let counts = |world: &mut World| {
        world.wait(POLICIES_INTERVAL);
        let now = world.moment();
        matches!(world.state.policy_statuses(now), PolicyStep::Write(_))
    };
    assert!(counts(&mut world));
    world.stop();
    world.start();
    assert!(!counts(&mut world));
    opt(&mut world, "false");
    assert!(counts(&mut world));
}

#[test]
fn lost_digests_are_told_of_once_and_only_where_pods_are_unknown() {
    let mut world = in_sync();
    let id = World::id();
    assert_eq!(world.state.tell_of_loss(&id), None);
    let managed = world.state.managed.get_mut(&id).unwrap();
    managed.record.restated = true;
    assert_eq!(world.state.tell_of_loss(&id), None);
    let managed = world.state.managed.get_mut(&id).unwrap();
    managed.pods[0].state = crate::api::projection::PodState::Unknown;
    assert_eq!(world.state.tell_of_loss(&id), Some(1));
    assert_eq!(world.state.tell_of_loss(&id), None);
}

#[test]
fn ten_thousand_workloads_of_one_config_map_cost_one_read_and_nobody_else() {
    const COUNT: usize = 10_000;
    let one = World::new([reference("app", Class::Frozen, false)]);
    let mut world = World::new([reference("other", Class::Frozen, false)]);
    for name in ["app", "other"] {
        world.write(name, &[("a", "1")]);
    }
    let named = |number: usize| WorkloadId::new(World::id().kind, "shop", format!("web-{number}"));
    let now = world.moment();
    for number in 0..COUNT {
        let workload = one.workload.clone();
        world.state.change(now.mono, |state| {
            state.index.apply_workload(&named(number), workload)
        });
    }
    let must_be_read = |world: &mut World, name| {
        let step = world.state.look_at(&config_map(name), now);
        matches!(step, SourceStep::Read { .. })
    };
    for name in ["app", "other"] {
        assert!(must_be_read(&mut world, name));
        let content = world.content(name);
        let users = world.state.take_in(&config_map(name), &content, now);
        assert_eq!(users.len(), if name == "app" { COUNT } else { 1 });
    }
    // An edit affects that source; its one reading serves all.
    world.write("app", &[("a", "2")]);
    assert!(!must_be_read(&mut world, "other"));
    assert!(must_be_read(&mut world, "app"));
    let content = world.content("app");
    let users = world.state.take_in(&config_map("app"), &content, now);
    assert_eq!(users.len(), COUNT);
    assert!(!must_be_read(&mut world, "app"));
    assert!(!users.contains(&World::id()));
    for user in users.iter().step_by(100) {
        let planned = world.state.plan(user, now, None);
        assert_eq!(planned.decision.reason, Reason::InSync);
    }
}

/// All that may be denied in a namespace, without the workload itself.
const DENIED: [&str; 5] = ["Projection", "SyncPolicy", "ConfigMap", "ReplicaSet", "Pod"];

#[test]
fn nothing_is_decided_on_half_knowledge() {
    for kind in DENIED {
        let mut world = in_sync();
        world.stop();
        world.write("app", &[("a", "2")]);
        world.start_without(&[kind]);
        world.list();
        world.read();
        let decision = world.planned().decision;
        assert_eq!(decision.reason, Reason::NotListed, "{kind}");
        // It may pass within moments, and is told only then.
        assert!(matches!(decision.verdict, Verdict::Wait(Some(_))), "{kind}");
        world.wait_secs(5);
        let planned = world.planned();
        assert_eq!(planned.decision.verdict, Verdict::Hold, "{kind}");
        assert_eq!(planned.decision.message, format!("{kind} is denied."));
        // What is stored stays.
        world.wait(RETIRE_AFTER);
        let step = report(&world);
        assert!(!matches!(step, ProjectionStep::Delete { .. }), "{kind}");

        world.listed(&[kind]);
        assert_eq!(world.finish(), 1, "{kind}");
    }
}

#[test]
fn what_another_workload_needs_keeps_none_from_its_plan() {
    for kind in ["Secret", "StatefulSet", "ControllerRevision"] {
        let mut world = in_sync();
        world.stop();
        world.write("app", &[("a", "2")]);
        world.start_without(&[kind]);
        world.list();
        assert_eq!(world.finish(), 1, "{kind}");
    }
    let mut world = in_sync();
    let elsewhere = Some("elsewhere".into());
    let why = "Pods are denied.".to_owned();
    world.state.left_out("Pod", elsewhere, why, Mono::default());
    world.write("app", &[("a", "2")]);
    assert_eq!(world.finish(), 1);
}

#[test]
fn what_is_listed_late_is_judged_by_what_was_stored() {
    let all: Vec<&str> = DENIED.into_iter().chain(["Deployment"]).collect();
    for (value, rolls) in [("1", 0), ("2", 1)] {
        let mut world = in_sync();
        world.stop();
        world.write("app", &[("a", value)]);
        world.start_without(&all);
        world.wait(RETIRE_AFTER);
        world.list();
        assert_eq!(world.finish(), 0);
        for (at, kind) in all.iter().enumerate() {
            assert_eq!(world.finish(), 0, "before {:?}", &all[at..]);
            world.listed(&[kind]);
        }
        assert_eq!(world.finish(), rolls);
    }
}

/// A right that is taken away while the operator runs.
#[test]
fn what_is_denied_later_is_not_decided_on_either() {
    let mut world = in_sync();
    let now = world.now();
    let denied = |state: &mut State| {
        let why = "Pods are denied.".to_owned();
        state.left_out("Pod", Some(World::id().namespace), why, now)
    };
    assert!(
        world
            .state
            .change(now, denied)
            .workloads
            .contains(&World::id())
    );
    world.write("app", &[("a", "2")]);
    world.read();
    world.wait_secs(60);
    assert_eq!(world.planned().decision.reason, Reason::NotListed);
    world.listed(&["Pod"]);
    assert_eq!(world.finish(), 1);
}

#[test]
fn a_brake_stops_rolls_and_its_end_lets_them_go() {
    let mut world = in_sync();
    world.policy(json!({"settle": "0s", "minInterval": "0s"}));
    let id = PolicyId::cluster("brake");
    let brake =
        CompiledPolicy::cluster(&id, &serde_json::from_value(json!({"stop": true})).unwrap());
    let now = world.now();
    world
        .state
        .change(now, |state| state.index.apply_policy(&id, brake));
    assert_eq!(world.planned().decision.reason, Reason::InSync);
    assert_eq!(world.state.stopped(), 1);
    let told = write(&world, Pace::AtOnce).status.policy.unwrap();
    assert_eq!(told.stopped_by.as_deref(), Some("brake"));
    world.write("app", &[("a", "2")]);
    world.wait_secs(10);
    world.read();
    let planned = world.planned();
    assert_eq!(planned.decision.reason, Reason::Stopped);
    assert_eq!(planned.decision.verdict, Verdict::Hold);
    let now = world.now();
    world
        .state
        .change(now, |state| state.index.delete_policy(&id));
    assert!(matches!(world.planned().step, WorkloadStep::Act(_)));
    assert_eq!(world.state.stopped(), 0);
}

/// The leader deletes the Projection; whoever stands by sees that, or that there never was one.
#[test]
fn who_stands_by_forgets_a_workload_that_is_gone() {
    let gone = || {
        let mut world = in_sync();
        let now = world.now();
        let id = World::id();
        world
            .state
            .change(now, |state| state.index.delete_workload(&id));
        world
    };
    let mut world = gone();
    let id = World::id();
    assert!(!world.state.disowned(&id, false));
    assert_eq!(world.state.remembered(), []);
    // As long as there is a Projection, it is remembered for whoever leads next.
    let mut world = gone();
    let left = world.state.stand_by(&id, world.now());
    assert_eq!(left, Some(RETIRE_AFTER));
    world.wait(RETIRE_AFTER);
    assert_eq!(world.state.stand_by(&id, world.now()), None);
    assert_eq!(
        world.state.remembered().as_slice(),
        std::slice::from_ref(&id)
    );
    // Without one it is not.
    world.state.disowned(&id, true);
    assert_eq!(world.state.stand_by(&id, world.now()), None);
    assert_eq!(world.state.remembered(), []);
}

/// Etcd restored from a backup: versions are given anew, and what was written since is void.
#[test]
fn in_another_history_times_decide() {
    for (value, rolls) in [("1", 0), ("2", 1)] {
        let mut world = in_sync();
        // A roll whose template the restored cluster does not have.
        let (before, pods) = (world.workload.clone(), world.pods.clone());
        roll(&mut world);
        world.replace_pods();
        world.wait_secs(60);
        assert_eq!(world.finish(), 0);
        // Its Pods are there again, too.
        for name in world.pods.clone().into_keys() {
            world.delete_pod(&name);
        }
        (world.workload, world.pods) = (before, pods);
        world.write("app", &[("a", value)]);
        world.state.forget_versions();
        assert_eq!(world.planned().decision.reason, Reason::CachesNotSynced);
        world.list();
        world.state.start(world.now());
        assert_eq!(world.finish(), rolls, "{value}");
        let decision = world.planned().decision;
        assert_eq!(decision.reason, Reason::InSync, "{value}: {decision:?}");
        assert_eq!(world.record().contest.removals, 0);
    }
}
