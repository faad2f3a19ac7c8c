//! For each promise a rule that breaks it: what finds nothing wrong proves nothing.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::history::{history, run};
use crate::rules::Mutant;

/// How many histories may be needed.
const HISTORIES: usize = 2000;

fn breaks(mutant: Mutant, promise: u8) {
    let config = Config {
        rng_seed: RngSeed::Fixed(1),
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let found = (0..HISTORIES).any(|_| {
        let tree = history().new_tree(&mut runner);
        let world = run(&tree.expect("a history").current(), mutant);
        world
            .judge
            .broken
            .iter()
            .any(|(broken, _)| *broken == promise)
    });
    assert!(found, "{mutant:?} breaks nothing");
}

macro_rules! mutants {
    ($($name:ident: $mutant:ident breaks $promise:literal;)+) => {$(
        #[test]
        fn $name() {
            breaks(Mutant::$mutant, $promise);
        }
    )+};
}

mutants! {
    there_is_a_first_wave: NoFirst breaks 1;
    a_bad_content_is_seen_in_the_first_one: NoFirst breaks 12;
    a_soak_is_waited_for: NoSoak breaks 1;
    a_failure_halts: NoHalt breaks 3;
    it_halts_every_lane: HaltsOwnLane breaks 3;
    other_content_ends_a_halt: HaltsForEver breaks 4;
    only_what_has_no_pod_to_lose_is_broken: AnyBroken breaks 1;
    every_change_is_asked: OneSource breaks 1;
    nobody_waits_for_who_is_skipped: WaitsForSkipped breaks 4;
    there_are_limits: NoSlots breaks 2;
    a_soak_that_is_overtaken_is_waived: NoWaiver breaks 4;
}
