//! Turns, held against the model of the rules in `tests/fleet`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet::rules::{self, Change, Limits, Mutant};
use proptest::prelude::*;

use super::*;
use crate::api::projection::RollState;
use crate::api::rollout::RolloutRules;
use crate::core::policy::{PolicyId, Rollout, Share};
use crate::kinds::{Rv, SourceId, SourceKind, WorkloadId, WorkloadKind};

fn source(number: usize) -> SourceId {
    SourceId::new(SourceKind::CONFIG_MAP, "ns", format!("source-{number}"))
}

fn workload(number: usize) -> WorkloadId {
    WorkloadId::new(WorkloadKind::DEPLOYMENT, "ns", format!("w{number:02}"))
}

fn rv(version: u64) -> Option<Rv> {
    Some(Rv(version))
}

/// The same member as the operator has it.
fn member(of: &rules::Member, limits: Limits) -> Member {
    let stands = of.newest.iter().map(|change| {
        let lacks = of.lacks.contains(change);
        let stand = Stand {
            change: rv(change.version),
            lacks,
            proven: of.proven.contains(change),
            accused: of.accused.contains(change),
            suspect: of.suspects.contains(change),
        };
        (source(change.source), stand)
    });
    let mut rollout = Rollout::compile(Some(&RolloutRules::default())).unwrap();
    rollout.max_concurrent = Share::Percent {
        percent: limits.percent,
        least: limits.least,
    };
    Member {
        lane: Lane {
            id: match of.lane {
                Some(lane) => LaneId::Of(PolicyId::namespaced("ns", format!("p{lane}"))),
                None => LaneId::Common,
            },
            rollout: Arc::new(rollout),
        },
        rank: Rank {
            slow: false,
            single: false,
            id: workload(of.name),
        },
        wave: None,
        ready: of.ready,
        whole: of.whole,
        may_go: of.may_go,
        skipped: of.skipped,
        reverts: of.reverts,
        roll: of.roll.map(|roll| LastRoll {
            state: match roll.state {
                rules::State::Rolling => RollState::Rolling,
                rules::State::Complete => RollState::Complete,
                rules::State::Good => RollState::Good,
                rules::State::Failed => RollState::Failed,
                rules::State::Stuck => RollState::Stuck,
            },
            tells: roll.tells,
            waived: of.overtaken >= 3,
        }),
        stands: stands.collect(),
    }
}

/// Everybody who goes now, one after the other: whoever is woken asks for its turn.
fn all_that_go(fleet: &mut Fleet) -> BTreeMap<WorkloadId, Option<Bypass>> {
    let mut gone = BTreeMap::new();
    let mut queue: Vec<WorkloadId> = Vec::new();
    loop {
        queue.extend(fleet.wake());
        queue.sort_by_key(|id| fleet.members.get(id).map(order));
        queue.retain(|id| !gone.contains_key(id));
        if queue.is_empty() {
            return gone;
        }
        let id = queue.remove(0);
        if let Ok(bypass) = fleet.turn(&id) {
            fleet.start(&id);
            gone.insert(id, bypass);
        }
    }
}

fn order(member: &Member) -> (bool, bool, Rank) {
    let broken = member.bypass() == Some(Bypass::Broken);
    (!broken, !member.whole, member.rank.clone())
}

fn state() -> impl Strategy<Value = rules::State> {
    prop_oneof![
        3 => Just(rules::State::Rolling),
        3 => Just(rules::State::Complete),
        2 => Just(rules::State::Good),
        1 => Just(rules::State::Failed),
        1 => Just(rules::State::Stuck),
    ]
}

prop_compose! {
    /// What a workload has to do with one source: change, and where it stands.
    fn stand()(uses: bool, version in 1_u64..3, lacks in prop::bool::weighted(0.6), proven in prop::bool::weighted(0.3),
        accused: bool, suspect in prop::bool::weighted(0.1)) -> Option<(u64, bool, bool, bool, bool)> {
        uses.then_some((version, lacks, proven, accused, suspect))
    }
}

