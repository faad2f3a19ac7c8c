//! Random histories.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::rules::{DEFAULT, Limits, Mutant};
use crate::world::{Effect, Work, World};

#[derive(Clone, Debug)]
enum Op {
    Edit {
        source: usize,
        keys: u8,
        effect: Effect,
        victims: u64,
    },
    Revert {
        source: usize,
        back: usize,
    },
    Restart(usize, usize),
    Lose(usize, usize),
    Scale(usize, usize),
    Image(usize),
    Hold(usize, bool),
    Pull(usize, bool),
    Remove(usize),
    Add(usize, u8),
    Mend,
}

/// A history: workloads, limits, and what happens after which wait.
#[derive(Clone, Debug)]
pub(super) struct History {
    works: Vec<(u8, u8, usize, bool, u64, Option<usize>)>,
    limits: Limits,
    ops: Vec<(u64, Op)>,
}

const SOURCES: usize = 2;

fn op() -> impl Strategy<Value = Op> {
    let work = 0..12_usize;
    let effect = prop_oneof![
        5 => Just(Effect::Fine),
        3 => Just(Effect::Crash),
        2 => Just(Effect::Late),
        1 => Just(Effect::Never),
    ];
    let victims = prop_oneof![Just(u64::MAX), any::<u64>()];
    prop_oneof![
        8 => (0..SOURCES, 1..4_u8, effect, victims).prop_map(|(source, keys, effect, victims)| Op::Edit { source, keys, effect, victims }),
        2 => (0..SOURCES, 1..3_usize).prop_map(|(source, back)| Op::Revert { source, back }),
        2 => (work.clone(), 0..3_usize).prop_map(|(work, pod)| Op::Restart(work, pod)),
        2 => (work.clone(), 0..3_usize).prop_map(|(work, pod)| Op::Lose(work, pod)),
        2 => (work.clone(), 0..4_usize).prop_map(|(work, to)| Op::Scale(work, to)),
        2 => work.clone().prop_map(Op::Image),
        2 => (work.clone(), any::<bool>()).prop_map(|(work, held)| Op::Hold(work, held)),
        1 => (work.clone(), any::<bool>()).prop_map(|(work, pulls)| Op::Pull(work, pulls)),
        1 => work.clone().prop_map(Op::Remove),
        1 => (work, 1..4_u8).prop_map(|(work, keys)| Op::Add(work, keys)),
        1 => Just(Op::Mend),
    ]
}

pub(super) fn history() -> impl Strategy<Value = History> {
    let interval = prop_oneof![3 => Just(30_u64), 1 => Just(300)];
    let lane = prop_oneof![4 => Just(None), 1 => (0..2_usize).prop_map(Some)];
    let work = (0..4_u8, 0..4_u8, 1..4_usize, any::<bool>(), interval, lane);
    let wait = prop_oneof![2 => 0..40_u64, 2 => 40..150_u64, 1 => 150..1200_u64];
    let limits = (
        1..3_usize,
        prop_oneof![Just(5_usize), Just(1)],
        prop_oneof![Just(50_usize), Just(2)],
    );
    let limits = limits.prop_map(|(first, least, cluster)| Limits {
        first,
        least,
        cluster,
        ..DEFAULT
    });
    (
        prop::collection::vec(work, 1..9),
        limits,
        prop::collection::vec((wait, op()), 1..14),
    )
        .prop_map(|(works, limits, ops)| History { works, limits, ops })
}

fn work(name: usize, one: &(u8, u8, usize, bool, u64, Option<usize>)) -> Work {
    let (first, second, replicas, surges, interval, lane) = *one;
    let uses: Vec<(usize, u8)> = [(0, first), (1, second)]
        .into_iter()
        .filter(|(_, keys)| *keys > 0)
        .collect();
    let mut work = World::work(name, &uses, replicas);
    (work.surges, work.interval, work.lane) = (surges, interval, lane);
    work
}

/// Runs a history, and returns the world with what was wrong.
pub(super) fn run(history: &History, mutant: Mutant) -> World {
    let works = history.works.iter().enumerate();
    let works = works.map(|(name, one)| work(name, one)).collect();
    let mut world = World::new(SOURCES, works, history.limits, mutant);
    // That it is healthy has been seen.
    world.pass(120);
    for (wait, op) in &history.ops {
        world.pass(*wait);
        world.note(format!("--- {op:?}"));
        act(&mut world, op.clone());
    }
    // All comes to rest, whatever may fail.
    world.pass(3 * 3600);
    rest(&mut world);
    // People mend everything.
    world.mend();
    for source in 0..SOURCES {
        world.edit(source, u8::MAX, Effect::Fine, 0);
    }
    world.pass(3 * 3600);
    rest(&mut world);
    let left: Vec<usize> = (world.works.values())
        .filter(|work| !work.lacks(&world).is_empty())
        .map(|work| work.name)
        .collect();
    if !left.is_empty() {
        let why = format!("{left:?} are outdated though nothing fails");
        world.judge.broken.push((4, why));
    }
    world
}

fn rest(world: &mut World) {
    let mut judge = std::mem::take(&mut world.judge);
    judge.at_rest(world);
    world.judge = judge;
}

fn act(world: &mut World, op: Op) {
    let works = world.works.len().max(1);
    let nth = |at: usize| world.works.keys().nth(at % works).copied();
    match op {
        Op::Edit {
            source,
            keys,
            effect,
            victims,
        } => {
            world.edit(source, keys, effect, victims);
        }
        Op::Revert { source, back } => world.revert(source, back),
        Op::Restart(at, pod) => {
            if let Some(name) = nth(at) {
                world.restart(name, pod);
            }
        }
        Op::Lose(at, pod) => {
            if let Some(name) = nth(at) {
                world.change(name, |work| {
                    let pods = work.pods.len().max(1);
                    if let Some(pod) = work.pods.get_mut(pod % pods) {
                        pod.lost = true;
                    }
                });
            }
        }
        Op::Scale(at, to) => {
            if let Some(name) = nth(at) {
                world.change(name, |work| work.replicas = to);
            }
        }
        Op::Image(at) => {
            if let Some(name) = nth(at) {
                world.image(name);
            }
        }
        Op::Hold(at, held) => {
            if let Some(name) = nth(at) {
                world.change(name, |work| work.held = held);
            }
        }
        Op::Pull(at, pulls) => {
            if let Some(name) = nth(at) {
                world.change(name, |work| work.pulls = pulls);
            }
        }
        Op::Remove(at) => {
            if let Some(name) = nth(at) {
                world.works.remove(&name);
            }
        }
        Op::Add(name, keys) => {
            if !world.works.contains_key(&name) {
                world.add(World::work(name, &[(0, keys), (1, keys)], 2));
            }
        }
        Op::Mend => world.mend(),
    }
}

pub(super) fn given<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_promise_is_kept() {
    let config = Config {
        cases: given("PROPTEST_CASES").unwrap_or(256),
        failure_persistence: None,
        max_shrink_iters: 5_000,
        rng_seed: RngSeed::Fixed(given("PROPTEST_RNG_SEED").unwrap_or(1)),
        ..Config::default()
    };
    let kept = |history: History| {
        let world = run(&history, Mutant::None);
        match world.judge.broken.first() {
            None => Ok(()),
            Some((promise, why)) => {
                let trace = world.trace.join("\n");
                Err(TestCaseError::fail(format!("{trace}\nI{promise}: {why}")))
            }
        }
    };
    if let Err(broken) = TestRunner::new(config).run(&history(), kept) {
        panic!("{broken}");
    }
}
