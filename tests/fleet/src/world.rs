//! A simple cluster: sources whose contents are good or bad for some workloads, workloads whose
//! controllers replace Pods, and an operator that goes by the rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::Judge;
use crate::rules::{Bypass, Change, Limits, Member, Mutant, Roll, State, admit};

/// Seconds of one step.
pub const STEP: u64 = 5;

/// The time at which a world begins.
const BEGINNING: u64 = 100_000;

const START: u64 = 10;
const SOAK: u64 = 60;
const LASTING: u64 = 30;
const DEADLINE: u64 = 600;
const WINDOW: u64 = 300;
const DAY: u64 = 24 * 60 * 60;

/// What a content does to a workload that starts with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Fine,
    /// Its containers crash at once.
    Crash,
    /// They crash some seconds later, within the soak.
    Late,
    /// They never become ready.
    Never,
}

/// A version of a source.
#[derive(Clone, Debug)]
pub struct Content {
    /// In the order of all edits.
    pub version: u64,
    /// When it was made.
    pub at: u64,
    /// The same for the same content.
    pub id: u64,
    /// The keys that it touched, as bits.
    pub keys: u8,
    /// What it does.
    pub effect: Effect,
    /// To whom: every workload whose number is one of these, as bits.
    pub victims: u64,
}

/// A Pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// What it started with: a version of each source, as its workload sees it.
    pub has: BTreeMap<usize, u64>,
    revision: u64,
    /// When it was created, or its container started again.
    pub start: u64,
    /// The sources of which its container took other content by itself, in a workload that was
    /// whole.
    by_itself: Option<BTreeSet<usize>>,
    /// Whether it is not ready for reasons of its own.
    pub lost: bool,
}

/// A workload.
#[derive(Clone, Debug)]
pub struct Work {
    /// Its place in the order of all.
    pub name: usize,
    /// The policy with waves of its own that selects it.
    pub lane: Option<usize>,
    /// The keys of each source that it projects, as bits.
    pub uses: BTreeMap<usize, u8>,
    /// Its Pods.
    pub pods: Vec<Pod>,
    /// How many it should have.
    pub replicas: usize,
    /// Whether its controller starts a new Pod before it stops an old one.
    pub surges: bool,
    /// Whether its owner paused it: it is not rolled, and its controller replaces no Pod.
    pub held: bool,
    /// Whether its image can be pulled.
    pub pulls: bool,
    /// Least seconds between two rolls.
    pub interval: u64,
    /// Counts its templates.
    pub revision: u64,
    /// A new Pod beside those that it should have.
    pub surge: Option<Pod>,
    /// Whether its owner's rollout is under way.
    owners: bool,
    rolled: Option<Rolled>,
    /// Contents that were proven to be good for it, by source and content: when first, and last.
    good: BTreeMap<(usize, u64), (u64, u64)>,
    overtaken: usize,
}

#[derive(Clone, Debug)]
struct Rolled {
    at: u64,
    state: State,
    /// How many Pods were not ready; `None` where it tells nothing.
    unready: Option<usize>,
    complete: Option<u64>,
    failing: Option<u64>,
    progress: (usize, u64),
}

/// All of it.
#[derive(Clone, Debug)]
pub struct World {
    /// Seconds.
    pub now: u64,
    /// The contents of each source, oldest first.
    pub sources: Vec<Vec<Content>>,
    /// The workloads, by name.
    pub works: BTreeMap<usize, Work>,
    versions: u64,
    ids: u64,
    limits: Limits,
    mutant: Mutant,
    /// Looks on.
    pub judge: Judge,
    /// What happened, for when a promise is broken.
    pub trace: Vec<String>,
}

// === impl Pod ===

impl Pod {
    /// Whether its container started again with other content than the Pod was created with.
    #[must_use]
    pub fn took_by_itself(&self) -> bool {
        self.by_itself.is_some()
    }
}

// === impl Work ===

impl Work {
    /// Whether nothing of it is broken and nobody changes it.
    #[must_use]
    pub fn is_whole(&self, world: &World) -> bool {
        let ready = self.pods.iter().filter(|pod| world.is_ready(self, pod));
        self.replicas > 0 && ready.count() == self.replicas && !self.owners
    }

