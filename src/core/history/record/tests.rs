//! Rules on what a Pod has that need more than one timeline: what is stored and
//! taken up again, whose Pods count. Named after the numbered rules of the design.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::api::limits::MAX_KEYS;
use crate::api::reasons::Reason;
use crate::core::content::SourceContent;
use crate::core::content::digest::DigestKey;
use crate::core::object::pod::ContainerStart;
use crate::core::plan::{Act, Verdict};
use crate::core::testing::{World, config_map, listed, reference, variable};

/// A Deployment that uses `app` as variables, in sync, with two Pods.
fn running() -> World {
    let mut world = World::new([reference("app", Class::Frozen, false)]);
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.wait_secs(10);
    world.pod("web-1");
    world.pod("web-2");
    world.wait_secs(10);
    assert_eq!(world.step().reason, Reason::InSync);
    assert_eq!(states(&world), "Fresh Fresh");
    world
}

fn states(world: &World) -> String {
    let facts = world.assess();
    let states: Vec<String> = facts.iter().map(|pod| format!("{:?}", pod.state)).collect();
    states.join(" ")
}

fn restart(world: &mut World) {
    world.stop();
    world.wait_secs(20);
    world.start();
}

#[test]
fn rule_04_trigger_as_evidence() {
    let mut world = running();
    world.policy(json!({"settle": "0s", "minInterval": "0s"}));
    // Edited, rolled and its Pods born within one second.
    world.write("app", &[("a", "2"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
    assert_eq!(states(&world), "Fresh Fresh");
    // Stored right after the roll, before anything was in sync.
    let mut stored = world.stored.clone().unwrap();
    stored["lastInSync"] = json!(null);
    stored["starts"] = json!([]);
    world.stored = Some(stored);
    restart(&mut world);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
}

#[test]
fn rule_06_after_downtime_a_change_is_found() {
    let mut world = running();
    world.stop();
    world.wait_secs(5);
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.wait_secs(5);
    world.pod("web-3");
    world.start();
    world.read();
    assert_eq!(states(&world), "Stale Stale Fresh");
    assert_eq!(world.finish(), 1);
    assert_eq!(world.rolls[0].causes, ["ConfigMap/app: a"]);
    assert_eq!(states(&world), "Fresh Fresh Fresh");
}

/// The API server's clock is set back while nobody watches, or another answers.
#[test]
fn rule_06_after_downtime_a_change_is_found_though_the_clock_was_set_back() {
    // At last to before the Pods started.
    for back in [1, 3000, 4015] {
        let mut world = running();
        world.wait_secs(4000);
        assert_eq!(world.step().reason, Reason::InSync);
        world.stop();
        let back = Duration::from_secs(back);
        world.clock -= back;
        world.skew += back;
        world.write("app", &[("a", "2"), ("b", "1")]);
        world.start();
        world.read();
        assert_eq!(states(&world), "Stale Stale", "{back:?}");
    }
}

#[test]
fn rule_06_after_downtime_a_removed_key_is_found() {
    let mut world = running();
    world.stop();
    world.wait_secs(5);
    world.write("app", &[("a", "1")]);
    world.wait_secs(5);
    world.pod("web-3");
    world.wait_secs(5);
    world.start();
    // No time tells of a removal: every Pod of the list counts as older.
    world.read();
    assert_eq!(states(&world), "Stale Stale Stale");
    assert_eq!(world.finish(), 1);
    assert_eq!(world.rolls[0].causes, ["ConfigMap/app: b"]);
}

#[test]
fn rule_06_after_downtime_deletion_and_recreation() {
    let mut world = running();
    world.stop();
    world.wait_secs(5);
    world.delete("app");
    world.wait_secs(5);
    world.start();
    assert_eq!(world.step().reason, Reason::SourceMissing);
    // With the same content: nothing.
    world.wait_secs(5);
    world.write("app", &[("a", "1"), ("b", "1")]);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
    // With other content, unseen: one roll.
    world.stop();
    world.delete("app");
    world.wait_secs(5);
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.start();
    assert_eq!(world.finish(), 1);
}

#[test]
fn rule_06_after_downtime_a_value_set_back_is_unknown() {
    let mut world = running();
    world.stop();
    world.wait_secs(5);
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.wait_secs(5);
    world.pod("web-3");
    world.wait_secs(5);
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.wait_secs(5);
    world.pod("web-4");
    world.start();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh Unknown Fresh");
    // Before and after another restart.
    restart(&mut world);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh Unknown Fresh");
    world.write("app", &[("a", "3"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
}

#[test]
fn rule_06_a_restart_between_an_edit_and_its_roll_loses_nothing() {
    let mut world = running();
    world.wait_secs(60);
    world.write("app", &[("a", "2"), ("b", "1")]);
    // In the middle of `settle`; stored.
    assert_eq!(world.step().reason, Reason::Settling);
    restart(&mut world);
    assert_eq!(world.finish(), 1);
    assert_eq!(states(&world), "Fresh Fresh");
}

#[test]
fn rule_06_a_restart_in_the_middle_of_a_roll_rolls_no_more() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.read();
    world.wait_secs(5);
    let Verdict::Act(Act::Roll(plan)) = world.plan().verdict else {
        panic!("not rolled");
    };
    world.patch(&plan);
    world.delete_pod("web-1");
    world.pod("web-3");
    assert_eq!(world.plan().reason, Reason::BeingReplaced);
    restart(&mut world);
    assert_eq!(world.step().reason, Reason::BeingReplaced);
    assert_eq!(states(&world), "Stale Fresh");
    world.delete_pod("web-2");
    world.pod("web-4");
    assert_eq!(world.finish(), 0);
}

#[test]
fn rule_06_a_change_set_back_while_down_is_not_rolled() {
    // An edit was stored as pending, and is undone before the restart.
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    assert_eq!(world.step().reason, Reason::Settling);
    world.stop();
    world.wait_secs(20);
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.start();
    // Nothing is decided on what is stored alone.
    assert_eq!(world.plan().reason, Reason::SourceNotRead);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
}

#[test]
fn rule_06_what_happens_after_the_list_is_seen_live() {
    let mut world = running();
    world.stop();
    world.wait_secs(5);
    world.start();
    // Set to another value and back before the first read, with a Pod between.
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.wait_secs(1);
    world.pod("web-3");
    world.wait_secs(1);
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.wait_secs(1);
    world.pod("web-4");
    world.read();
    assert_eq!(states(&world), "Fresh Fresh Unknown Fresh");
    // One more, so that the content before it differs.
    world.write("app", &[("a", "3"), ("b", "1")]);
    world.wait_secs(1);
    world.pod("web-5");
    world.write("app", &[("a", "4"), ("b", "1")]);
    world.read();
    assert_eq!(states(&world), "Stale Stale Stale Stale Stale");
}

#[test]
fn rule_07_first_sight() {
    let mut world = World::new([reference("app", Class::Frozen, true)]);
    world.pod("web-1");
    world.wait_secs(10);
    world.write("app", &[("a", "1")]);
    world.wait_secs(10);
    world.pod("web-2");
    world.stop();
    world.start();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Fresh");
    restart(&mut world);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Fresh");
    // Shown as such, and outdated once the content moves.
    world.write("app", &[("a", "2")]);
    assert_eq!(world.finish(), 1);
    assert_eq!(states(&world), "Fresh Fresh");
}

#[test]
fn rule_07_a_deployment_that_starts_before_its_config_map() {
    let mut world = World::new([reference("app", Class::Frozen, false)]);
    assert_eq!(world.step().reason, Reason::SourceMissing);
    let mut waiting = world.pod("web-1");
    let mut pod = world.pods["web-1"].clone();
    pod.containers[0].started = None;
    world.put_pod(pod);
    world.wait_secs(30);
    assert_eq!(world.step().reason, Reason::SourceMissing);
    world.write("app", &[("a", "1")]);
    assert_eq!(world.finish(), 0);
    // Its container starts.
    waiting.0 += 10;
    let mut pod = world.pods["web-1"].clone();
    pod.containers[0].started = Some(crate::core::object::pod::ContainerStart {
        at: world.time(),
        shown: Some(waiting),
        ahead: 0,
    });
    world.put_pod(pod);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh");
}

#[test]
fn rule_07_everything_at_once() {
    // In one second, the Pod first by a hair.
    for first in ["pod", "source"] {
        let mut world = World::new([reference("app", Class::Live, false)]);
        if first == "pod" {
            world.pod("web-1");
            world.write("app", &[("a", "1")]);
        } else {
            world.write("app", &[("a", "1")]);
            world.pod("web-1");
        }
        if first == "pod" {
            // It could not start before.
            let mut pod = world.pods["web-1"].clone();
            pod.containers[0].started = None;
            world.put_pod(pod);
        }
        assert_eq!(world.finish(), 0, "{first}");
        restart(&mut world);
        assert_eq!(world.finish(), 0, "{first}");
    }
}

#[test]
fn rule_07_a_reference_added_by_the_template() {
    let mut world = running();
    world.write("more", &[("x", "1")]);
    world.wait_secs(5);
    world.workload.references = [
        reference("app", Class::Frozen, false),
        reference("more", Class::Frozen, false),
    ]
    .into();
    world.change_template(2, None);
    world.replace_pods();
    assert_eq!(world.finish(), 0);
    // The edit between a Pod's start and our first read counts.
    world.workload.references = [reference("late", Class::Frozen, true)].into();
    world.change_template(3, None);
    world.replace_pods();
    world.wait_secs(5);
    world.write("late", &[("x", "1")]);
    assert_eq!(world.finish(), 1);
}

#[test]
fn rule_07_a_reference_that_only_the_policy_added_tells_nothing() {
    let mut world = World::new([
        reference("app", Class::Frozen, false),
        reference("more", Class::Frozen, false),
    ]);
    world.policy(json!({"sources": {"exclude": [{"name": "more"}]}}));
    world.write("app", &[("a", "1")]);
    world.write("more", &[("x", "1")]);
    world.wait_secs(5);
    world.pod("web-1");
    assert_eq!(world.finish(), 0);
    world.wait_secs(5);
    world.write("more", &[("x", "2")]);
    assert_eq!(world.finish(), 0);
    assert_eq!(world.record().tracks.len(), 1);
    world.stop();
    world.policy(json!({}));
    world.start();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown");
}

/// How a reference may come to be followed.
#[derive(Clone, Copy, Debug)]
enum Begins {
    Annotation,
    Policy,
    Included,
}

/// A Deployment that uses the key `a` of `app`, of which nothing is followed yet.
fn not_followed(how: Begins) -> World {
    let mut world = World::new([variable("app", "a", false)]);
    match how {
        Begins::Annotation | Begins::Policy => {
            world.workload.sync = None;
            world.put_workload();
        }
        Begins::Included => world.policy(json!({"sources": {"exclude": [{"name": "app"}]}})),
    }
    world.write("app", &[("a", "1"), ("b", "1")]);
    world.wait_secs(60);
    world.pod("web-1");
    world.wait_secs(60);
    world
}

fn follow(world: &mut World, how: Begins) {
    match how {
        Begins::Annotation => {
            world.workload.sync = Some("true".into());
            world.put_workload();
        }
        Begins::Policy => world.policy(json!({"settle": "0s"})),
        Begins::Included => world.policy(json!({"sources": {}})),
    }
}

#[test]
fn rule_07_what_was_edited_before_it_was_followed_is_unknown() {
    for how in [Begins::Annotation, Begins::Policy, Begins::Included] {
        let mut world = not_followed(how);
        // Of another key: nothing tells that but the content before, which nobody read.
        world.write("app", &[("a", "1"), ("b", "2")]);
        world.wait_secs(60);
        follow(&mut world, how);
        assert_eq!(world.finish(), 0, "{how:?}");
        assert_eq!(states(&world), "Unknown", "{how:?}");
        world.wait_secs(60);
        world.write("app", &[("a", "1"), ("b", "3")]);
        assert_eq!(world.finish(), 0, "{how:?}");
        restart(&mut world);
        assert_eq!(world.finish(), 0, "{how:?}");
        // Its content moves.
        world.write("app", &[("a", "2"), ("b", "3")]);
        assert_eq!(world.finish(), 1, "{how:?}");
        assert_eq!(states(&world), "Fresh", "{how:?}");
    }
}

#[test]
fn rule_07_a_template_that_came_while_the_workload_was_not_managed_tells_nothing() {
    let mut world = running();
    world.write("more", &[("a", "1"), ("b", "1")]);
    world.workload.sync = None;
    world.workload.references = [variable("more", "a", false)].into();
    world.change_template(2, None);
    world.replace_pods();
    world.wait_secs(10);
    world.write("more", &[("a", "1"), ("b", "2")]);
    world.workload.sync = Some("true".into());
    world.put_workload();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Unknown");
}

/// Puts `web-1` in a state in which its container has, or has not, started.
fn container(world: &mut World, started: bool) {
    let mut pod = world.pods["web-1"].clone();
    let start = ContainerStart {
        at: world.time(),
        shown: pod.start.rv.map(|rv| Rv(rv.0 + 10)),
        ahead: 0,
    };
    pod.containers[0].started = started.then_some(start);
    world.put_pod(pod);
}

#[test]
fn rule_08_a_pod_that_is_older_than_its_required_source() {
    for (optional, rolls) in [(false, 0), (true, 1)] {
        let mut world = World::new([reference("app", Class::Frozen, optional)]);
        world.pod("web-1");
        container(&mut world, optional);
        // Nothing is read of it before it exists.
        world.write("app", &[("a", "1")]);
        container(&mut world, true);
        assert_eq!(world.finish(), rolls, "optional: {optional}");
        assert_eq!(states(&world), "Fresh", "optional: {optional}");
    }
}

#[test]
fn rule_08_a_pod_that_ran_before_its_required_source_has_something_else() {
    // It was deleted before the first sight, live and listed.
    for listed in [false, true] {
        let mut world = World::new([reference("app", Class::Frozen, false)]);
        world.pod("web-1");
        assert_eq!(world.step().reason, Reason::SourceMissing);
        if listed {
            restart(&mut world);
            world.step();
        }
        world.write("app", &[("a", "1")]);
        assert_eq!(world.finish(), 1, "listed: {listed}");
        assert_eq!(states(&world), "Fresh");
    }
}

#[test]
fn rule_08_what_comes_without_what_is_projected_changes_nothing() {
    let mut world = World::new([variable("app", "a", true)]);
    world.write("app", &[("a", "1")]);
    world.wait_secs(5);
    world.pod("web-1");
    assert_eq!(world.finish(), 0);
    // Its absence is found in a list, which tells no version of it.
    world.stop();
    world.delete("app");
    world.start();
    assert_eq!(world.finish(), 1);
    world.wait_secs(60);
    for _ in 0..2 {
        world.write("app", &[("b", "1")]);
        assert_eq!(world.finish(), 0);
        world.delete("app");
        assert_eq!(world.finish(), 0);
    }
    assert_eq!(states(&world), "Fresh");
}

#[test]
fn rule_08_absent_and_recreated() {
    let mut world = running();
    world.delete("app");
    assert_eq!(world.step().reason, Reason::SourceMissing);
    // Two edits at once, the first never read.
    world.write("app", &[("a", "9"), ("b", "1")]);
    world.write("app", &[("a", "1"), ("b", "1")]);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
}

#[test]
fn rule_08_an_empty_source_is_missed_though_its_content_is_the_same() {
    for restarted in [false, true] {
        let mut world = World::new([
            reference("app", Class::Frozen, false),
            reference("more", Class::Frozen, false),
        ]);
        world.write("app", &[]);
        world.write("more", &[("a", "1")]);
        world.wait_secs(5);
        world.pod("web-1");
        assert_eq!(world.finish(), 0);
        if restarted {
            world.stop();
        }
        world.delete("app");
        world.write("more", &[("a", "2")]);
        if restarted {
            world.start();
        }
        // No Pod could start.
        assert_eq!(world.finish(), 0);
        assert_eq!(world.step().reason, Reason::SourceMissing);
        world.write("app", &[]);
        assert_eq!(world.finish(), 1);
        assert_eq!(states(&world), "Fresh");
    }
}

#[test]
fn rule_09_a_restart_with_nothing_changed_rolls_nothing() {
    let mut world = World::new([reference("app", Class::Frozen, true)]);
    // Content, Pod and first read in the same second.
    world.write("app", &[("a", "1")]);
    world.pod("web-1");
    assert_eq!(world.finish(), 0);
    world.write("app", &[("a", "2")]);
    world.pod("web-2");
    world.read();
    assert_eq!(states(&world), "Stale Fresh");
    assert_eq!(world.plan().reason, Reason::Settling);
    // All within one second, which can't order them: so the starts are stored.
    let stored = world.stored.as_ref().unwrap();
    assert_eq!(stored["starts"].as_array().unwrap().len(), 2);
    restart(&mut world);
    world.read();
    assert_eq!(states(&world), "Stale Fresh");
    assert_eq!(world.finish(), 1);
    restart(&mut world);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
}

#[test]
fn rule_09_last_in_sync_is_of_the_contents_then() {
    let mut world = running();
    let synced = world.stored.as_ref().unwrap()["lastInSync"].clone();
    world.wait_secs(60);
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.step();
    assert_eq!(world.stored.as_ref().unwrap()["lastInSync"], synced);
}

#[test]
fn rule_10_other_uses_are_another_reference() {
    let mut world = running();
    let before = world.track().clone();
    // The same source and class, another use: the Pods are of the new template.
    world.workload.references = [variable("app", "a", false)].into();
    world.change_template(2, None);
    let after = world.track();
    assert_ne!(after.fingerprint, before.fingerprint);
    assert!(after.timeline.is_none());
    world.replace_pods();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
    // A newer operator sees more in the same template: Pods can't be told.
    let mut world = running();
    world.write("app", &[("a", "1"), ("b", "2")]);
    world.stop();
    world.workload.references = [variable("app", "a", false)].into();
    world.start();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Unknown");
}

#[test]
fn rule_12_a_new_leader_keeps_what_it_saw() {
    // The leader has stored an edit; we followed, and saw Pods start since.
    let mut world = running();
    world.policy(json!({"suspend": true}));
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.step();
    let leader = world.stored.clone().unwrap();
    world.pod("web-3");
    world.write("app", &[("a", "3"), ("b", "1")]);
    world.pod("web-4");
    world.read();
    let before = world.assess();
    assert_eq!(states(&world), "Stale Stale Stale Fresh");
    for _ in 0..2 {
        world.shown(&leader, None, false);
        assert_eq!(world.assess(), before);
    }
}

#[test]
fn rule_12_a_new_leader_takes_over_rolls_and_what_it_did_not_see() {
    // A replica that starts now sees the last content alone.
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
    world.wait_secs(60);
    world.write("app", &[("a", "3"), ("b", "1")]);
    world.step();
    let (leader, rolls) = (world.stored.take().unwrap(), world.record().rolls.clone());
    world.stop();
    world.wait_secs(5);
    world.start();
    world.read();
    assert_eq!(states(&world), "Unknown Unknown");
    world.shown(&leader, None, false);
    assert_eq!(states(&world), "Stale Stale");
    assert_eq!(world.record().rolls, rolls);
    assert_eq!(world.finish(), 1);
}

#[test]
fn rule_13_terminating_and_finished_pods_do_not_count() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    for name in ["web-1", "web-2"] {
        let mut pod = world.pods[name].clone();
        pod.active = false;
        world.put_pod(pod);
    }
    world.read();
    world.wait_secs(10);
    assert!(world.assess().is_empty());
    assert_eq!(world.plan().reason, Reason::InSync);
}

#[test]
fn a_lost_key_rolls_nothing() {
    // Unchanged: each Pod keeps its state, an outdated one too.
    let mut world = running();
    world.policy(json!({"suspend": true}));
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.wait_secs(5);
    world.pod("web-3");
    assert_eq!(world.step().reason, Reason::Suspended);
    assert_eq!(states(&world), "Stale Stale Fresh");
    world.stop();
    world.key = DigestKey::new(&[8; 32]);
    world.start();
    world.read();
    assert!(world.record().restated);
    assert_eq!(states(&world), "Stale Stale Fresh");
    // Once more, under the new key.
    world.plan();
    restart(&mut world);
    world.read();
    assert_eq!(states(&world), "Stale Stale Fresh");
}

#[test]
fn a_lost_key_and_a_change_leave_pods_unknown() {
    let mut world = running();
    world.stop();
    world.wait_secs(5);
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.key = DigestKey::new(&[8; 32]);
    world.start();
    world.read();
    assert!(world.record().restated);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Unknown");
    world.wait_secs(5);
    world.write("app", &[("a", "3"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
}

#[test]
fn a_digest_of_an_unknown_format_is_read_anew() {
    let mut world = running();
    world.stop();
    let text = world.stored.take().unwrap().to_string();
    world.stored = Some(serde_json::from_str(&text.replace("v1.", "v9.")).unwrap());
    world.start();
    world.read();
    assert!(world.record().restated);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
}

/// As in a Projection that would have been too large with them.
#[test]
fn a_change_is_found_though_the_keys_were_left_out() {
    let restarted = |edit: &[(&str, &str)]| {
        let mut world = running();
        world.stop();
        let reference = &mut world.stored.as_mut().unwrap()["references"][0];
        reference["keys"] = json!([]);
        reference["keyDigests"] = json!({});
        reference["keysLeftOut"] = json!(true);
        if !edit.is_empty() {
            world.write("app", edit);
        }
        world.start();
        world.read();
        world
    };
    let mut same = restarted(&[]);
    assert!(same.track().keys_left_out);
    assert_eq!(same.finish(), 0);
    assert_eq!(states(&same), "Fresh Fresh");
    // Keys that were removed and added are no more than may have been.
    let mut other = restarted(&[("c", "1")]);
    assert!(!other.track().keys_left_out);
    assert_eq!(other.finish(), 1);
    assert_eq!(*other.rolls[0].causes, ["ConfigMap/app"]);
}

#[test]
fn a_projection_that_was_deleted_while_down_leaves_pods_unknown() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.stop();
    world.stored = None;
    world.start();
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Unknown");
}

#[test]
fn an_orphaned_workload_that_is_recreated_keeps_its_timelines() {
    let mut world = running();
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.read();
    let timeline = world.record().tracks.clone();
    world.workload.uid = "another-uid".into();
    world.put_workload();
    assert_eq!(&*world.record().uid, "another-uid");
    assert_eq!(world.record().tracks, timeline);
    assert!(world.record().rolls.is_empty());
}

#[test]
fn a_gap_stays_open_until_what_was_listed_is_read() {
    let mut world = running();
    // A read is under way when the watch breaks; the list brings a later version.
    let (content, answered) = (world.content("app"), world.clock);
    world.stop();
    world.wait_secs(5);
    world.write("app", &[("a", "2"), ("b", "1")]);
    world.wait_secs(5);
    world.pod("web-3");
    world.wait_secs(5);
    world.write("app", &[("a", "1"), ("b", "1")]);
    let (record, now) = (world.record().clone(), world.clock);
    world.start();
    *world.record_mut() = record;
    world.clock = answered;
    world.take_in("app", &content);
    world.clock = now;
    world.read();
    assert_eq!(states(&world), "Fresh Fresh Unknown");
}

#[test]
fn a_reading_that_runs_ahead_of_a_deletion() {
    // Deleted and created anew; the watch still shows the first version.
    let mut world = running();
    let shown = |world: &World| world.state.index.source(&config_map("app")).cloned();
    let mut source = shown(&world).unwrap();
    world.delete("app");
    world.write("app", &[("a", "1"), ("b", "1")]);
    let after = world.content("app");
    let source_after = shown(&world).unwrap();
    let reference = reference("app", Class::Frozen, false);
    let key = world.key.clone();
    let mut track = world.track().clone();
    let mut observe = |source: &Source, content: &SourceContent| {
        let answer = Answer {
            content,
            source: Some(source),
            date: crate::core::testing::at(500),
            received: Mono::default(),
            listed: None,
            comparable: true,
        };
        let seen = SeenContent::of("shop", &reference, content, &key);
        track.observe(&reference, &answer, &seen);
        track.timeline.as_ref().unwrap().entries().len()
    };
    assert_eq!(observe(&source, &after), 2);
    // The events come, and it is read again.
    source.events = source_after.events;
    observe(&source, &after);
    let timeline = track.timeline.as_ref().unwrap();
    let missing: Vec<bool> = timeline
        .entries()
        .iter()
        .map(|entry| entry.missing)
        .collect();
    // Before it was created, and between the two.
    assert_eq!(missing, [true, false, true, false]);
}

#[test]
fn an_absence_that_is_read_before_its_event() {
    // The watch shows an edit, the read that nothing is there.
    let mut world = running();
    let edited = world.write("app", &[("a", "2"), ("b", "1")]);
    world.take_in("app", &SourceContent::Absent);
    let track = world.track();
    let newest = track.timeline.as_ref().unwrap().newest().clone();
    assert!(newest.missing && newest.since.rv.is_none());
    let deleted = world.delete("app");
    world.read();
    // Nothing lags any more by then, or it is read once more: the same.
    world.take_in("app", &SourceContent::Absent);
    let timeline = world.track().timeline.clone();
    let versions: Vec<Option<Rv>> = timeline
        .unwrap()
        .entries()
        .iter()
        .map(|entry| entry.since.rv)
        .collect();
    assert!(versions.contains(&Some(edited)), "{versions:?} {deleted}");
}

#[test]
fn many_keys() {
    let names: Vec<String> = (0..100).map(|n| format!("key-{n:03}")).collect();
    let data = |changed: usize| -> Vec<(&str, &str)> {
        let value = |n| if n == changed { "new" } else { "old" };
        names
            .iter()
            .enumerate()
            .map(|(n, name)| (&**name, value(n)))
            .collect()
    };
    let mut world = World::new([reference("app", Class::Frozen, false)]);
    world.write("app", &data(1000));
    world.wait_secs(5);
    world.pod("web-1");
    world.finish();
    assert_eq!(world.track().keys.len(), MAX_KEYS);
    // Of those that are remembered the changed one is named, and no other.
    world.write("app", &data(5));
    world.finish();
    world.wait_secs(60);
    world.write("app", &data(90));
    world.finish();
    let causes: Vec<&[String]> = world.rolls.iter().map(|roll| &*roll.causes).collect();
    assert_eq!(
        causes,
        [["ConfigMap/app: key-005"], ["ConfigMap/app: key-005"]]
    );
    // Others may have changed too, and one has.
    let timeline = world.track().timeline.as_ref().unwrap();
    let unnamed: Vec<bool> = timeline
        .entries()
        .iter()
        .map(|entry| entry.unnamed)
        .collect();
    assert_eq!(unnamed, [false, false, true, true]);
}

#[test]
fn unneeded_starts_are_dropped() {
    let mut world = running();
    let uid = world.pods["web-1"].uid.clone();
    world.record_mut().starts = [(uid.clone(), Rv(9)), ("gone".into(), Rv(8))].into();
    world.plan();
    assert_eq!(world.record().starts, [(uid, Rv(9))].into());
    let pod = listed(&world.pods["web-1"]);
    assert_eq!(world.record().start_of(&pod).rv, Some(Rv(9)));
}

#[test]
fn the_digest_in_a_revision() {
    for (revision, base) in [
        ("v1.0a.0b", "v1.0a.0b"),
        ("v1.0a.0b.1", "v1.0a.0b"),
        ("", ""),
        ("x", "x"),
    ] {
        assert_eq!(base_of(revision), base);
    }
}

#[test]
fn the_refresh_bound_counts_from_receipt() {
    let mut world = World::new([reference("app", Class::Live, false)]);
    world.policy(json!({"strategy": "Observe"}));
    world.write("app", &[("a", "1")]);
    world.wait_secs(5);
    world.pod("web-1");
    world.finish();
    world.write("app", &[("a", "2")]);
    let decision = world.step();
    assert_eq!(decision.reason, Reason::ObserveOnly);
    let until = world.now() + Duration::from_secs(120);
    assert_eq!(decision.verdict, Verdict::Wait(Some(until)));
    assert_eq!(states(&world), "Refreshing");
    world.wait_secs(120);
    assert_eq!(world.step().reason, Reason::InSync);
    assert_eq!(states(&world), "Fresh");
}

#[test]
fn the_kubelet_does_not_refresh_what_is_missing() {
    let mut world = World::new([reference("app", Class::Live, false)]);
    world.policy(json!({"strategy": "Observe"}));
    world.write("app", &[("a", "1")]);
    world.wait_secs(5);
    world.pod("web-1");
    world.finish();
    world.delete("app");
    world.finish();
    world.wait_secs(300);
    assert_eq!(world.step().reason, Reason::SourceMissing);
    assert_eq!(states(&world), "Refreshing");
    world.write("app", &[("a", "2")]);
    world.step();
    world.wait_secs(120);
    assert_eq!(world.step().reason, Reason::InSync);
    assert_eq!(states(&world), "Fresh");
}

#[test]
fn files_that_the_kubelet_refreshed_are_not_those_of_the_start() {
    let mut world = World::new([reference("app", Class::Live, false)]);
    world.policy(json!({"strategy": "Observe"}));
    world.write("app", &[("a", "1")]);
    world.wait_secs(5);
    world.pod("web-1");
    world.finish();
    // Listed, so that only times place it.
    restart(&mut world);
    world.policy(json!({"strategy": "Observe"}));
    world.finish();
    world.write("app", &[("a", "2")]);
    world.finish();
    world.wait_secs(300);
    assert_eq!(world.step().reason, Reason::InSync);
    assert_eq!(states(&world), "Fresh");
    world.policy(json!({}));
    assert_eq!(world.step().reason, Reason::ContentChanged);
}

/// The kubelet doesn't watch an immutable object: a node that had the old one may go
/// on giving it to new Pods.
#[test]
fn what_pods_have_of_an_immutable_source_that_was_made_again_is_unknown() {
    let mut world = running();
    world.freeze("app");
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
    world.delete("app");
    assert_eq!(world.step().reason, Reason::SourceMissing);
    world.wait_secs(60);
    world.write("app", &[("a", "2"), ("b", "1")]);
    for round in 0..2 {
        assert_eq!(world.finish(), 1 - round);
        assert_eq!(states(&world), "Unknown Unknown");
        let stored = world.stored.as_ref().unwrap();
        let said = stored["conditions"].to_string();
        assert!(said.contains("ConfigMap/app was immutable"), "{said}");
        let said = stored["pods"]["notFresh"].to_string();
        assert!(said.contains("its node may have given it"), "{said}");
        restart(&mut world);
    }
    // Immutable again, or edited: a node may keep the first one all the same.
    world.finish();
    world.freeze("app");
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Unknown Unknown");
    world.delete("app");
    world.wait_secs(60);
    world.write("app", &[("a", "3"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
    assert_eq!(states(&world), "Unknown Unknown");
    // The old content is what every node gives.
    world.wait_secs(60);
    world.write("app", &[("a", "1"), ("b", "1")]);
    assert_eq!(world.finish(), 1);
    assert_eq!(states(&world), "Fresh Fresh");
}

/// Nor are files of running Pods refreshed: see tests/kubelet, `Node`.
#[test]
fn files_of_an_immutable_source_that_was_made_again_are_never_refreshed() {
    for optional in [false, true] {
        let mut world = World::new([reference("app", Class::Live, optional)]);
        world.policy(json!({"strategy": "Observe"}));
        world.write("app", &[("a", "1")]);
        world.freeze("app");
        world.wait_secs(10);
        world.pod("web-1");
        assert_eq!(world.finish(), 0);
        assert_eq!(states(&world), "Fresh");
        world.delete("app");
        world.step();
        world.wait_secs(300);
        world.step();
        assert_ne!(states(&world), "Fresh", "optional: {optional}");
        world.write("app", &[("a", "2")]);
        for _ in 0..2 {
            world.step();
            world.wait_secs(300);
            world.step();
            assert_eq!(states(&world), "Stale", "optional: {optional}");
            let said = world.stored.as_ref().unwrap()["pods"]["notFresh"].to_string();
            assert!(said.contains("may keep the old content"), "{said}");
            restart(&mut world);
        }
    }
}

#[test]
fn an_immutable_source_made_again_as_it_was_is_known() {
    let mut world = running();
    world.freeze("app");
    world.finish();
    world.delete("app");
    world.finish();
    world.write("app", &[("a", "1"), ("b", "1")]);
    assert_eq!(world.finish(), 0);
    assert_eq!(states(&world), "Fresh Fresh");
}
