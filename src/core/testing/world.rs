//! A small cluster with the operator's state beside it.
//!
//! The API server hands out versions and seconds; the operator watches, reads,
//! plans and acts by the same [`State`] as the real one, without I/O.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::api::rules::Floors;
use crate::core::content::digest::DigestKey;
use crate::core::content::{Field, Reading, SourceContent};
use crate::core::history::record::{Health, Record, Roll, Track};
use crate::core::index::{Affected, Index, Seen};
use crate::core::object::pod::{Container, ContainerStart, Pod, Start};
use crate::core::object::source::SourceMeta;
use crate::core::object::workload::{Counts, ReplicaSet, Template, Update, Workload};
use crate::core::plan::{Act, Decision, Plan, PodFacts, REFRESH_BOUND, Verdict, assess};
use crate::core::policy::{CompiledPolicy, PolicyId};
use crate::core::project::reference::{Reference, merged};
use crate::core::projection::spec;
use crate::core::state::{
    Pace, Planned, ProjectionStep, ProjectionWrite, Settings, SourceStep, State,
};
use crate::core::testing::{NAMESPACE, at, config_map, listed, owner};
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::{Rv, SourceId, WorkloadId, WorkloadKind};

/// A ConfigMap as the API server has it.
#[derive(Clone, Debug)]
struct Object {
    uid: Arc<str>,
    rv: Rv,
    created: ServerTime,
    data_time: ServerTime,
    other: u64,
    immutable: bool,
    data: BTreeMap<String, String>,
}

/// A cluster with one Deployment, and the operator's state beside it.
pub(crate) struct World {
    pub(crate) state: State,
    /// The key of the operator that starts next.
    pub(crate) key: DigestKey,
    /// Since the start of the API server's clock.
    pub(crate) clock: Duration,
    /// How far ahead of that the operator's clock is.
    pub(crate) skew: Duration,
    /// Whether the operator runs; else nothing is seen.
    watching: bool,
    rv: u64,
    uids: u64,
    objects: BTreeMap<Arc<str>, Object>,
    policy: Option<Value>,
    pub(crate) workload: Workload,
    sets: BTreeMap<Arc<str>, ReplicaSet>,
    pub(crate) pods: BTreeMap<Arc<str>, Pod>,
    /// What a webhook puts into each Pod that is created.
    pub(crate) injected: Vec<Reference>,
    pub(crate) rolls: Vec<Plan>,
    /// The status of the Projection, as JSON.
    pub(crate) stored: Option<Value>,
    /// The version of the Projection.
    pub(crate) projection: Option<Rv>,
}

impl World {
    /// An empty cluster but for the Deployment `web`.
    pub(crate) fn new(references: impl IntoIterator<Item = Reference>) -> Self {
        let template = Template {
            hash: [1; 16],
            revision: None,
        };
        let workload = Workload {
            uid: "web-uid".into(),
            rv: Some(Rv(1)),
            generation: 1,
            observed_generation: 1,
            labels: BTreeMap::new(),
            sync: Some("true".into()),
            template,
            too_many_uses: false,
            references: sorted(references),
            paused: false,
            replicas: 3,
            counts: Counts::default(),
            update: Update::Automatic,
            update_revision: None,
            terminating: false,
            stuck: None,
        };
        let key = DigestKey::new(&[7; 32]);
        let mut world = Self {
            state: State::new(settings(&key)),
            key,
            clock: Duration::from_secs(100),
            skew: Duration::from_secs(10_000),
            watching: true,
            rv: 1,
            uids: 0,
            objects: BTreeMap::new(),
            policy: None,
            workload,
            sets: BTreeMap::new(),
            pods: BTreeMap::new(),
            injected: Vec::new(),
            rolls: Vec::new(),
            stored: None,
            projection: None,
        };
        world.state.start(world.now());
        world.put_workload();
        world
    }

    pub(crate) fn id() -> WorkloadId {
        WorkloadId::new(WorkloadKind::DEPLOYMENT, NAMESPACE, "web")
    }

    /// The API server's clock, in whole seconds as it writes them.
    pub(crate) fn time(&self) -> ServerTime {
        at(self.clock.as_secs())
    }

    /// The operator's clock.
    pub(crate) fn now(&self) -> Mono {
        Mono(self.skew + self.clock)
    }

