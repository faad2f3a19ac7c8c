//! Looks on, and says what was wrong. It knows contents and what they do, and Pods; of the rules and of
//! what the operator makes of it all it knows nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::rules::{Bypass, Change, Limits};
use crate::world::{Effect, STEP, Work, World};

/// How long a workload must be seen to be healthy.
const SOAK: u64 = 60;
/// How long a failure lasts before it is certain.
const LASTING: u64 = 30;
/// How long a failure that is over is remembered.
const WINDOW: u64 = 300;
const DEADLINE: u64 = 600;

/// The last roll of a workload.
#[derive(Clone, Debug)]
struct Seen {
    at: u64,
    /// That of its template.
    revision: u64,
    bypass: bool,
    /// Whether it could prove anything.
    whole: bool,
    /// How many Pods were not ready before.
    unready: usize,
    /// Whether it has come to an end: complete, failed or stuck.
    over: bool,
    /// Whether a container ever failed.
    ailing: bool,
    /// Whether it certainly failed.
    failed: bool,
    /// What was good for the workload before, by source and content.
    before: BTreeSet<(usize, u64)>,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    /// The last roll of each workload.
    rolls: BTreeMap<usize, Seen>,
    /// Since when a workload is healthy with all that is newest.
    healthy: BTreeMap<usize, u64>,
    /// Which contents were good for which workload.
    good: BTreeMap<usize, BTreeSet<(usize, u64)>>,
    /// How many rolls in a row were overtaken in a healthy soak.
    overtaken: BTreeMap<usize, usize>,
    /// Contents with which a container failed, as anybody could see.
    evidence: BTreeSet<(usize, u64)>,
    /// What was wrong, each with the number of the promise.
    pub broken: Vec<(u8, String)>,
    /// How many rolls there were.
    pub count: usize,
}

fn content(world: &World, change: Change) -> (usize, u64) {
    (change.source, world.id(change.source, change.version))
}

fn is_member(work: &Work, world: &World, change: Change) -> bool {
    work.newest(world).get(&change.source) == Some(&change.version)
}

fn has(work: &Work, world: &World, change: Change) -> bool {
    is_member(work, world, change) && !work.lacks(world).contains(&change)
}

// === impl Judge ===

impl Judge {
    fn wrong(&mut self, promise: u8, why: String) {
        self.broken.push((promise, why));
    }

    /// Looks at all Pods.
    pub(crate) fn look(&mut self, world: &World) {
        let now = world.now;
        self.rolls.retain(|name, _| world.works.contains_key(name));
        for work in world.works.values() {
            let well = work.replicas > 0
                && work.is_settled()
                && work.pods.iter().any(|pod| world.is_ready(work, pod))
                && work
                    .pods
                    .iter()
                    .all(|pod| pod.lost || world.is_ready(work, pod));
            // Once it was well, only a failure or a rollout begins it again: a Pod that starts anew with
            // the same content says nothing of it.
            let fails = |pod| world.fails_since(work, pod).is_some();
            let goes_on = work.replicas > 0
                && work.is_settled()
                && work.pods.iter().any(|pod| world.is_ready(work, pod))
                && !work.pods.iter().any(fails);
            if well {
                self.healthy.entry(work.name).or_insert(now);
            } else if !goes_on {
                self.healthy.remove(&work.name);
            }
            let since = self.healthy.get(&work.name).copied();
            if since.is_some_and(|since| now - since >= SOAK) {
                let lacks = work.lacks(world);
                let newest = work.newest(world).into_iter();
                let has =
                    newest.filter(|(source, _)| lacks.iter().all(|one| one.source != *source));
                let contents = has.map(|(source, version)| (source, world.id(source, version)));
                self.good.entry(work.name).or_default().extend(contents);
            }
            let Some(seen) = self.rolls.get_mut(&work.name) else {
                continue;
            };
            // Its owner's own rollout has both.
            seen.whole &= work.revision == seen.revision;
            let pods = work.pods.iter().chain(&work.surge);
            let new = pods.filter(|pod| pod.start >= seen.at);
            let fails = new.filter_map(|pod| Some((world.fails_since(work, pod)?, pod)));
            let fails = fails.min_by_key(|(since, _)| *since);
            if let Some((_, pod)) = fails.filter(|_| seen.whole) {
                let has = pod
                    .has
                    .iter()
                    .map(|(source, at)| (*source, world.id(*source, *at)));
                self.evidence.extend(has);
            }
            seen.ailing |= fails.is_some() || now - seen.at >= DEADLINE;
            // A Pod whose container took other content by itself fails with it, but was not brought up
            // with it: that leaves the first ones open, who are to find out which content it is.
            let pods = work.pods.iter().chain(&work.surge);
            let brought = pods.filter(|pod| pod.start >= seen.at && !pod.took_by_itself());
            let since_when = brought.filter_map(|pod| world.fails_since(work, pod)).min();
            let lasting = since_when.map(|since| since.max(seen.at) + LASTING);
            let failed = lasting.is_some_and(|certain| now >= certain + STEP) && seen.whole;
            seen.failed |= failed;
            if since.is_some_and(|since| now - since >= WINDOW) || work.replicas == 0 {
                seen.failed = false;
            }
            let idle = work.replicas == 0 || work.held;
            let given_up = now - seen.at >= DEADLINE || !work.pulls || idle;
            let ready = work.pods.iter().filter(|pod| world.is_ready(work, pod));
            let as_before = ready.count() + seen.unready >= work.replicas;
            let complete = as_before && work.lacks(world).is_empty() && work.surge.is_none();
            seen.over |= complete || given_up;
            seen.over |= lasting.is_some_and(|certain| now >= certain);
        }
    }