    /// Whether no rollout is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let mut pods = self.pods.iter();
        self.surge.is_none() && pods.all(|pod| pod.revision == self.revision)
    }

    /// The newest content of each source, as it sees it.
    #[must_use]
    pub fn newest(&self, world: &World) -> BTreeMap<usize, u64> {
        let touches = |keys: u8, content: &&Content| content.keys & keys != 0;
        let newest = |(source, keys): (&usize, &u8)| {
            let mut contents = world.sources[*source].iter().rev();
            let content = contents.find(|content| touches(*keys, content));
            (*source, content.map_or(0, |content| content.version))
        };
        self.uses.iter().map(newest).collect()
    }

    fn changes(&self, world: &World) -> BTreeSet<Change> {
        let newest = self.newest(world).into_iter();
        newest
            .map(|(source, version)| Change { source, version })
            .collect()
    }

    /// What its Pods of the current template lack.
    #[must_use]
    pub fn lacks(&self, world: &World) -> BTreeSet<Change> {
        let newest = self.newest(world);
        let pods = self.pods.iter().chain(&self.surge);
        let current = pods.filter(|pod| pod.revision == self.revision);
        let lacked = current.flat_map(|pod| {
            newest.iter().filter(|(source, version)| {
                world.id(**source, pod.has[*source]) != world.id(**source, **version)
            })
        });
        lacked
            .map(|(source, version)| Change {
                source: *source,
                version: *version,
            })
            .collect()
    }

    fn last_roll(&self) -> Option<Roll> {
        self.rolled.as_ref().map(|rolled| Roll {
            state: rolled.state,
            tells: rolled.unready == Some(0),
        })
    }

    /// How the last roll goes.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        self.rolled.as_ref().map(|rolled| rolled.state)
    }
}

// === impl World: what it is ===

impl World {
    /// Workloads that are healthy with the first content of each source.
    #[must_use]
    pub fn new(sources: usize, works: Vec<Work>, limits: Limits, mutant: Mutant) -> Self {
        let first = |source| Content {
            version: 1 + source as u64,
            at: 0,
            id: 1 + source as u64,
            keys: u8::MAX,
            effect: Effect::Fine,
            victims: 0,
        };
        let mut world = Self {
            now: BEGINNING,
            sources: (0..sources).map(|source| vec![first(source)]).collect(),
            works: works.into_iter().map(|work| (work.name, work)).collect(),
            versions: sources as u64,
            ids: sources as u64,
            limits,
            mutant,
            judge: Judge::default(),
            trace: Vec::new(),
        };
        let names: Vec<usize> = world.works.keys().copied().collect();
        for name in names {
            world.fill(name);
        }
        world
    }

    /// A workload with so many Pods, which come with the world.
    #[must_use]
    pub fn work(name: usize, uses: &[(usize, u8)], replicas: usize) -> Work {
        Work {
            name,
            lane: None,
            uses: uses.iter().copied().collect(),
            pods: Vec::new(),
            replicas,
            surges: true,
            held: false,
            pulls: true,
            interval: 30,
            revision: 0,
            surge: None,
            owners: false,
            rolled: None,
            good: BTreeMap::new(),
            overtaken: 0,
        }
    }

    fn fill(&mut self, name: usize) {
        let work = self.works[&name].clone();
        let old = self.pod(&work, self.now.saturating_sub(3600));
        let good: BTreeMap<_, _> = (work.newest(self).into_iter())
            .map(|(source, version)| ((source, self.id(source, version)), (self.now, self.now)))
            .collect();
        if let Some(work) = self.works.get_mut(&name) {
            work.pods = vec![old; work.replicas];
            work.good = good;
        }
    }

    fn pod(&self, work: &Work, start: u64) -> Pod {
        Pod {
            has: work.newest(self),
            revision: work.revision,
            start,
            by_itself: None,
            lost: false,
        }
    }

    /// Identifies the content of a version.
    #[must_use]
    pub fn id(&self, source: usize, version: u64) -> u64 {
        self.content(source, version).map_or(0, |one| one.id)
    }

    fn content(&self, source: usize, version: u64) -> Option<&Content> {
        self.sources[source]
            .iter()
            .find(|one| one.version == version)
    }

    /// What these contents do to a workload's Pod.
    #[must_use]
    pub fn effect(&self, work: &Work, has: &BTreeMap<usize, u64>) -> Effect {
        let effects = has.iter().filter_map(|(source, version)| {
            let content = self.content(*source, *version)?;
            (content.victims >> work.name & 1 == 1).then_some(content.effect)
        });
        effects
            .max_by_key(|effect| match effect {
                Effect::Fine => 0,
                Effect::Never => 1,
                Effect::Late => 2,
                Effect::Crash => 3,
            })
            .unwrap_or(Effect::Fine)
    }

    fn is_started(&self, work: &Work, pod: &Pod) -> bool {
        let old = pod.revision < work.revision || pod.by_itself.is_some();
        self.now >= pod.start + START && (work.pulls || old)
    }

