//! Whole flows: edits, rolls and Pods over time, on a simulated cluster.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::testing::{World, reference};
use crate::kinds::Class;

fn running(class: Class) -> World {
    let mut world = World::new([reference("app", class, false)]);
    world.write("app", &[("a", "0")]);
    world.wait_secs(10);
    for pod in ["web-1", "web-2", "web-3"] {
        world.pod(pod);
    }
    world.wait_secs(60);
    assert_eq!(world.step().reason, Reason::InSync);
    world
}

fn all_fresh(world: &World) -> bool {
    Tally::of(&world.assess()).fresh == 3
}

#[test]
fn fifty_edits_in_five_seconds_make_at_most_two_rolls() {
    // How many of the versions are read, and how far the reads lag.
    for read_each in [1, 3, 7, 49] {
        let mut world = running(Class::Frozen);
        for edit in 1..=50 {
            world.write("app", &[("a", &edit.to_string())]);
            if edit % read_each == 0 {
                world.step();
            }
            world.wait(Duration::from_millis(100));
        }
        world.finish();
        let rolls = world.rolls.len();
        assert!((1..=2).contains(&rolls), "{rolls} rolls");
        assert!(all_fresh(&world));
        assert_eq!(world.step().reason, Reason::InSync);
    }
}

#[test]
fn a_burst_is_rolled_when_settle_ends_not_when_the_edits_do() {
    let mut world = running(Class::Frozen);
    let start = world.now();
    for edit in 1..=50 {
        world.write("app", &[("a", &edit.to_string())]);
        if matches!(world.step().verdict, Verdict::Act(_)) {
            assert!(world.now().since(start) <= Duration::from_millis(2100));
            return;
        }
        world.wait(Duration::from_millis(100));
    }
    panic!("the roll waits for the end of the burst");
}

#[test]
fn the_fix_of_a_bad_value_does_not_wait_for_its_rollout() {
    let mut world = running(Class::Frozen);
    world.write("app", &[("a", "bad")]);
    world.read();
    world.wait_secs(2);
    let Verdict::Act(Act::Roll(plan)) = world.plan().verdict else {
        panic!("no roll");
    };
    world.patch(&plan);
    // One Pod with it, which crashes.
    let rv = world.pod("web-4");
    let mut pod = world.pods["web-4"].clone();
    assert_eq!(pod.start.rv, Some(rv));
    pod.ready = false;
    pod.broken = Some("CrashLoopBackOff".into());
    world.put_pod(pod);
    assert_eq!(world.step().reason, Reason::Blocked);
    world.write("app", &[("a", "good")]);
    world.read();
    world.wait_secs(10);
    let decision = world.plan();
    assert_eq!(decision.reason, Reason::MinimumInterval);
    let Verdict::Wait(Some(until)) = decision.verdict else {
        panic!("{decision:?}");
    };
    world.wait(until.since(world.now()));
    assert!(matches!(world.plan().verdict, Verdict::Act(_)));
}

/// Between two crashes nothing tells that a Pod can't run, and one without a readiness probe is ready
/// until it crashes again.
#[test]
fn a_rollout_that_waits_for_a_crashing_pod_stays_blocked_until_that_is_ready() {
    let mut world = running(Class::Frozen);
    world.write("app", &[("a", "bad")]);
    world.read();
    world.wait_secs(2);
    let Verdict::Act(Act::Roll(plan)) = world.plan().verdict else {
        panic!("no roll");
    };
    world.patch(&plan);
    world.pod("web-4");
    let state = |world: &mut World, ready: bool, broken: Option<&str>| {
        let mut pod = world.pods["web-4"].clone();
        pod.ready = ready;
        pod.broken = broken.map(Into::into);
        world.put_pod(pod);
        world.plan()
    };
    let decision = state(&mut world, false, Some("CrashLoopBackOff"));
    assert_eq!(decision.reason, Reason::Blocked);
    assert!(
        decision
            .message
            .contains("ConfigMap/app: a: if the new value is bad, set it back."),
        "{}",
        decision.message
    );
    for _ in 0..3 {
        // It shows `Error`, runs, and crashes.
        for ready in [false, true] {
            world.wait_secs(5);
            assert_eq!(state(&mut world, ready, None).reason, Reason::Blocked);
        }
        world.wait_secs(5);
        let decision = state(&mut world, false, Some("CrashLoopBackOff"));
        assert_eq!(decision.reason, Reason::Blocked);
    }
    assert_eq!(state(&mut world, true, None).reason, Reason::Blocked);
    world.wait_secs(10);
    assert_eq!(world.plan().reason, Reason::BeingReplaced);
}

