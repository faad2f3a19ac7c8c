//! The histories with names: each broke an earlier form of the rules.

use crate::rules::{DEFAULT, Mutant, State};
use crate::world::{Effect, Work, World};

const ALL: u64 = u64::MAX;

fn works(count: usize, replicas: usize) -> Vec<Work> {
    let work = |name| World::work(name, &[(0, 1), (1, 1)], replicas);
    (0..count).map(work).collect()
}

fn world(works: Vec<Work>) -> World {
    let mut world = World::new(2, works, DEFAULT, Mutant::None);
    world.pass(120);
    world
}

fn edit(world: &mut World, source: usize, effect: Effect) {
    world.edit(source, 1, effect, ALL);
}

/// How many workloads lack something.
fn outdated(world: &World) -> usize {
    let works = world.works.values();
    works.filter(|work| !work.lacks(world).is_empty()).count()
}

fn failed(world: &World) -> usize {
    let works = world.works.values();
    works
        .filter(|work| work.state() == Some(State::Failed))
        .count()
}

fn nothing_was_wrong(world: &World) {
    assert_eq!(world.judge.broken, [], "{:#?}", world.trace);
}

#[test]
fn a_good_change_goes_out_in_minutes() {
    let mut world = world(works(40, 2));
    edit(&mut world, 0, Effect::Fine);
    world.pass(80);
    assert_eq!(outdated(&world), 39);
    world.pass(4 * 60);
    assert_eq!(outdated(&world), 0);
    nothing_was_wrong(&world);
}

#[test]
fn sixteen_of_twenty_with_one_broken_pod() {
    let mut world = world(works(20, 3));
    for name in 0..16 {
        world.change(name, |work| work.pods[0].lost = true);
    }
    edit(&mut world, 0, Effect::Crash);
    world.pass(3600);
    assert_eq!(
        (failed(&world), world.judge.count),
        (1, 1),
        "{:#?}",
        world.trace
    );
    nothing_was_wrong(&world);
}

#[test]
fn a_fix_in_a_halt_goes_to_who_failed_first() {
    let mut world = world(works(8, 2));
    edit(&mut world, 0, Effect::Crash);
    world.pass(600);
    assert_eq!((failed(&world), outdated(&world)), (1, 7));
    edit(&mut world, 0, Effect::Fine);
    world.pass(5);
    assert_eq!(world.judge.count, 2);
    world.pass(600);
    assert_eq!(outdated(&world), 0);
    nothing_was_wrong(&world);
}

#[test]
fn a_never_healthy_newcomer_accuses_nobody() {
    let mut world = world(works(4, 2));
    let bad = world.edit(1, 2, Effect::Crash, 1 << 9);
    world.add(World::work(9, &[(0, 1), (bad.source, 2)], 2));
    world.pass(600);
    edit(&mut world, 0, Effect::Fine);
    world.pass(600);
    assert_eq!(outdated(&world), 0);
    nothing_was_wrong(&world);
}

#[test]
fn a_first_one_that_can_not_be_rolled_holds_up_nobody() {
    let mut world = world(works(4, 2));
    world.change(0, |work| work.held = true);
    edit(&mut world, 0, Effect::Fine);
    world.pass(600);
    assert_eq!(outdated(&world), 1);
    nothing_was_wrong(&world);
}

#[test]
fn a_first_one_that_is_scaled_to_nothing_holds_up_nobody() {
    for wait in [5, 30, 120] {
        let mut world = world(works(4, 2));
        edit(&mut world, 0, Effect::Fine);
        world.pass(wait);
        world.change(0, |work| work.replicas = 0);
        world.pass(600);
        assert_eq!(outdated(&world), 0, "{wait}: {:#?}", world.trace);
        nothing_was_wrong(&world);
    }
}

#[test]
fn a_halt_by_one_that_has_no_pods_any_more_ends() {
    let mut world = world(works(4, 2));
    world.edit(0, 1, Effect::Crash, 1);
    world.pass(120);
    assert_eq!(failed(&world), 1);
    world.change(0, |work| work.replicas = 0);
    world.pass(200);
    assert_eq!(outdated(&world), 3);
    world.pass(600);
    assert_eq!(outdated(&world), 0);
}

#[test]
fn another_teams_key_in_a_halt() {
    let mut all = works(6, 2);
    all[5].uses = [(0, 2)].into();
    let mut world = world(all);
    edit(&mut world, 0, Effect::Crash);
    world.pass(120);
    assert_eq!(failed(&world), 1);
    world.edit(0, 2, Effect::Fine, 0);
    world.pass(60);
    let other = &world.works[&5];
    assert!(other.lacks(&world).is_empty() && other.state().is_some());
    assert_eq!(outdated(&world), 4);
    nothing_was_wrong(&world);
}

#[test]
fn a_source_that_is_edited_every_eighty_seconds_goes_out() {
    let mut world = world(works(6, 2));
    for _ in 0..20 {
        edit(&mut world, 0, Effect::Fine);
        world.pass(80);
    }
    let rolled = world.works.values().filter(|work| work.state().is_some());
    assert_eq!(rolled.count(), 6, "{:#?}", world.trace);
    nothing_was_wrong(&world);
}

#[test]
fn a_joint_roll_of_a_bad_and_a_good_source() {
    let mut world = world(works(6, 2));
    edit(&mut world, 0, Effect::Crash);
    edit(&mut world, 1, Effect::Fine);
    world.pass(300);
    assert_eq!((failed(&world), outdated(&world)), (1, 5));
    // The good one moves: what failed is tried again where it failed, and nowhere else.
    edit(&mut world, 1, Effect::Fine);
    world.pass(300);
    assert_eq!(
        (failed(&world), outdated(&world)),
        (1, 5),
        "{:#?}",
        world.trace
    );
    edit(&mut world, 0, Effect::Fine);
    world.pass(600);
    assert_eq!(outdated(&world), 0);
    nothing_was_wrong(&world);
}

#[test]
fn a_return_to_what_was_good_waits_for_nobody() {
    let mut world = world(works(20, 2));
    edit(&mut world, 0, Effect::Fine);
    world.pass(120);
    let rolled = world.judge.count;
    assert!((5..20).contains(&rolled), "{rolled}");
    world.revert(0, 1);
    world.pass(90);
    assert_eq!(outdated(&world), 0);
    // Those that were never rolled had it all the time.
    assert_eq!(world.judge.count, 2 * rolled);
    nothing_was_wrong(&world);
}

#[test]
fn the_first_ones_own_interval_holds_up_nobody() {
    let mut world = world(works(4, 2));
    world.change(0, |work| work.interval = 3600);
    edit(&mut world, 0, Effect::Fine);
    world.pass(600);
    edit(&mut world, 0, Effect::Fine);
    world.pass(600);
    assert_eq!(outdated(&world), 1);
    nothing_was_wrong(&world);
}

#[test]
fn a_lost_pod_of_the_first_one_holds_up_nobody() {
    let mut world = world(works(4, 2));
    edit(&mut world, 0, Effect::Fine);
    world.pass(45);
    world.change(0, |work| work.pods[0].lost = true);
    world.pass(600);
    assert_eq!(outdated(&world), 0);
    nothing_was_wrong(&world);
}