    /// Since when a container of it fails.
    #[must_use]
    pub fn fails_since(&self, work: &Work, pod: &Pod) -> Option<u64> {
        let since = match self.effect(work, &pod.has) {
            Effect::Fine | Effect::Never => return None,
            Effect::Crash => pod.start + START,
            Effect::Late => pod.start + START + 40,
        };
        (self.is_started(work, pod) && self.now >= since).then_some(since)
    }

    /// Whether it is ready.
    #[must_use]
    pub fn is_ready(&self, work: &Work, pod: &Pod) -> bool {
        self.is_started(work, pod)
            && !pod.lost
            && self.effect(work, &pod.has) != Effect::Never
            && self.fails_since(work, pod).is_none()
    }

    fn is_new(work: &Work, pod: &Pod) -> bool {
        pod.revision == work.revision && pod.by_itself.is_none()
    }
}

// === impl World: what people do ===

impl World {
    /// Somebody edits a source. Returns the change.
    pub fn edit(&mut self, source: usize, keys: u8, effect: Effect, victims: u64) -> Change {
        self.versions += 1;
        self.ids += 1;
        let (version, id) = (self.versions, self.ids);
        self.sources[source].push(Content {
            version,
            at: self.now,
            id,
            keys,
            effect,
            victims,
        });
        Change { source, version }
    }

    /// Somebody brings an earlier content of a source back.
    pub fn revert(&mut self, source: usize, back: usize) {
        let contents = &self.sources[source];
        let at = contents.len().saturating_sub(1 + back);
        let before = contents[at].clone();
        self.versions += 1;
        let keys = contents[at..].iter().fold(0, |keys, one| keys | one.keys);
        self.sources[source].push(Content {
            version: self.versions,
            at: self.now,
            keys,
            ..before
        });
    }

    /// Lets somebody change a workload.
    pub fn change(&mut self, name: usize, change: impl FnOnce(&mut Work)) {
        if let Some(work) = self.works.get_mut(&name) {
            change(work);
        }
    }

    /// A container of a Pod starts again, by itself.
    pub fn restart(&mut self, name: usize, pod: usize) {
        let Some(work) = self.works.get(&name).cloned() else {
            return;
        };
        let (has, whole) = (work.newest(self), work.is_whole(self));
        let at = pod % work.pods.len().max(1);
        let now = self.now;
        let took = work.pods.get(at).into_iter().flat_map(|pod| {
            let other = |(source, version): (&usize, &u64)| {
                self.id(*source, pod.has[source]) != self.id(*source, *version)
            };
            let has = has
                .iter()
                .filter(move |(source, version)| other((source, version)));
            has.map(|(source, _)| *source)
        });
        let took: BTreeSet<usize> = took.collect();
        self.change(name, |work| {
            if let Some(pod) = work.pods.get_mut(at) {
                pod.has = has;
                pod.start = now;
                // With the same content it is still the Pod that was rolled.
                if !took.is_empty() {
                    pod.by_itself = Some(if whole { took } else { BTreeSet::new() });
                }
            }
        });
    }

    /// Somebody brings another image.
    pub fn image(&mut self, name: usize) {
        self.change(name, |work| {
            work.revision += 1;
            work.owners = true;
            work.surge = None;
            if let Some(rolled) = &mut work.rolled {
                rolled.unready = None;
            }
        });
    }

    /// Somebody adds a workload, whose Pods start now.
    pub fn add(&mut self, work: Work) {
        self.works.insert(work.name, work);
    }

    /// All flaws but those of contents go.
    pub fn mend(&mut self) {
        for work in self.works.values_mut() {
            (work.held, work.pulls) = (false, true);
            if work.replicas == 0 {
                work.replicas = 2;
            }
            work.pods.iter_mut().for_each(|pod| pod.lost = false);
        }
    }
}

// === impl World: what happens ===

impl World {
    /// Notes what happened.
    pub fn note(&mut self, what: String) {
        self.trace
            .push(format!("{:>6} {what}", self.now - BEGINNING));
    }

