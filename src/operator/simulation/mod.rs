//! The operator's loops in a simulated cluster, with time simulated too, against
//! the reference model.
//!
//! ```text
//! history ─▶ cluster: store, watches, controllers, kubelets ─▶ model ─▶ is each promise kept?
//!               ▲ requests (server, faults)      │ events
//!               └──────── replica(s): the real loops, queues and State
//! ```
//!
//! `PROPTEST_CASES=5000 cargo test --lib simulation` runs more histories; a failing one
//! is shrunk and printed, with what happened in it. What was found so is kept in
//! `regressions`.

mod cluster;
mod controllers;
mod faults;
mod history;
#[path = "../../../tests/model/mod.rs"]
mod model;
mod nodes;
mod objects;
mod operations;
mod regressions;
mod replica;
mod server;
mod users;
mod workloads;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use cluster::{Action, Cluster};
use history::History;
use model::{Broken, Gap, Second, stored_until, told};
use objects::{Kind, PolicyObject};
use replica::Replica;

const SOURCES: [&str; 4] = ["ConfigMap/c0", "ConfigMap/c1", "Secret/s0", workloads::MESH];
const KEYS: [&str; 3] = ["a", "b", "c"];

/// In this time all that may happen by itself has happened: retries, rolls one
/// after the other, files refreshed, Projections written.
const REST: Duration = Duration::from_secs(1500);

struct Simulation {
    cluster: Arc<Mutex<Cluster>>,
    replicas: [Option<Replica>; 2],
    leader: Option<usize>,
    lives: u64,
}

impl Simulation {
    fn new(history: &History) -> Self {
        let mut cluster = Cluster::new(history.seed);
        for source in SOURCES {
            cluster.edit_source(source, |source, now| {
                for key in KEYS {
                    source.set("kubectl", key, "0", now);
                }
            });
        }
        cluster.put_policy(Some(PolicyObject {
            observe: false,
            suspend: false,
            min_interval: 30,
        }));
        for (at, (kind, shape)) in history.works.iter().enumerate() {
            cluster.create_work(&format!("w{at}"), *kind, *shape);
        }
        Self {
            cluster: Arc::new(Mutex::new(cluster)),
            replicas: [None, None],
            leader: None,
            lives: 0,
        }
    }

    async fn run(&mut self, history: &History) -> Result<(), Broken> {
        self.pass(Duration::from_secs(5)).await;
        for slot in 0..history.replicas {
            self.start(slot.into());
            self.pass(Duration::from_secs(1)).await;
        }
        for (wait, op) in &history.ops {
            self.pass(Duration::from_millis((*wait).into())).await;
            self.cluster.lock().note(format!("--- {op:?}"));
            self.perform(*op).await?;
            self.kept()?;
        }
        self.rest().await
    }

    fn kept(&self) -> Result<(), Broken> {
        self.cluster.lock().broken.clone().map_or(Ok(()), Err)
    }

    // === Time ===

