//! What webhooks put into Pods is followed, and counts for the Pods that have it.

use crate::api::projection::PodState;
use crate::api::reasons::Reason;
use crate::core::index::Index;
use crate::core::plan::{Decision, Verdict};
use crate::core::project::reference::Reference;
use crate::core::testing::{World, reference, variable};
use crate::kinds::Class;

/// A Deployment that projects `app`, whose Pods get `mesh` besides.
fn injected(more: Reference) -> World {
    let mut world = World::new([reference("app", Class::Frozen, false)]);
    world.write("app", &[("a", "1")]);
    world.write("mesh", &[("a", "1"), ("b", "1")]);
    world.write("other", &[("a", "1")]);
    world.wait_secs(10);
    world.injected = vec![more];
    world.pod("a.0");
    world.pod("b.0");
    world.finish();
    world.wait_secs(60);
    world
}

fn sources(index: &Index) -> Vec<String> {
    let mut sources: Vec<_> = index.used_sources().map(|id| id.name.to_string()).collect();
    sources.sort();
    sources
}

fn states(world: &World) -> Vec<(String, PodState)> {
    let pods = world.assess().into_iter();
    pods.map(|pod| (pod.name.to_string(), pod.state)).collect()
}

fn in_sync(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::Nothing) && decision.reason == Reason::InSync
}

#[test]
fn an_edit_of_what_was_injected_rolls_once() {
    let mut world = injected(reference("mesh", Class::Frozen, false));
    assert_eq!(sources(&world.state.index), ["app", "mesh"]);
    world.write("mesh", &[("a", "2"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
    world.wait_secs(60);
    assert_eq!(world.finish(), 0);
    world.write("other", &[("a", "2")]);
    assert_eq!(world.finish(), 0);
}

#[test]
fn a_key_that_was_injected_counts_beside_those_of_the_template() {
    let mut world = World::new([variable("mesh", "a", false)]);
    world.write("mesh", &[("a", "1"), ("b", "1"), ("c", "1")]);
    world.wait_secs(10);
    world.injected = vec![variable("mesh", "b", false)];
    world.pod("a.0");
    world.finish();
    for (data, rolls) in [
        ([("a", "1"), ("b", "1"), ("c", "2")], 0),
        ([("a", "1"), ("b", "2"), ("c", "2")], 1),
        ([("a", "2"), ("b", "2"), ("c", "2")], 1),
    ] {
        world.wait_secs(60);
        world.write("mesh", &data);
        assert_eq!(world.finish(), rolls, "{data:?}");
    }
}

#[test]
fn a_pod_without_the_use_is_not_stale_for_it() {
    let mut world = injected(reference("mesh", Class::Frozen, false));
    world.delete_pod("b.0");
    world.injected.clear();
    world.pod("b.1");
    world.finish();
    world.policy(serde_json::json!({"strategy": "Observe"}));
    world.workload.sync = None;
    world.put_workload();
    world.wait_secs(60);
    world.write("mesh", &[("a", "2"), ("b", "1")]);
    world.finish();
    let stale = |name: &str| (name.to_owned(), PodState::Stale);
    let fresh = |name: &str| (name.to_owned(), PodState::Fresh);
    assert_eq!(states(&world), [stale("a.0"), fresh("b.1")]);
    world.write("app", &[("a", "2")]);
    world.finish();
    assert_eq!(states(&world), [stale("a.0"), stale("b.1")]);
}

#[test]
fn pods_of_an_older_template_do_not_count() {
    let mut world = injected(reference("mesh", Class::Frozen, false));
    // The webhook is gone, and the rollout of the new template is stuck half way.
    world.injected.clear();
    world.change_template(2, None);
    world.delete_pod("a.0");
    world.pod("a.1");
    assert_eq!(sources(&world.state.index), ["app"]);
    world.wait_secs(60);
    world.write("mesh", &[("a", "2"), ("b", "1")]);
    assert_eq!(world.finish(), 0);
    world.delete("mesh");
    assert!(in_sync(&world.step()), "nobody needs it");
}

#[test]
fn what_was_injected_is_followed_until_the_first_pod_of_a_rollout_is_there() {
    let mut world = injected(reference("mesh", Class::Frozen, false));
    world.write("mesh", &[("a", "2"), ("b", "1")]);
    world.read();
    world.wait_secs(10);
    let Verdict::Act(crate::core::plan::Act::Roll(plan)) = world.plan().verdict else {
        panic!("no roll");
    };
    world.patch(&plan);
    assert_eq!(sources(&world.state.index), ["app", "mesh"]);
    // A Pod starts, and the content changes before the operator has read anything.
    world.delete_pod("a.0");
    world.pod("a.1");
    world.wait_secs(2);
    world.write("mesh", &[("a", "3"), ("b", "1")]);
    world.wait_secs(60);
    world.delete_pod("b.0");
    world.pod("b.1");
    assert_eq!(world.finish(), 1, "the first Pod lacks the second change");
}

#[test]
fn after_a_restart_what_was_injected_is_where_it_was() {
    let mut world = injected(reference("mesh", Class::Frozen, false));
    world.stop();
    world.start();
    assert_eq!(world.finish(), 0);
    world.stop();
    world.write("mesh", &[("a", "2"), ("b", "1")]);
    world.start();
    assert_eq!(world.finish(), 1);
}

/// The template is patched, and no Pod of it is there yet when the operator starts anew.
fn restarted_before_the_first_pod_of_a_roll() -> World {
    let mut world = injected(variable("mesh", "a", false));
    world.write("mesh", &[("a", "2"), ("b", "1")]);
    world.read();
    world.wait_secs(10);
    let Verdict::Act(crate::core::plan::Act::Roll(plan)) = world.plan().verdict else {
        panic!("no roll");
    };
    world.patch(&plan);
    world.plan();
    world.stop();
    world.wait_secs(5);
    world.start();
    world.plan();
    world
}

#[test]
fn a_restart_before_the_first_pod_of_a_roll_misses_nothing() {
    let mut world = restarted_before_the_first_pod_of_a_roll();
    world.delete_pod("a.0");
    world.pod("a.1");
    world.wait_secs(2);
    world.write("mesh", &[("a", "3"), ("b", "1")]);
    world.wait_secs(60);
    world.delete_pod("b.0");
    world.pod("b.1");
    assert_eq!(world.finish(), 1, "the first Pod lacks the second change");
}

#[test]
fn a_restart_before_the_first_pod_of_a_roll_rolls_nothing_needlessly() {
    let mut world = restarted_before_the_first_pod_of_a_roll();
    world.delete_pod("a.0");
    world.pod("a.1");
    world.wait_secs(2);
    // Another key is edited before the operator has read anything.
    world.write("mesh", &[("a", "2"), ("b", "2")]);
    world.wait_secs(60);
    world.delete_pod("b.0");
    world.pod("b.1");
    assert_eq!(world.finish(), 0);
}

#[test]
fn a_restart_after_another_template_has_come_follows_its_pods_alone() {
    let mut world = injected(variable("mesh", "a", false));
    world.stop();
    world.change_template(2, None);
    world.start();
    assert_eq!(sources(&world.state.index), ["app"]);
}

#[test]
fn what_is_not_managed_follows_nothing() {
    let mut world = injected(reference("mesh", Class::Frozen, false));
    world.workload.sync = Some("false".into());
    world.put_workload();
    assert!(sources(&world.state.index).is_empty());
    world.pod("c.0");
    assert!(sources(&world.state.index).is_empty());
    let (forward, reverse) = world.state.index.edges();
    assert_eq!(forward, reverse);
}
