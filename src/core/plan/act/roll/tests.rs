//! What a roll writes, why, and what follows from that.

use serde_json::json;

use super::*;
use crate::api::reasons::Reason;
use crate::core::plan::{Act, Decision, Verdict};
use crate::core::testing::{World, reference, variable};
use crate::kinds::Class;

/// A Deployment that uses `app` as variables and `conf` as files, in sync.
fn running() -> World {
    let mut world = World::new([
        reference("app", Class::Frozen, false),
        reference("conf", Class::Live, true),
    ]);
    world.policy(json!({"settle": "0s", "minInterval": "0s"}));
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.wait_secs(10);
    world.pod("web-1");
    world.pod("web-2");
    world.wait_secs(10);
    assert_eq!(world.step().reason, Reason::InSync);
    world
}

fn planned(world: &mut World) -> Plan {
    world.read();
    match world.plan().verdict {
        Verdict::Act(Act::Roll(plan)) => plan,
        other => panic!("no roll: {other:?}"),
    }
}

#[test]
fn the_revision_is_the_digest_of_all_content() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    let plan = planned(&mut world);
    assert_eq!(*plan.revision, *plan.base);
    let digest: Result<crate::core::content::digest::Digest, _> = plan.base.parse();
    assert_eq!(digest.unwrap().key_id, world.key.id());
    // The same content gives the same; other content another.
    assert_eq!(planned(&mut world), plan);
    world.write("app", &[("a", "3"), ("b", "1")]);
    assert_ne!(planned(&mut world).revision, plan.revision);
}

#[test]
fn a_counter_makes_a_revision_new() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    let base = planned(&mut world).base;
    // The template carries it already, with Pods from before.
    world.change_template(1, Some(&base));
    world.replace_pods();
    world.write("app", &[("a", "3"), ("b", "1")]);
    world.read();
    world.wait_secs(5);
    world.write("app", &[("a", "2"), ("b", "1")]);
    let mut old = world.pods["web-1.1"].clone();
    old.start.rv = Some(crate::kinds::Rv(2));
    old.start.time = crate::core::testing::at(0);
    old.containers.clear();
    old.uid = "from-before".into();
    world.put_pod(old.clone());
    assert_eq!(*planned(&mut world).revision, format!("{base}.1"));
    // So does an outdated Pod of another revision.
    old.revision = Some(format!("{base}.1").into());
    world.put_pod(old.clone());
    assert_eq!(*planned(&mut world).revision, format!("{base}.2"));
    // What other templates carry is free if no outdated Pod has it.
    world.change_template(1, None);
    world.replace_pods();
    old.revision = None;
    old.owner.clone_from(&world.pods["web-2.2"].owner);
    old.uid = "from-before-2".into();
    world.put_pod(old);
    assert_eq!(*planned(&mut world).revision, *base);
}

#[test]
fn causes_name_sources_and_keys() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("c", "1")]);
    assert_eq!(planned(&mut world).causes, ["ConfigMap/app: a, b, c"]);
    assert_eq!(
        world.plan().message,
        "2 Pods outdated: ConfigMap/app: a, b, c changed."
    );
    world.write("conf", &[("x", "1")]);
    assert_eq!(
        planned(&mut world).causes,
        ["ConfigMap/app: a, b, c", "ConfigMap/conf: x"]
    );
    let many: Vec<String> = (10..30).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (&**key, "1")).collect();
    world.write("conf", &many);
    let named = &planned(&mut world).causes[1];
    assert_eq!(
        named,
        "ConfigMap/conf: k10, k11, k12, k13, k14, k15, k16, k17, k18, k19, …"
    );
    // Set back, and a Pod started in between.
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.pod("web-3");
    world.read();
    world.write("app", &[("a", "1"), ("b", "1")]);
    let plan = planned(&mut world);
    assert_eq!(
        (plan.causes, plan.outdated),
        (vec!["ConfigMap/app: a".to_owned()], 1)
    );
}

#[test]
fn only_the_pending_change_is_named() {
    // A, B, A, C: the Pods have A.
    let mut world = running();
    world.policy(json!({"settle": "2s", "minInterval": "0s"}));
    for (a, b) in [("2", "1"), ("1", "1"), ("1", "2")] {
        world.write("app", &[("a", a), ("b", b)]);
        world.wait(std::time::Duration::from_secs(1));
        world.read();
    }
    // The wait counts from C, as between A and A nothing was pending.
    let decision = world.plan();
    let until = world.now() + std::time::Duration::from_secs(1);
    assert_eq!(decision.verdict, Verdict::Wait(Some(until)));
    world.wait_secs(1);
    assert_eq!(planned(&mut world).causes, ["ConfigMap/app: b"]);
}