    async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let (due, wake) = {
                let cluster = self.cluster.lock();
                (cluster.due(), cluster.wake.clone())
            };
            let until = due.map_or(end, |due| due.min(end));
            tokio::select! {
                biased;
                () = sleep_until(until) => {}
                () = wake.notified() => continue,
            }
            match due {
                Some(due) if due <= end => {
                    let action = self.cluster.lock().next();
                    action.into_iter().for_each(|action| self.act(action));
                }
                _ => return,
            }
        }
    }

    fn act(&mut self, action: Action) {
        let mut cluster = self.cluster.lock();
        match action {
            Action::Control(name) => cluster.control(&name),
            Action::Start(uid) => cluster.start_pod(&uid),
            Action::Refresh(uid) => cluster.refresh_pod(&uid),
            Action::Remove(uid) => cluster.remove_pod(&uid),
            Action::Deliver(feed, event) => {
                let current = cluster.is_current(feed);
                drop(cluster);
                if let Some(replica) = self.replicas[feed.slot].as_ref().filter(|_| current) {
                    replica.take_in(feed.kind, event);
                }
            }
            Action::List(feed) => {
                if !cluster.is_current(feed) {
                    return;
                }
                let objects = cluster.listed(feed);
                drop(cluster);
                let Some(replica) = &mut self.replicas[feed.slot] else {
                    return;
                };
                let (next, began) = replica.listed(feed.kind, &objects);
                let mut cluster = self.cluster.lock();
                next.into_iter()
                    .for_each(|kind| cluster.list(feed.slot, kind));
                drop(cluster);
                if began {
                    self.began(feed.slot);
                }
            }
            Action::Lead { slot, life } => {
                drop(cluster);
                let alive = self.replicas[slot]
                    .as_ref()
                    .is_some_and(|one| one.life == life);
                if alive && self.leader.is_none() {
                    self.lead(slot);
                }
            }
        }
    }

    // === Replicas ===

    fn start(&mut self, slot: usize) {
        if self.replicas[slot].is_some() {
            return;
        }
        self.lives += 1;
        let life = self.lives;
        self.replicas[slot] = Some(Replica::new(&self.cluster, life));
        let mut cluster = self.cluster.lock();
        cluster.list(slot, Kind::Projection);
        cluster.slow(2000);
        let delay = cluster.millis(1, 3000);
        cluster.after(delay, Action::Lead { slot, life });
    }

    /// A replica has listed everything: of what was before it knows what is stored.
    fn began(&mut self, slot: usize) {
        let mut cluster = self.cluster.lock();
        cluster.note(format!("replica {slot} has listed everything"));
        let end = cluster.second() + 1;
        let works: Vec<_> = cluster.works.values().cloned().collect();
        let mut gaps = Vec::new();
        for work in works {
            let name = work.identity.name;
            let mut gap = |start: Second| {
                let seconds = start..=end;
                let source = None;
                gaps.push((name.clone(), Gap { seconds, source }));
            };
            let stored = cluster.projected.get(&name).cloned();
            if let Some((written, _)) = stored {
                let object = projection(&cluster, &name);
                let stored = object.map_or(Second::MIN, |object| stored_until(&object));
                gap(cluster.slow_since(written - 5).min(stored));
            }
            let same = Some((&*work.identity.uid, work.template.shape));
            if stored.as_ref().map(|(_, (uid, shape))| (&**uid, *shape)) != same {
                gap(Second::MIN);
            }
        }
        cluster.forget_injected();
        drop(cluster);
        self.replicas[slot].as_mut().unwrap().gaps = gaps;
        self.tell_gaps(slot);
    }

    /// What the leader did not see nobody may ask of it.
    fn tell_gaps(&mut self, slot: usize) {
        if self.leader != Some(slot) {
            return;
        }
        if let Some(replica) = &mut self.replicas[slot] {
            let mut cluster = self.cluster.lock();
            for (name, gap) in replica.gaps.drain(..) {
                cluster.model.gap(&name, gap);
            }
        }
    }

    fn lead(&mut self, slot: usize) {
        self.leader = Some(slot);
        if let Some(replica) = &self.replicas[slot] {
            replica.lead(true);
            self.cluster.lock().note(format!("replica {slot} leads"));
        }
        self.tell_gaps(slot);
    }

    async fn end(&mut self, slot: usize, in_order: bool) {
        let Some(replica) = self.replicas[slot].take() else {
            return;
        };
        let led = self.leader == Some(slot);
        {
            let mut cluster = self.cluster.lock();
            cluster.slow(3000);
            cluster.unwatch(slot);
            let names: Vec<String> = cluster.works.keys().cloned().collect();
            if led {
                names
                    .iter()
                    .for_each(|name| cluster.model.answer_lost(name));
            }
        }
        if in_order && replica.is_synced() {
            let finished = tokio::spawn(replica.finish());
            while !finished.is_finished() {
                self.pass(Duration::from_millis(5)).await;
            }
        } else {
            drop(replica);
        }
        if !led {
            return;
        }
        self.leader = None;
        let other = 1 - slot;
        if let Some(replica) = &self.replicas[other] {
            let life = replica.life;
            let mut cluster = self.cluster.lock();
            let delay = match in_order {
                true => cluster.millis(1, 2000),
                false => cluster.millis(3000, 17_000),
            };
            cluster.slow(20_000);
            cluster.after(delay, Action::Lead { slot: other, life });
        }
    }

    // === Rest ===

    /// Lets all come to rest, and checks what is said then.
    async fn rest(&mut self) -> Result<(), Broken> {
        self.cluster.lock().faults.clear();
        if self.replicas.iter().all(Option::is_none) {
            self.start(0);
        }
        self.pass(REST).await;
        self.kept()?;
        let cluster = self.cluster.lock();
        for name in cluster.works.keys() {
            let object = projection(&cluster, name);
            let told = object.as_deref().map(told);
            cluster.model.at_rest(name, told.as_ref())?;
        }
        Ok(())
    }

    /// What happened, and what is known of it in the end.
    fn report(&self, broken: &str) -> String {
        let cluster = self.cluster.lock();
        let mut lines = cluster.trace.clone();
        lines.push(format!("{broken}\n"));
        for name in cluster.works.keys() {
            let object = projection(&cluster, name);
            lines.push(format!(
                "{:#}",
                object.as_deref().unwrap_or(&Value::Null)["status"]
            ));
        }
        let dumps = self.replicas.iter().flatten().map(Replica::dump);
        lines.extend(dumps.map(|dump| format!("{dump:#}")));
        lines.join("\n")
    }
}

/// The Projection of a workload, as stored.
fn projection(cluster: &Cluster, work: &str) -> Option<Arc<Value>> {
    let kind = cluster.works.get(work)?.kind.kind();
    let name = format!("{kind:?}-{work}").to_lowercase();
    cluster.objects.get(&(Kind::Projection, name)).cloned()
}

// === Tests ===

/// Runs a history; where a promise is broken, says so with all that happened.
fn check(history: &History) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut simulation = Simulation::new(history);
        let outcome = simulation.run(history).await;
        outcome.map_err(|broken| simulation.report(&broken))
    })
}

/// How many histories are run unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 64;

#[test]
fn every_promise_is_kept() {
    let given = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = given("PROPTEST_RNG_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    let config = Config {
        cases: given("PROPTEST_CASES").map_or(CASES, |cases| cases.try_into().unwrap()),
        failure_persistence: None,
        max_shrink_iters: given("PROPTEST_MAX_SHRINK_ITERS")
            .and_then(|most| most.try_into().ok())
            .unwrap_or(4000),
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    };
    let kept = |history| check(&history).map_err(TestCaseError::fail);
    if let Err(broken) = TestRunner::new(config).run(&history::history(30), kept) {
        panic!("{broken}\nPROPTEST_RNG_SEED={seed} runs the same histories.");
    }
}