    /// Lets so many seconds pass.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds.div_ceil(STEP) {
            self.now += STEP;
            let names: Vec<usize> = self.works.keys().copied().collect();
            for name in &names {
                self.control(*name);
                self.assess(*name);
            }
            let mut judge = std::mem::take(&mut self.judge);
            judge.look(self);
            self.judge = judge;
            self.operate();
        }
    }

    /// A workload's controller.
    fn control(&mut self, name: usize) {
        let mut work = self.works[&name].clone();
        let mut pod = self.pod(&work, self.now);
        pod.start = self.now;
        work.pods.truncate(work.replicas);
        if work.pods.len() < work.replicas {
            work.pods.resize(work.replicas, pod.clone());
        }
        let old = |pod: &Pod| pod.revision < work.revision;
        // A broken one first, as the controllers do.
        let broken = |pod: &&Pod| old(pod) && !self.is_ready(&work, pod);
        let target = (work.pods.iter().position(|pod| broken(&pod)))
            .or_else(|| work.pods.iter().position(old));
        let waits = work
            .pods
            .iter()
            .any(|pod| !old(pod) && !pod.lost && !self.is_ready(&work, pod));
        match (target, work.surges, work.surge.take()) {
            (None, ..) => {}
            (_, _, surge) if work.held => work.surge = surge,
            (Some(at), true, Some(surge)) if self.is_ready(&work, &surge) => work.pods[at] = surge,
            (Some(_), true, Some(surge)) => work.surge = Some(surge),
            (Some(_), true, None) => work.surge = Some(pod),
            (Some(at), false, _) if !waits => work.pods[at] = pod,
            (Some(_), false, _) => {}
        }
        let done = target.is_none() && work.pods.iter().all(|pod| self.is_ready(&work, pod));
        work.owners &= !done;
        self.works.insert(name, work);
    }

    /// What becomes of the last roll: health of a roll, as `src/core/health` has it.
    fn assess(&mut self, name: usize) {
        let work = self.works[&name].clone();
        let Some(mut rolled) = work.rolled.clone() else {
            return;
        };
        let now = self.now;
        let pods = || work.pods.iter().chain(&work.surge);
        let new = || pods().filter(|pod| Self::is_new(&work, pod));
        let failing = new().any(|pod| self.fails_since(&work, pod).is_some());
        let ready = new().filter(|pod| self.is_ready(&work, pod)).count();
        let complete = work.pods.iter().all(|pod| pod.revision == work.revision)
            && work.lacks(self).is_empty()
            && ready > 0
            && work.replicas - ready.min(work.replicas) <= rolled.unready.unwrap_or(0);
        // A Pod that is lost later says nothing of the content.
        let soaks = rolled.state == State::Complete && ready > 0;
        let tells = rolled.unready == Some(0);
        if work.replicas == 0 {
            // Without Pods nothing shows whether it is healthy.
            let since = *rolled.complete.get_or_insert(now);
            match rolled.state {
                State::Complete => (rolled.state, rolled.complete) = (State::Rolling, None),
                // It fails no longer, and is tried again by one.
                State::Failed if now - since >= WINDOW => rolled.state = State::Stuck,
                State::Failed => {}
                _ => rolled.complete = None,
            }
            self.change(name, |work| work.rolled = Some(rolled));
            return;
        }
        if failing && tells {
            let since = *rolled.failing.get_or_insert(now);
            if rolled.state != State::Good {
                rolled.complete = None;
            }
            if now - since >= LASTING {
                rolled.state = State::Failed;
            } else if rolled.state == State::Complete {
                rolled.state = State::Rolling;
            }
        } else if (complete || soaks) && !failing {
            rolled.failing = None;
            let since = *rolled.complete.get_or_insert(now);
            rolled.state = match rolled.state {
                State::Failed if now - since < WINDOW => State::Failed,
                State::Good => State::Good,
                State::Complete if tells && now - since >= SOAK => State::Good,
                _ => State::Complete,
            };
        } else {
            let since = rolled.failing.filter(|_| failing);
            rolled.failing = since.or(failing.then_some(now));
            let failing = since.is_some_and(|since| now - since >= LASTING);
            if ready > rolled.progress.0 {
                rolled.progress = (ready, now);
            }
            let late = !work.held && now - rolled.progress.1 >= DEADLINE;
            let pulling = new().any(|pod| !work.pulls && now - pod.start >= LASTING);
            if rolled.state == State::Complete {
                (rolled.state, rolled.complete) = (State::Rolling, None);
            }
            let waiting = matches!(rolled.state, State::Rolling | State::Stuck);
            let slow = new()
                .any(|pod| self.is_started(&work, pod) && !pod.lost && !self.is_ready(&work, pod));
            rolled.state = match rolled.state {
                _ if waiting && late && slow && tells => State::Failed,
                _ if waiting && (late || pulling || failing) => State::Stuck,
                State::Stuck => State::Rolling,
                state => state,
            };
        }
        if work.state() != Some(rolled.state) {
            self.note(format!("{name} is {:?}", rolled.state));
        }
        let proven = rolled.state == State::Good && work.state() != Some(State::Good);
        // Other content than what its Pods have is not proven by them.
        let lacks = work.lacks(self);
        let newest = work.newest(self).into_iter();
        let has = newest.filter(|(source, _)| lacks.iter().all(|one| one.source != *source));
        let ids: Vec<_> = has
            .map(|(source, version)| (source, self.id(source, version)))
            .collect();
        self.change(name, |work| {
            if proven {
                for id in ids {
                    work.good.entry(id).or_insert((now, now)).1 = now;
                }
                work.overtaken = 0;
            } else if rolled.state == State::Failed {
                // What it has proven itself only seemed to be good.
                work.good.retain(|_, (first, _)| *first < rolled.at);
            }
            work.rolled = Some(rolled);
        });
    }

    /// What the operator sees of a workload.
    #[must_use]
    pub fn member(&self, work: &Work) -> Member {
        let newest = work.changes(self);
        let lacks = work.lacks(self);
        let known = |change: &&Change| {
            let id = self.id(change.source, change.version);
            work.good.get(&(change.source, id))
        };
        let rolled = work.rolled.as_ref();
        let before = |change: &&Change| {
            let rolled = rolled.map_or(0, |rolled| rolled.at);
            known(change).is_some_and(|(first, _)| *first < rolled)
        };
        let has = newest.iter().filter(|change| !lacks.contains(change));
        let accused: BTreeSet<Change> = has.filter(|one| !before(one)).copied().collect();
        let (mut suspects, mut fails_alone) = (BTreeSet::new(), BTreeSet::new());
        for pod in work.pods.iter().chain(&work.surge) {
            let Some(since) = self.fails_since(work, pod) else {
                continue;
            };
            let tells = rolled.is_some_and(|one| one.unready == Some(0));
            match &pod.by_itself {
                Some(took) => {
                    let has = newest.iter().filter(|change| {
                        took.contains(&change.source) && pod.has[&change.source] == change.version
                    });
                    let lasts = self.now - since >= LASTING;
                    if lasts {
                        &mut fails_alone
                    } else {
                        &mut suspects
                    }
                    .extend(has);
                }
                None if tells && Self::is_new(work, pod) => suspects.extend(&accused),
                None => {}
            }
        }
        let reverts = lacks
            .iter()
            .all(|change| known(&change).is_some_and(|(_, last)| self.now - last < DAY));
        let settled = newest.iter().all(|change| change.version <= self.versions);
        let last = work.rolled.as_ref().map(|rolled| rolled.at);
        Member {
            name: work.name,
            lane: work.lane,
            ready: work.pods.iter().any(|pod| self.is_ready(work, pod)),
            whole: work.is_whole(self),
            may_go: settled && last.is_none_or(|at| self.now - at >= work.interval),
            skipped: work.held || work.replicas == 0,
            reverts: !lacks.is_empty() && reverts,
            roll: work.last_roll(),
            proven: newest
                .iter()
                .filter(|one| known(one).is_some())
                .copied()
                .collect(),
            accused,
            overtaken: work.overtaken,
            newest,
            lacks,
            suspects,
            fails_alone,
        }
    }

    /// The operator.
    fn operate(&mut self) {
        let members: Vec<Member> = self.works.values().map(|work| self.member(work)).collect();
        for (name, verdict) in admit(&members, self.limits, self.mutant) {
            if let Ok(bypass) = verdict {
                let mut judge = std::mem::take(&mut self.judge);
                judge.rolled(self, name, bypass, self.limits);
                self.judge = judge;
                self.roll(name, bypass);
            }
        }
    }

    fn roll(&mut self, name: usize, bypass: Option<Bypass>) {
        let lacks = self.works[&name].lacks(self);
        self.note(format!("{name} is rolled for {lacks:?} ({bypass:?})"));
        let work = &self.works[&name];
        let ready = work.pods.iter().filter(|pod| self.is_ready(work, pod));
        let unready = work.replicas - ready.count().min(work.replicas);
        let last = work.rolled.as_ref();
        let unready = match last {
            // What it has not brought back it may have broken.
            Some(Rolled {
                complete: None,
                unready: Some(before),
                ..
            }) => Some(unready.min(*before)),
            _ => (!work.owners && work.is_settled()).then_some(unready),
        };
        let overtaken = match last {
            Some(last) if last.state == State::Complete && last.unready == Some(0) => {
                work.overtaken + 1
            }
            _ => 0,
        };
        let now = self.now;
        self.change(name, |work| {
            work.overtaken = overtaken;
            work.revision += 1;
            work.surge = None;
            work.rolled = Some(Rolled {
                at: now,
                state: State::Rolling,
                unready,
                complete: None,
                failing: None,
                progress: (0, now),
            });
        });
    }
}