#[test]
fn pods_that_crash_with_the_new_content_are_told_though_they_are_in_sync() {
    let mut world = running(Class::Frozen);
    world.write("app", &[("a", "bad")]);
    world.finish();
    assert_eq!(world.rolls.len(), 1);
    let names: Vec<_> = world.pods.keys().cloned().collect();
    let set = |world: &mut World, ready: bool, broken: Option<&str>| {
        for name in &names {
            let mut pod = world.pods[name].clone();
            pod.ready = ready;
            pod.broken = broken.map(Into::into);
            world.put_pod(pod);
        }
        let decision = world.plan();
        assert_eq!(decision.reason, Reason::InSync);
        decision.message
    };
    assert_eq!(set(&mut world, true, None), "No Pod is outdated.");
    let said = "No Pod is outdated. But 3 of 3 Pods are not ready since the roll for ConfigMap/app: a: if the new value is bad, set it back.";
    assert_eq!(set(&mut world, false, Some("CrashLoopBackOff")), said);
    // Without a readiness probe it is ready until it crashes again.
    world.wait_secs(5);
    assert_eq!(set(&mut world, true, None), said);
    world.wait_secs(10);
    assert_eq!(set(&mut world, true, None), "No Pod is outdated.");
    // Others' templates are others' affair.
    world.change_template(2, None);
    world.replace_pods();
    let names: Vec<_> = world.pods.keys().cloned().collect();
    for name in names {
        let mut pod = world.pods[&name].clone();
        pod.ready = false;
        world.put_pod(pod);
    }
    assert_eq!(world.plan().message, "No Pod is outdated.");
}

#[test]
fn set_back_within_settle() {
    let mut world = running(Class::Frozen);
    world.write("app", &[("a", "1")]);
    assert_eq!(world.step().reason, Reason::Settling);
    world.write("app", &[("a", "0")]);
    world.finish();
    assert_eq!(world.rolls.len(), 0);
    // Unless a Pod started in between.
    world.write("app", &[("a", "1")]);
    world.delete_pod("web-3");
    world.pod("web-3");
    world.read();
    world.write("app", &[("a", "0")]);
    world.finish();
    assert_eq!(world.rolls.len(), 1);
}

#[test]
fn back_and_forth_after_rolls() {
    // Both ways, with the revision of the first content coming back.
    let mut world = running(Class::Frozen);
    for round in 1..=6_u8 {
        world.wait_secs(60);
        world.write("app", &[("a", if round % 2 == 0 { "0" } else { "1" })]);
        world.finish();
        assert_eq!(world.rolls.len(), usize::from(round));
        assert!(all_fresh(&world));
    }
}

#[test]
fn two_sources_at_once_are_one_roll() {
    let mut world = World::new([
        reference("app", Class::Frozen, false),
        reference("conf", Class::Live, false),
    ]);
    world.write("app", &[("a", "0")]);
    world.write("conf", &[("a", "0")]);
    world.wait_secs(5);
    world.pod("web-1");
    world.wait_secs(60);
    world.finish();
    world.write("app", &[("a", "1")]);
    world.step();
    world.wait_secs(1);
    world.write("conf", &[("a", "1")]);
    world.finish();
    assert_eq!(world.rolls.len(), 1);
    assert_eq!(world.rolls[0].causes.len(), 2);
}

#[test]
fn a_config_map_and_its_deployment_together_are_one_rollout() {
    // Within one second: the Deployment's own rollout brings it.
    let mut world = running(Class::Frozen);
    world.write("app", &[("a", "1")]);
    world.change_template(2, None);
    world.step();
    world.replace_pods();
    world.finish();
    assert_eq!(world.rolls.len(), 0);
    assert!(all_fresh(&world));
    // The Deployment first, its Pods before the edit: one more.
    world.wait_secs(60);
    world.change_template(3, None);
    world.replace_pods();
    world.write("app", &[("a", "2")]);
    world.finish();
    assert_eq!(world.rolls.len(), 1);
    assert!(all_fresh(&world));
}