    /// Looks at a roll that is about to be made.
    pub(crate) fn rolled(
        &mut self,
        world: &World,
        name: usize,
        bypass: Option<Bypass>,
        limits: Limits,
    ) {
        self.count += 1;
        let work = &world.works[&name];
        let lacks = work.lacks(world);
        if lacks.is_empty() {
            self.wrong(0, format!("{name} lacks nothing"));
        }
        self.judge_bypass(world, work, bypass);
        for change in lacks {
            self.judge_halt(world, work, change);
            self.judge_victims(world, work, change, bypass, limits);
            if bypass.is_none() {
                self.judge_first(world, work, change, limits);
            }
            if bypass != Some(Bypass::Broken) {
                self.judge_budget(world, work, change, limits);
            }
        }
        let others = self.rolls.iter().filter(|(other, _)| **other != name);
        let all = others.filter(|(_, seen)| !seen.over).count();
        if all >= limits.cluster {
            self.wrong(2, format!("{name} goes beside {all}"));
        }
        let before = self.rolls.get(&name);
        let ready = work
            .pods
            .iter()
            .filter(|pod| world.is_ready(work, pod))
            .count();
        let healthy = before.is_some_and(|seen| seen.whole && seen.over && !seen.failed);
        let overtaken = self.overtaken.entry(name).or_default();
        *overtaken = if healthy { *overtaken + 1 } else { 0 };
        self.rolls.insert(
            name,
            Seen {
                at: world.now,
                revision: work.revision + 1,
                bypass: bypass.is_some(),
                whole: work.is_whole(world) && work.is_settled(),
                unready: work.replicas - ready.min(work.replicas),
                over: false,
                ailing: false,
                failed: false,
                before: self.good.get(&name).cloned().unwrap_or_default(),
            },
        );
        self.healthy.remove(&name);
    }

    /// I1: a bypass is a true one.
    fn judge_bypass(&mut self, world: &World, work: &Work, bypass: Option<Bypass>) {
        let ready = work.pods.iter().any(|pod| world.is_ready(work, pod));
        let last = self.rolls.get(&work.name);
        let recovered = last.is_none_or(|seen| !seen.ailing);
        if bypass == Some(Bypass::Broken) && ready && recovered {
            self.wrong(1, format!("{} is not broken", work.name));
        }
        let lacks = work.lacks(world);
        let good = self.good.get(&work.name);
        let known =
            |change: &Change| good.is_some_and(|good| good.contains(&content(world, *change)));
        if bypass == Some(Bypass::Revert) && !lacks.iter().all(known) {
            self.wrong(1, format!("{} never had {lacks:?}", work.name));
        }
    }

    /// I3: a change that certainly failed goes to nobody.
    fn judge_halt(&mut self, world: &World, work: &Work, change: Change) {
        let failed = self.rolls.iter().find(|(name, seen)| {
            let other = &world.works[*name];
            seen.failed
                && other.lacks(world).is_empty()
                && has(other, world, change)
                && !seen.before.contains(&content(world, change))
        });
        if let Some((other, _)) = failed {
            let why = format!("{} gets {change:?}, which failed in {other}", work.name);
            self.wrong(3, why);
        }
    }

