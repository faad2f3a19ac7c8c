//! The histories with names: each broke an earlier form of the rules.

use crate::rules::{DEFAULT, Mutant, State};
use crate::world::{Effect, Work, World};

const ALL: u64 = u64::MAX;

fn works(count: usize, replicas: usize) -> Vec<Work> {
    let work = |name| World::work(name, &[(0, 1), (1, 1)], replicas);
    (0..count).map(work).collect()
}

fn world(works: Vec<Work>) -> World {
    ruled(works, Mutant::None)
}

fn ruled(works: Vec<Work>, mutant: Mutant) -> World {
    let mut world = World::new(2, works, DEFAULT, mutant);
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

#[test]
fn eight_policies_of_one_workload_each_on_one_source() {
    // None of them has waves of its own, so all eight are one lane.
    let mut one_lane = world(works(8, 2));
    edit(&mut one_lane, 0, Effect::Crash);
    one_lane.pass(3600);
    assert_eq!((failed(&one_lane), outdated(&one_lane)), (1, 7));
    nothing_was_wrong(&one_lane);
    // Each has waves of its own, and so a first one of its own: this is what it costs.
    let mut own_waves = works(16, 2);
    for work in &mut own_waves {
        work.lane = Some(work.name / 2);
    }
    let mut own_waves = world(own_waves);
    edit(&mut own_waves, 0, Effect::Crash);
    own_waves.pass(3600);
    assert_eq!((failed(&own_waves), outdated(&own_waves)), (8, 8));
    nothing_was_wrong(&own_waves);
}

#[test]
fn a_half_unready_first_one_proves_nothing_and_goes_last() {
    let mut world = world(works(4, 2));
    world.change(0, |work| work.pods[0].lost = true);
    // It would look healthy: the content is bad for the others alone.
    world.edit(0, 1, Effect::Crash, ALL << 1);
    world.pass(3600);
    assert_eq!(
        (failed(&world), world.judge.count),
        (1, 1),
        "{:#?}",
        world.trace
    );
    assert_eq!(world.works[&1].state(), Some(State::Failed));
    nothing_was_wrong(&world);
}

#[test]
fn newcomers_that_sort_first_do_not_begin_it_again() {
    let mut all = works(12, 2);
    let newcomers = all.drain(..6).collect::<Vec<_>>();
    let mut world = world(all);
    edit(&mut world, 0, Effect::Fine);
    world.pass(85);
    for work in newcomers {
        world.add(work);
    }
    world.pass(240);
    assert_eq!(outdated(&world), 0, "{:#?}", world.trace);
    nothing_was_wrong(&world);
}

#[test]
fn a_head_of_the_queue_that_can_not_go_lets_the_next_go() {
    let mut world = world(works(12, 2));
    world.change(1, |work| work.interval = 3600);
    edit(&mut world, 1, Effect::Fine);
    world.pass(900);
    edit(&mut world, 0, Effect::Fine);
    world.pass(300);
    assert_eq!(outdated(&world), 1, "{:#?}", world.trace);
    nothing_was_wrong(&world);
}

#[test]
fn a_revert_after_five_were_proven_takes_all_back_though_the_last_fails() {
    let mut world = world(works(12, 2));
    // It is bad for the last ones only.
    world.edit(0, 1, Effect::Crash, ALL << 6);
    world.pass(300);
    assert!(
        failed(&world) >= 1 && outdated(&world) >= 1,
        "{:#?}",
        world.trace
    );
    world.revert(0, 1);
    world.pass(120);
    assert_eq!(outdated(&world), 0, "{:#?}", world.trace);
    nothing_was_wrong(&world);
}

#[test]
fn a_pod_that_takes_bad_content_by_itself_leaves_the_first_one_open_alone() {
    let mut world = world(works(8, 2));
    edit(&mut world, 0, Effect::Crash);
    world.restart(7, 0);
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
fn the_first_sign_of_a_failure_stops_those_who_wait_for_a_slot() {
    let rolls = |mutant| {
        let mut world = ruled(works(12, 2), mutant);
        world.edit(0, 1, Effect::Crash, 1 << 2);
        world.pass(600);
        world.judge.count
    };
    assert_eq!(rolls(Mutant::None), 6);
    assert!(rolls(Mutant::NoSuspicion) > 6);
}

#[test]
fn what_failed_is_tried_again_where_it_failed_also_when_that_has_to_wait() {
    let rolls = |mutant| {
        let mut all = works(6, 2);
        all[0].interval = 3600;
        let mut world = ruled(all, mutant);
        // Nothing crashes, so that no sign of it is left but that it failed.
        edit(&mut world, 0, Effect::Never);
        edit(&mut world, 1, Effect::Fine);
        world.pass(900);
        edit(&mut world, 1, Effect::Fine);
        world.pass(300);
        world.judge.count
    };
    assert_eq!(rolls(Mutant::None), 1);
    assert!(rolls(Mutant::NoRetest) > 1);
}

#[test]
fn a_first_one_whose_owner_rolls_it_too_proves_nothing() {
    let failures = |mutant| {
        let mut world = ruled(works(12, 2), mutant);
        world.edit(0, 1, Effect::Crash, ALL << 1);
        world.pass(10);
        world.image(0);
        world.pass(900);
        failed(&world)
    };
    assert_eq!(failures(Mutant::None), 1);
    assert!(failures(Mutant::AnyProves) > 1);
}

#[test]
fn who_has_to_wait_for_its_own_interval_gives_its_place_up() {
    let left = |mutant| {
        let mut world = ruled(works(4, 2), mutant);
        world.change(0, |work| work.interval = 3600);
        edit(&mut world, 0, Effect::Fine);
        world.pass(600);
        edit(&mut world, 0, Effect::Fine);
        world.pass(600);
        outdated(&world)
    };
    assert_eq!(left(Mutant::None), 1);
    assert!(left(Mutant::KeepsPlace) > 1);
}