#[test]
fn what_users_do_otherwise_rolls_nothing() {
    let mut world = running(Class::Frozen);
    world.write("app", &[("a", "1")]);
    world.finish();
    assert_eq!(world.rolls.len(), 1);
    let revision = world.workload.template.revision.clone();
    // rollout undo, rollout restart, a new image, none left, scaled up.
    world.change_template(1, None);
    world.replace_pods();
    world.finish();
    world.change_template(2, revision.as_deref());
    world.replace_pods();
    world.finish();
    for pod in ["web-1.3", "web-2.3", "web-3.3"] {
        world.delete_pod(pod);
    }
    world.finish();
    world.pod("web-5");
    world.finish();
    world.label("app");
    world.finish();
    assert_eq!(world.rolls.len(), 1);
}

#[test]
fn a_policy_releases_what_waits() {
    for held in [json!({"suspend": true}), json!({"strategy": "Observe"})] {
        let mut world = running(Class::Frozen);
        world.policy(held);
        world.write("app", &[("a", "1")]);
        world.finish();
        assert_eq!(world.rolls.len(), 0);
        world.policy(json!({}));
        world.finish();
        assert_eq!(world.rolls.len(), 1);
    }
}

#[test]
fn a_paused_deployment_is_rolled_once_when_resumed() {
    let mut world = running(Class::Frozen);
    world.workload.paused = true;
    world.put_workload();
    for edit in ["1", "2", "3"] {
        world.write("app", &[("a", edit)]);
        world.wait_secs(40);
        assert_eq!(world.step().reason, Reason::Paused);
    }
    world.workload.paused = false;
    world.put_workload();
    world.finish();
    assert_eq!(world.rolls.len(), 1);
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Write(u8),
    Delete,
    Label,
    Pod(u8),
    PodGone(u8),
    Template(u8),
    Wait(u16),
    Step,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Event::Write),
        1 => Just(Event::Delete),
        1 => Just(Event::Label),
        3 => (0..4_u8).prop_map(Event::Pod),
        1 => (0..4_u8).prop_map(Event::PodGone),
        1 => (1..4_u8).prop_map(Event::Template),
        4 => (1..4000_u16).prop_map(Event::Wait),
        4 => Just(Event::Step),
        1 => Just(Event::Restart),
    ]
}

fn happens(world: &mut World, event: &Event) {
    let exists = matches!(
        world.content("app"),
        crate::core::content::SourceContent::Present(_)
    );
    match event {
        Event::Write(value) => {
            world.write("app", &[("a", &value.to_string())]);
        }
        Event::Delete if exists => {
            world.delete("app");
        }
        Event::Label if exists => {
            world.label("app");
        }
        Event::Pod(number) => {
            world.delete_pod(&format!("pod-{number}"));
            world.pod(&format!("pod-{number}"));
        }
        Event::PodGone(number) => world.delete_pod(&format!("pod-{number}")),
        Event::Template(hash) => world.change_template(*hash, None),
        Event::Wait(millis) => world.wait(Duration::from_millis((*millis).into())),
        Event::Step => {
            world.step();
        }
        Event::Restart => {
            // What is known is stored first, as at an orderly end. What came and
            // went unread left no trace.
            if !exists {
                world.read();
            }
            world.plan();
            world.stop();
            world.wait_secs(1);
            world.start();
        }
        Event::Delete | Event::Label => {}
    }
}

/// What came and went unread is no proof that a Pod from then has what came after it.
#[test]
fn a_pod_that_cannot_be_told_is_not_fresh_after_a_restart() {
    let mut world = fresh_world(10_000);
    world.step();
    let events = [
        Event::Write(0),
        Event::Pod(0),
        Event::Delete,
        Event::Restart,
    ];
    for event in &events {
        world.wait_secs(1);
        happens(&mut world, event);
    }
    for _ in 0..3 {
        world.step();
        world.wait_secs(31);
    }
    assert_eq!(
        world.assess()[0].state,
        crate::api::projection::PodState::Unknown
    );
}