    fn lane<'a>(
        &'a self,
        world: &'a World,
        work: &'a Work,
        change: Change,
    ) -> impl Iterator<Item = &'a Work> {
        let lane = world.works.values().filter(|other| other.lane == work.lane);
        lane.filter(move |other| is_member(other, world, change))
    }

    /// I1: until somebody has proven it, a change is under way in one workload of a lane.
    fn judge_first(&mut self, world: &World, work: &Work, change: Change, limits: Limits) {
        let id = content(world, change);
        let proven = |other: &Work| {
            self.good
                .get(&other.name)
                .is_some_and(|good| good.contains(&id))
        };
        let waived = |other: &Work| {
            has(other, world, change)
                && self.overtaken.get(&other.name).is_some_and(|one| *one >= 3)
        };
        let lane = || self.lane(world, work, change);
        if lane().any(|other| proven(other) || waived(other)) {
            return;
        }
        let mut contents = world.sources[change.source].iter();
        let made = contents.find(|one| one.version == change.version);
        // Pods may start with what came after the roll; but who got it later was not rolled for it.
        let made = made.map_or(0, |content| content.at);
        let open = lane().filter(|other| {
            let seen = self.rolls.get(&other.name);
            let open = seen.is_some_and(|seen| {
                seen.whole
                    && seen.at + LASTING >= made
                    && (!seen.over || self.healthy.contains_key(&other.name))
            });
            open && other.name != work.name && has(other, world, change)
        });
        let names: Vec<usize> = open.map(|other| other.name).collect();
        if names.len() >= limits.first {
            let why = format!(
                "{} gets {change:?} while {names:?} have not proven it",
                work.name
            );
            self.wrong(1, why);
        }
    }

    /// I12: at most one workload of a lane gets what is bad for all before anybody saw it fail, but
    /// for those that had no Pod to lose, or that had failed before.
    fn judge_victims(
        &mut self,
        world: &World,
        work: &Work,
        change: Change,
        bypass: Option<Bypass>,
        limits: Limits,
    ) {
        let mut contents = world.sources[change.source].iter();
        let bad = contents.any(|one| {
            one.version == change.version
                && matches!(one.effect, Effect::Crash | Effect::Late)
                && one.victims == u64::MAX
        });
        let seen = self.evidence.contains(&content(world, change));
        if !bad || seen || bypass.is_some() || !work.is_whole(world) {
            return;
        }
        let before = self.lane(world, work, change).filter(|other| {
            let whole = self.rolls.get(&other.name);
            let whole = whole.is_some_and(|seen| seen.whole && !seen.bypass);
            whole
                && other.pulls
                && !other.held
                && other.replicas > 0
                && other.name != work.name
                && has(other, world, change)
        });
        if before.count() >= limits.first {
            self.wrong(12, format!("{} gets {change:?}, bad for all", work.name));
        }
    }

    /// I2: so many at a time.
    fn judge_budget(&mut self, world: &World, work: &Work, change: Change, limits: Limits) {
        let members = self.lane(world, work, change).count();
        let most = (members * limits.percent / 100).max(limits.least);
        let rolling = self.lane(world, work, change).filter(|other| {
            let open = self.rolls.get(&other.name).is_some_and(|seen| !seen.over);
            open && other.name != work.name
        });
        let rolling = rolling.count();
        if rolling >= most {
            let why = format!("{} goes beside {rolling} of {change:?}", work.name);
            self.wrong(2, why);
        }
    }

    /// I4 and I5: once nothing moves any more, who lacks something lacks what fails, or can't be
    /// rolled. Where nothing fails, nobody lacks anything.
    pub fn at_rest(&mut self, world: &World) {
        let mut waiting = Vec::new();
        let works = world.works.values();
        for work in works.filter(|work| !work.held && work.replicas > 0) {
            let lacks = work.lacks(world);
            // Whoever gets it together with something bad can't tell which of them it is.
            let fails = |change: &Change| {
                world.works.values().any(|other| {
                    is_member(other, world, *change)
                        && world.effect(other, &other.newest(world)) != Effect::Fine
                })
            };
            if !lacks.is_empty() && !lacks.iter().any(fails) {
                waiting.push((work.name, lacks));
            }
        }
        for (name, lacks) in waiting {
            self.wrong(4, format!("{name} still lacks {lacks:?}"));
        }
    }
}