    /// Reads both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            mono: self.now(),
            server: self.time(),
        }
    }

    pub(crate) fn wait(&mut self, wait: Duration) {
        self.clock += wait;
    }

    pub(crate) fn wait_secs(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    fn next_rv(&mut self) -> Rv {
        self.rv += 1;
        Rv(self.rv)
    }

    fn next_uid(&mut self) -> Arc<str> {
        self.uids += 1;
        format!("uid-{}", self.uids).into()
    }

    /// Lets the operator see a change, if it runs.
    fn change(&mut self, change: impl FnOnce(&mut Index) -> Affected) {
        if self.watching {
            let now = self.now();
            self.state.change(now, |state| change(&mut state.index));
        }
    }

    // === What users do ===

    /// Puts the policy `how` in force, as YAML would give it.
    pub(crate) fn policy(&mut self, how: Value) {
        let id = PolicyId::namespaced(NAMESPACE, "policy");
        let policy = CompiledPolicy::namespaced(&id, &serde_json::from_value(how.clone()).unwrap());
        self.policy = Some(how);
        self.change(|index| index.apply_policy(&id, policy));
    }

    /// Writes the whole content of a ConfigMap, creating it if need be.
    pub(crate) fn write(&mut self, name: &str, data: &[(&str, &str)]) -> Rv {
        let data: BTreeMap<String, String> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let (rv, now) = (self.next_rv(), self.time());
        match self.objects.get_mut(name) {
            Some(object) => {
                // A removal moves no managedFields time.
                let sets = |(key, value)| object.data.get(key) != Some(value);
                if data.iter().any(sets) {
                    object.data_time = now;
                }
                object.rv = rv;
                object.data = data;
            }
            None => {
                let object = Object {
                    uid: self.next_uid(),
                    rv,
                    created: now,
                    data_time: now,
                    other: 0,
                    immutable: false,
                    data,
                };
                self.objects.insert(name.into(), object);
            }
        }
        self.show(name, true);
        rv
    }

    /// Changes a label of a ConfigMap.
    pub(crate) fn label(&mut self, name: &str) -> Rv {
        let rv = self.next_rv();
        let object = self.objects.get_mut(name).unwrap();
        object.rv = rv;
        object.other += 1;
        self.show(name, true);
        rv
    }

    /// Makes a ConfigMap immutable.
    pub(crate) fn freeze(&mut self, name: &str) {
        self.objects.get_mut(name).unwrap().immutable = true;
        self.label(name);
    }

    /// Deletes a ConfigMap.
    pub(crate) fn delete(&mut self, name: &str) -> Rv {
        let rv = self.next_rv();
        self.objects.remove(name);
        let seen = Seen {
            live: true,
            now: self.now(),
        };
        self.change(|index| index.delete_source(&config_map(name), Some(rv), seen));
        rv
    }

    fn show(&mut self, name: &str, live: bool) {
        let seen = Seen {
            live,
            now: self.now(),
        };
        let object = &self.objects[name];
        let fields: Vec<&String> = object.data.keys().collect();
        let meta = SourceMeta {
            uid: object.uid.clone(),
            rv: Some(object.rv),
            created: object.created,
            data_time: Some(object.data_time),
            data_fields: u64::from(crc(&format!("{fields:?}"))),
            other: object.other,
        };
        self.change(|index| index.apply_source(&config_map(name), meta, seen));
    }

    /// Lets the user change the Pod template otherwise; its Pods are replaced.
    pub(crate) fn change_template(&mut self, hash: u8, revision: Option<&str>) {
        self.workload.template = Template {
            hash: [hash; 16],
            revision: revision.map(Arc::from),
        };
        self.workload.generation += 1;
        self.workload.observed_generation += 1;
        self.put_workload();
    }

    // === What controllers do ===

    /// Brings the newest version of the Deployment, with its ReplicaSet.
    pub(crate) fn put_workload(&mut self) {
        self.workload.rv = Some(self.next_rv());
        let template = self.workload.template.clone();
        let name: Arc<str> = format!("web-{template:?}").into();
        if !self.sets.contains_key(&name) {
            let set = ReplicaSet {
                uid: self.next_uid(),
                owner: owner("Deployment", "web", &self.workload.uid),
                template,
            };
            self.sets.insert(name.clone(), set);
        }
        let workload = self.workload.clone();
        self.change(|index| index.apply_workload(&Self::id(), workload));
        let set = self.sets[&name].clone();
        self.change(|index| index.apply_replica_set(&NAMESPACE.into(), &name, set));
    }

    /// Creates a Pod of the current template, which starts at once.
    pub(crate) fn pod(&mut self, name: &str) -> Rv {
        let rv = self.next_rv();
        let template = &self.workload.template;
        let (set_name, set) = self
            .sets
            .iter()
            .find(|(_, set)| set.template == *template)
            .unwrap();
        let pod = Pod {
            uid: format!("{name}-{rv}").into(),
            name: name.into(),
            owner: Some(owner("ReplicaSet", set_name, &set.uid)),
            start: Start {
                rv: Some(rv),
                at_least: None,
                time: self.time(),
            },
            containers: vec![Container {
                name: "app".into(),
                started: Some(ContainerStart {
                    at: self.time(),
                    shown: Some(rv),
                    ahead: 0,
                }),
                ready: true,
                was_ready: true,
                restarts: 0,
                end: None,
            }],
            own: Some(merged(self.workload.references.iter().chain(&self.injected)).into()),
            active: true,
            ready: true,
            revision: template.revision.clone(),
            revision_hash: None,
            broken: None,
        };
        self.put_pod(pod);
        rv
    }

    pub(crate) fn put_pod(&mut self, pod: Pod) {
        self.pods.insert(pod.name.clone(), pod.clone());
        self.change(|index| index.apply_pod(&NAMESPACE.into(), pod));
    }

    pub(crate) fn delete_pod(&mut self, name: &str) {
        self.pods.remove(name);
        self.change(|index| index.delete_pod(NAMESPACE, name));
    }

    /// Replaces all Pods by Pods of the current template.
    pub(crate) fn replace_pods(&mut self) {
        let names: Vec<Arc<str>> = self.pods.keys().cloned().collect();
        for name in names {
            self.delete_pod(&name);
            let (base, count) = name.rsplit_once('.').unwrap_or((&name, "0"));
            let count: u32 = count.parse().unwrap();
            self.pod(&format!("{base}.{}", count + 1));
        }
    }

    // === What the operator does ===

    pub(crate) fn content(&self, name: &str) -> SourceContent {
        let Some(object) = self.objects.get(name) else {
            return SourceContent::Absent;
        };
        let keys = object.data.iter().map(|(key, value)| {
            let digest = self
                .key
                .key_digest(&config_map(name), key, value.as_bytes());
            (key.as_str().into(), (Field::Data, digest))
        });
        SourceContent::Present(Reading {
            uid: object.uid.clone(),
            resource_version: object.rv.to_string().into(),
            created: object.created,
            data_time: Some(object.data_time),
            immutable: object.immutable,
            keys: keys.collect(),
        })
    }

    /// Reads each source that has a version which was not taken in.
    pub(crate) fn read(&mut self) {
        let sources: Vec<SourceId> = self.state.index.used_sources().collect();
        for id in sources {
            if let SourceStep::Read { .. } = self.state.look_at(&id, self.moment()) {
                self.take_in(&id.name, &self.content(&id.name));
            }
        }
    }

    /// Takes in what was read.
    pub(crate) fn take_in(&mut self, name: &str, content: &SourceContent) {
        let now = self.moment();
        self.state.take_in(&config_map(name), content, now);
    }

    /// What is remembered of the Deployment.
    pub(crate) fn record(&self) -> &Record {
        &self.state.managed[&Self::id()].record
    }

    pub(crate) fn record_mut(&mut self) -> &mut Record {
        &mut self.state.managed.get_mut(&Self::id()).unwrap().record
    }

    /// What is known of its only reference.
    pub(crate) fn track(&self) -> &Track {
        assert_eq!(self.record().tracks.len(), 1);
        self.record().tracks.values().next().unwrap()
    }

    pub(crate) fn assess(&self) -> Vec<PodFacts> {
        let view = self.state.index.view(&Self::id()).unwrap();
        let now = Moment {
            mono: self.now(),
            server: self.time(),
        };
        assess(&view, self.record(), REFRESH_BOUND, now, &[])
    }

    /// Plans, as the operator does after each event, and writes what is to be told.
    pub(crate) fn plan(&mut self) -> Decision {
        let planned = self.planned();
        if let ProjectionStep::Write(write) = self.report(Pace::AtOnce) {
            self.written(&write);
        }
        planned.decision
    }

    /// Plans. A watch brings what happened within three seconds.
    pub(crate) fn planned(&mut self) -> Planned {
        let now = self.moment();
        let lag = Duration::from_secs(3);
        let watched_until = Moment {
            mono: Mono(now.mono.0 - lag),
            server: at((self.clock - lag).as_secs()),
        };
        self.state.plan(&Self::id(), now, Some(watched_until))
    }

    /// What is to be done about the Projection.
    pub(crate) fn report(&self, pace: Pace) -> ProjectionStep {
        self.state.report(&Self::id(), self.moment(), pace)
    }

    /// Writes the Projection.
    pub(crate) fn written(&mut self, write: &ProjectionWrite) {
        self.stored = Some(serde_json::to_value(&write.status).unwrap());
        self.projection = Some(self.next_rv());
        let now = self.now();
        (self.state).reported(&Self::id(), write, self.projection, now);
    }

    /// Shows a stored Projection to the operator: that of another replica, unless it
    /// `leads` itself.
    pub(crate) fn shown(
        &mut self,
        stored: &Value,
        rv: Option<Rv>,
        leads: bool,
    ) -> Option<Duration> {
        let id = Self::id();
        let spec = spec(&id, &self.workload.uid);
        let status = serde_json::from_value(stored.clone()).unwrap();
        let now = self.moment();
        self.state.shown(&id, &spec, &status, rv, leads, now)
    }

    /// Writes the revision into the Pod template.
    pub(crate) fn patch(&mut self, plan: &Plan) {
        let roll = Roll {
            revision: plan.revision.clone(),
            time: self.time(),
            // The version that the patch gives.
            rv: Some(Rv(self.rv + 1)),
            causes: plan.causes.clone(),
            health: Health {
                unready: plan.unready,
                ..Health::default()
            },
        };
        let now = self.now();
        self.state.rolled(&Self::id(), roll, &plan.base, now);
        self.rolls.push(plan.clone());
        let hash = self.workload.template.hash;
        self.change_template(hash[0], Some(&plan.revision));
    }

    /// Reads and plans; where that says so rolls, with the Deployment's
    /// controller replacing the Pods. Returns what was decided.
    pub(crate) fn step(&mut self) -> Decision {
        self.read();
        let decision = self.plan();
        if let Verdict::Act(Act::Roll(plan)) = &decision.verdict {
            self.patch(plan);
            self.replace_pods();
        }
        decision
    }

    /// Steps until there is nothing to wait for. Returns how often it rolled.
    pub(crate) fn finish(&mut self) -> usize {
        let before = self.rolls.len();
        for _ in 0..20 {
            match self.step().verdict {
                Verdict::Wait(Some(until)) => self.wait(until.since(self.now())),
                Verdict::Act(_) => {}
                Verdict::Nothing | Verdict::Hold | Verdict::Wait(None) => {
                    return self.rolls.len() - before;
                }
            }
        }
        panic!("never at rest");
    }

    /// Ends the operator: what follows goes unseen.
    pub(crate) fn stop(&mut self) {
        self.watching = false;
    }

    /// Starts an operator anew: it lists everything, the Projection first.
    pub(crate) fn start(&mut self) {
        self.state = State::new(settings(&self.key));
        self.list();
        self.state.start(self.now());
    }

    /// Starts an operator that can't list objects of these kinds.
    pub(crate) fn start_without(&mut self, kinds: &[&'static str]) {
        self.state = State::new(settings(&self.key));
        for kind in kinds {
            let why = format!("{kind} is denied.");
            let now = self.now();
            self.state.left_out(kind, Some(NAMESPACE.into()), why, now);
        }
        self.state.start(self.now());
    }

    /// Lists everything, the Projection first.
    pub(crate) fn list(&mut self) {
        self.watching = true;
        if let Some(stored) = self.stored.clone() {
            self.shown(&stored, self.projection, false);
        }
        if let Some(policy) = self.policy.clone() {
            self.policy(policy);
        }
        let names: Vec<Arc<str>> = self.objects.keys().cloned().collect();
        for name in names {
            self.show(&name, false);
        }
        let (workload, sets, pods) = (self.workload.clone(), self.sets.clone(), self.pods.clone());
        let namespace: Arc<str> = NAMESPACE.into();
        self.change(|index| index.apply_workload(&Self::id(), workload));
        for (name, set) in sets {
            self.change(|index| index.apply_replica_set(&namespace, &name, set));
        }
        for pod in pods.values() {
            self.change(|index| index.apply_pod(&namespace, listed(pod)));
        }
    }

    /// Tells that objects of these kinds are listed.
    pub(crate) fn listed(&mut self, kinds: &[&'static str]) {
        let now = self.now();
        for kind in kinds {
            let listed = |state: &mut State| state.listed(kind, Some(NAMESPACE.into()));
            self.state.change(now, listed);
        }
    }
}

/// Those of the operator.
fn settings(key: &DigestKey) -> Settings {
    Settings {
        key: key.clone(),
        comparable: true,
        refresh_bound: REFRESH_BOUND,
        cluster_wide: true,
        floors: Floors::default(),
        max_rolls: None,
    }
}

/// As those of a template are.
pub(crate) fn sorted(references: impl IntoIterator<Item = Reference>) -> Arc<[Reference]> {
    let mut references: Vec<_> = references.into_iter().collect();
    references.sort_by(|a, b| (&a.source, a.class).cmp(&(&b.source, b.class)));
    references.into()
}

/// Tells texts apart well enough.
fn crc(text: &str) -> u32 {
    text.bytes().fold(7, |sum: u32, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}