/// An absence that was read late has a later time than Pods that have it.
#[test]
fn a_pod_from_before_a_late_reading_is_known_after_a_restart() {
    let mut world = fresh_world(10_000);
    world.step();
    world.wait_secs(1);
    world.write("app", &[("a", "1")]);
    world.step();
    world.wait_secs(3);
    world.delete("app");
    world.wait_secs(1);
    world.pod("pod-0");
    world.wait_secs(3);
    world.step();
    world.stop();
    world.wait_secs(1);
    world.write("app", &[("a", "1")]);
    world.start();
    world.finish();
    assert_eq!(world.rolls.len(), 1);
}

/// A world with an optional source, so that absence is content too.
fn fresh_world(skew: u64) -> World {
    let mut world = World::new([reference("app", Class::Frozen, true)]);
    world.skew = Duration::from_secs(skew);
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// After everything has come to rest each Pod that saw another content start
    /// is gone, and a plan on the state after acting is not a roll.
    #[test]
    fn no_change_is_missed_and_none_rolled_twice(
        events in prop::collection::vec(event(), 1..40)
    ) {
        let mut world = fresh_world(10_000);
        world.step();
        // What each Pod really has.
        let mut truth = std::collections::BTreeMap::new();
        for event in &events {
            // Within one second, and with a restart, order can't always be told.
            world.wait_secs(1);
            happens(&mut world, event);
            for pod in world.pods.values() {
                let has = || match world.content("app") {
                    crate::core::content::SourceContent::Present(reading) => Some(reading.keys),
                    crate::core::content::SourceContent::Absent => None,
                };
                truth.entry(pod.uid.clone()).or_insert_with(has);
            }
        }
        for _ in 0..10 {
            let decision = world.step();
            if let Verdict::Act(Act::Roll(plan)) = &decision.verdict {
                // Acted on at once: it never rolls again for the same.
                let again = world.step();
                prop_assert!(!matches!(again.verdict, Verdict::Act(_)), "{plan:?} {again:?}");
            }
            world.wait_secs(31);
        }
        let now = match world.content("app") {
            crate::core::content::SourceContent::Present(reading) => Some(reading.keys),
            crate::core::content::SourceContent::Absent => None,
        };
        for facts in world.assess() {
            let uid = &world.pods[&facts.name].uid;
            // Pods of the last rolls have what there is now.
            let has = truth.get(uid).unwrap_or(&now);
            let state = format!("{:?}", facts.state);
            prop_assert!(
                *has == now || state == "Unknown" || !facts.current,
                "{} has {has:?}, not {now:?}, and is {state}", facts.name
            );
        }
    }

    /// Where the operator never stops, what it says of a Pod is the truth.
    #[test]
    fn what_is_seen_live_is_exact(events in prop::collection::vec(event(), 1..40)) {
        let mut world = fresh_world(10_000);
        world.step();
        let mut truth = std::collections::BTreeMap::new();
        let content = |world: &World| match world.content("app") {
            crate::core::content::SourceContent::Present(reading) => Some(reading.keys),
            crate::core::content::SourceContent::Absent => None,
        };
        for event in events.iter().filter(|event| !matches!(event, Event::Restart | Event::Step)) {
            happens(&mut world, event);
            if let Event::Pod(number) = event {
                truth.insert(format!("pod-{number}"), (content(&world), world.pods.len()));
            }
            world.read();
            let now = content(&world);
            for facts in world.assess() {
                let fresh = facts.state == crate::api::projection::PodState::Fresh;
                prop_assert_eq!(fresh, truth[&*facts.name].0 == now, "{:?}", facts);
            }
        }
    }

    /// The operator's clock measures waits, and nothing else.
    #[test]
    fn the_operators_clock_judges_no_pod(events in prop::collection::vec(event(), 1..40)) {
        let (mut here, mut there) = (fresh_world(10_000), fresh_world(13_600));
        for event in &events {
            happens(&mut here, event);
            happens(&mut there, event);
            prop_assert_eq!(&here.rolls, &there.rolls);
            let (a, b) = (here.assess(), there.assess());
            prop_assert_eq!(a, b);
        }
        prop_assert_eq!(&here.record().starts, &there.record().starts);
    }
}