#[test]
fn a_change_of_an_unprojected_key_rolls_nothing() {
    let mut world = World::new([variable("app", "a", false)]);
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.wait_secs(10);
    world.pod("web-1");
    world.step();
    world.wait_secs(60);
    world.write("app", &[("a", "1"), ("b", "2")]);
    assert_eq!(world.step().reason, Reason::InSync);
    world.label("app");
    assert_eq!(world.step().reason, Reason::InSync);
    world.write("app", &[("b", "2")]);
    assert_eq!(world.step().reason, Reason::KeyMissing);
}

/// Rolls, but the user's controller takes the annotation away at once.
fn roll_and_undo(world: &mut World) -> Decision {
    world.wait_secs(60);
    world.read();
    let decision = world.plan();
    if let Verdict::Act(Act::Roll(plan)) = &decision.verdict {
        world.patch(plan);
        world.change_template(1, None);
    }
    decision
}

#[test]
fn contested_after_two_removals() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    for _ in 0..2 {
        assert_eq!(roll_and_undo(&mut world).reason, Reason::ContentChanged);
    }
    assert_eq!(roll_and_undo(&mut world).reason, Reason::Contested);
    // A restart holds on to it.
    world.stop();
    world.wait_secs(60);
    world.start();
    assert_eq!(roll_and_undo(&mut world).reason, Reason::Contested);
    // Other content is another roll, and counts anew.
    world.write("app", &[("a", "3"), ("b", "1")]);
    for _ in 0..2 {
        assert_eq!(roll_and_undo(&mut world).reason, Reason::ContentChanged);
    }
    assert_eq!(roll_and_undo(&mut world).reason, Reason::Contested);
    // So is another template, were the Pods still old.
    let old: Vec<_> = world.pods.values().cloned().collect();
    world.change_template(2, None);
    world.replace_pods();
    let owner = world.pods.values().next().unwrap().owner.clone();
    for mut pod in old {
        pod.owner.clone_from(&owner);
        world.put_pod(pod);
    }
    assert_eq!(world.plan().reason, Reason::ContentChanged);
}

/// A webhook takes the annotation away in the request that brings it.
#[test]
fn contested_after_two_rolls_that_are_undone_at_once() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    for _ in 0..2 {
        let plan = planned(&mut world);
        world
            .state
            .undone_at_once(&World::id(), &plan.revision, &plan.base);
    }
    assert_eq!(world.plan().reason, Reason::Contested);
    world.write("app", &[("a", "3"), ("b", "1")]);
    let plan = planned(&mut world);
    world
        .state
        .undone_at_once(&World::id(), &plan.revision, &plan.base);
    assert_eq!(world.record().contest.removals, 1);
    assert_eq!(world.record().rolls, [], "nothing was rolled");
}

#[test]
fn a_rollout_undo_in_the_middle_of_a_roll_is_followed_by_a_roll() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    assert_eq!(roll_and_undo(&mut world).reason, Reason::ContentChanged);
    world.wait_secs(60);
    assert_eq!(world.step().reason, Reason::ContentChanged);
    assert_eq!(world.step().reason, Reason::InSync);
    assert_eq!(world.record().contest.removals, 0);
}

#[test]
fn a_restart_counts_no_removal_twice() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    roll_and_undo(&mut world);
    world.plan();
    for _ in 0..3 {
        world.stop();
        world.wait_secs(60);
        world.start();
        world.read();
        assert_eq!(world.record().contest.removals, 1);
        assert_eq!(world.plan().reason, Reason::ContentChanged);
    }
}

#[test]
fn our_own_roll_is_no_removal_though_the_watch_is_first() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    let first = planned(&mut world);
    world.patch(&first);
    assert!(world.record().contest.present);
    // The next roll's template comes before the answer to its patch.
    let next = format!("{}.1", first.base);
    world.change_template(1, Some(&next));
    let roll = crate::core::history::record::Roll {
        revision: next.as_str().into(),
        time: world.time(),
        rv: world.workload.rv,
        causes: Vec::new(),
        health: crate::core::history::record::Health::default(),
    };
    let now = world.now();
    world.state.rolled(&World::id(), roll, &first.base, now);
    assert_eq!(world.record().contest.removals, 0);
    assert!(world.record().contest.present);
    world.change_template(1, None);
    assert_eq!(world.record().contest.removals, 1);
}