prop_compose! {
    fn anybody()(
        stands in prop::array::uniform3(stand()),
        lane in prop_oneof![3 => Just(None), 1 => Just(Some(0))],
        ready in prop::bool::weighted(0.9),
        whole in prop::bool::weighted(0.8),
        may_go in prop::bool::weighted(0.8),
        skipped in prop::bool::weighted(0.1),
        reverts in prop::bool::weighted(0.1),
        roll in prop::option::of((state(), prop::bool::weighted(0.8))),
        overtaken in 0_usize..4,
    ) -> rules::Member {
        let mut one = rules::Member {
            name: 0, lane, newest: BTreeSet::new(), lacks: BTreeSet::new(), ready, whole: whole && ready, may_go,
            skipped, reverts: false, roll: roll.map(|(state, tells)| rules::Roll { state, tells }),
            proven: BTreeSet::new(), accused: BTreeSet::new(), suspects: BTreeSet::new(),
            fails_alone: BTreeSet::new(), overtaken,
        };
        for (source, stand) in stands.into_iter().enumerate() {
            let Some((version, lacks, proven, accused, suspect)) = stand else { continue };
            let change = Change { source, version };
            one.newest.insert(change);
            // What it has is accused, not what it lacks.
            let told = [(lacks, &mut one.lacks), (proven, &mut one.proven), (!lacks && accused, &mut one.accused),
                (!lacks && accused && suspect, &mut one.suspects)];
            for (_, set) in told.into_iter().filter(|(holds, _)| *holds) {
                set.insert(change);
            }
        }
        one.reverts = reverts && !one.lacks.is_empty();
        if !one.lacks.is_empty() {
            // Who is rolled again loses in the model what only the waiver proved, a step later.
            one.overtaken = 0;
        }
        one
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn go_as_the_model_lets_them(
        mut members in prop::collection::vec(anybody(), 1..9),
        least in 1_usize..4,
        cluster in 1_usize..6,
    ) {
        let limits = Limits { first: 1, percent: 25, least, cluster };
        let mut fleet = Fleet::new(Some(cluster));
        for (name, one) in members.iter_mut().enumerate() {
            one.name = name;
            fleet.take_in(&workload(name), Some(member(one, limits)));
        }
        // Who came before the source's rollout began is put in with it.
        for one in &members {
            fleet.take_in(&workload(one.name), Some(member(one, limits)));
        }
        let asked = rules::admit(&members, limits, Mutant::None);
        let asked: BTreeMap<_, _> = asked.into_iter().filter_map(|(name, verdict)| {
            let bypass = verdict.ok()?.map(|bypass| match bypass {
                rules::Bypass::Broken => Bypass::Broken,
                rules::Bypass::Revert => Bypass::Revert,
            });
            Some((workload(name), bypass))
        }).collect();
        prop_assert_eq!(all_that_go(&mut fleet), asked);
    }

    #[test]
    fn whatever_the_order_of_news_it_comes_to_the_same(
        mut members in prop::collection::vec((anybody(), anybody()), 1..7),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let limits = rules::DEFAULT;
        for (name, (before, after)) in members.iter_mut().enumerate() {
            (before.name, after.name) = (name, name);
        }
        let mut slow = Fleet::new(Some(5));
        for (name, (before, _)) in members.iter().enumerate() {
            slow.take_in(&workload(name), Some(member(before, limits)));
        }
        slow.wake();
        let at = shuffle.index(members.len());
        members.rotate_left(at);
        for (_, after) in &members {
            slow.take_in(&workload(after.name), Some(member(after, limits)));
        }
        let mut anew = Fleet::new(Some(5));
        for (_, after) in &members {
            // Who came before the source's rollout began is put in with it.
            anew.take_in(&workload(after.name), Some(member(after, limits)));
            anew.take_in(&workload(after.name), Some(member(after, limits)));
        }
        for (_, after) in &members {
            slow.take_in(&workload(after.name), Some(member(after, limits)));
            anew.take_in(&workload(after.name), Some(member(after, limits)));
        }
        slow.count();
        anew.count();
        prop_assert!(slow.dump() == anew.dump(), "differs");
    }
}
