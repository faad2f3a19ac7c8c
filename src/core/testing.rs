//! For tests: a cluster with one Deployment, and the operator's core beside it.
//!
//! The API server hands out versions and seconds; the operator watches, reads,
//! plans and acts through the same functions as the real one, without I/O.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use crate::api::projection::ProjectionStatus;
use crate::core::content::digest::DigestKey;
use crate::core::content::{Field, Reading, SourceContent};
use crate::core::history::record::{Arrival, Observed, Record, Roll, Version, base_of};
use crate::core::index::{Index, Seen};
use crate::core::object::pod::{Container, ContainerStart, Owner, Pod, Start};
use crate::core::object::source::SourceMeta;
use crate::core::object::workload::{ReplicaSet, Template, Update, Workload};
use crate::core::plan::{Decision, Facts, Plan, PodFacts, REFRESH_BOUND, Verdict, assess, decide};
use crate::core::policy::{CompiledPolicy, PolicyId};
use crate::core::project::reference::{Place, Reference, Selection, Use};
use crate::core::projection::{Clock, Input, render, restore, spec};
use crate::core::time::{Mono, ServerTime};
use crate::kinds::Class;
use crate::kinds::{Rv, SourceId, SourceKind, WorkloadId, WorkloadKind};

pub(crate) const NAMESPACE: &str = "shop";

/// Second `seconds` of the API server's clock.
pub(crate) fn at(seconds: u64) -> ServerTime {
    let start = ServerTime::from_second(1_800_000_000).unwrap();
    start + SignedDuration::from_secs(seconds.try_into().unwrap())
}

pub(crate) fn owner(kind: &str, name: &str, uid: &str) -> Owner {
    Owner {
        kind: kind.into(),
        name: name.into(),
        uid: uid.into(),
    }
}

pub(crate) fn config_map(name: &str) -> SourceId {
    SourceId::new(SourceKind::ConfigMap, NAMESPACE, name)
}

/// All keys of a ConfigMap: as files, or as variables where the class is Frozen.
pub(crate) fn reference(name: &str, class: Class, optional: bool) -> Reference {
    let (place, selection) = match class {
        Class::Live => (Place::Volume, Selection::Files),
        Class::Frozen => (
            Place::EnvFrom,
            Selection::Variables {
                prefix: "".into(),
                hidden: Box::default(),
            },
        ),
    };
    let one = Use {
        place,
        selection,
        optional,
        required: Box::default(),
    };
    let source = (SourceKind::ConfigMap, name.into());
    Reference::new(source, class, [one], ["app".into()])
}

/// One key of a ConfigMap as a variable.
pub(crate) fn variable(name: &str, key: &str, optional: bool) -> Reference {
    let key: Arc<str> = key.into();
    let one = Use {
        place: Place::Env,
        selection: Selection::keys([(key.clone(), key.clone())]),
        optional,
        required: if optional { [].into() } else { [key].into() },
    };
    let source = (SourceKind::ConfigMap, name.into());
    Reference::new(source, Class::Frozen, [one], ["app".into()])
}

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

pub(crate) struct World {
    pub(crate) index: Index,
    pub(crate) record: Record,
    pub(crate) key: DigestKey,
    pub(crate) synced: bool,
    /// Since the start of the API server's clock.
    pub(crate) clock: Duration,
    /// How far ahead of that the operator's clock is.
    pub(crate) skew: Duration,
    /// Whether the operator runs; else nothing is seen.
    watching: bool,
    pub(crate) comparable: bool,
    rv: u64,
    uids: u64,
    objects: BTreeMap<Arc<str>, Object>,
    pub(crate) workload: Workload,
    sets: BTreeMap<Arc<str>, ReplicaSet>,
    pub(crate) pods: BTreeMap<Arc<str>, Pod>,
    pub(crate) rolls: Vec<Plan>,
    /// The newest Projection, as JSON.
    pub(crate) stored: Option<Value>,
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
            references: references.into_iter().collect(),
            paused: false,
            replicas: 3,
            update: Update::Automatic,
            update_revision: None,
            terminating: false,
            stuck: None,
        };
        let mut world = Self {
            index: Index::default(),
            record: Record::new("web-uid".into()),
            key: DigestKey::new(&[7; 32]),
            synced: true,
            clock: Duration::from_secs(100),
            skew: Duration::from_secs(10_000),
            watching: true,
            comparable: true,
            rv: 1,
            uids: 0,
            objects: BTreeMap::new(),
            workload,
            sets: BTreeMap::new(),
            pods: BTreeMap::new(),
            rolls: Vec::new(),
            stored: None,
        };
        world.put_workload();
        world
    }

    pub(crate) fn id() -> WorkloadId {
        WorkloadId::new(WorkloadKind::Deployment, NAMESPACE, "web")
    }

    /// The API server's clock, in whole seconds as it writes them.
    pub(crate) fn time(&self) -> ServerTime {
        at(self.clock.as_secs())
    }

    /// The operator's clock.
    pub(crate) fn now(&self) -> Mono {
        Mono(self.skew + self.clock)
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

    fn seen(&self) -> Seen {
        Seen {
            live: true,
            now: self.now(),
        }
    }

    // === What users do ===

    /// Puts the policy `how` in force, as YAML would give it.
    pub(crate) fn policy(&mut self, how: Value) {
        let id = PolicyId::namespaced(NAMESPACE, "policy");
        let policy = CompiledPolicy::namespaced(&id, &serde_json::from_value(how).unwrap());
        self.index.change_policies(|policies| {
            policies.apply(&id, policy);
        });
        self.align();
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
        if self.watching {
            let seen = self.seen();
            self.index.delete_source(&config_map(name), Some(rv), seen);
        }
        rv
    }

    fn show(&mut self, name: &str, live: bool) {
        if !self.watching {
            return;
        }
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
        self.index.apply_source(&config_map(name), meta, seen);
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
        if self.watching {
            let namespace: Arc<str> = NAMESPACE.into();
            let set = self.sets[&name].clone();
            self.index
                .apply_workload(&Self::id(), self.workload.clone());
            self.index.apply_replica_set(&namespace, &name, set);
            self.align();
        }
    }

    pub(crate) fn align(&mut self) {
        if let Some(view) = self.index.view(&Self::id()) {
            self.record.align(view.workload, view.references);
        }
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
                }),
            }],
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
        if self.watching {
            self.index.apply_pod(&NAMESPACE.into(), pod);
        }
    }

    pub(crate) fn delete_pod(&mut self, name: &str) {
        self.pods.remove(name);
        if self.watching {
            self.index.delete_pod(NAMESPACE, name);
        }
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
    pub(crate) fn read(&mut self) -> Vec<Observed> {
        let sources: Vec<SourceId> = self.index.used_sources().collect();
        let mut observed = Vec::new();
        for id in sources {
            let version = Version::of_source(self.index.source(&id));
            let mut lags = false;
            for (key, track) in &mut self.record.tracks {
                if key.source.1 != id.name {
                    continue;
                }
                match track.lags(self.index.source(&id)) {
                    true => lags = true,
                    false => track.resume(),
                }
            }
            if lags {
                let content = self.content(&id.name);
                observed.extend(self.take_in(&id.name, &content));
            } else {
                self.index.settle_source(&id, version.rv);
            }
        }
        observed
    }

    /// Takes in what was read.
    pub(crate) fn take_in(&mut self, name: &str, content: &SourceContent) -> Vec<Observed> {
        let id = config_map(name);
        let source = self.index.source(&id);
        let first = source.and_then(|source| source.marks.first());
        let arrival = Arrival {
            date: self.time(),
            listed: self
                .index
                .view(&Self::id())
                .and_then(|view| view.newest_listed()),
            now: first.map_or(self.now(), |mark| mark.received),
            comparable: self.comparable,
        };
        let mut observed = Vec::new();
        for reference in self.workload.references.iter() {
            let key = crate::core::history::record::TrackKey::of(reference);
            if let Some(track) = self.record.tracks.get_mut(&key)
                && *reference.source.1 == *name
            {
                observed
                    .push(track.observe(NAMESPACE, reference, source, content, &self.key, arrival));
            }
        }
        let rv = match content {
            SourceContent::Absent => None,
            SourceContent::Present(_) => Version::of_content(content).rv,
        };
        self.index.settle_source(&id, rv);
        observed
    }

    pub(crate) fn assess(&self) -> Vec<PodFacts> {
        let view = self.index.view(&Self::id()).unwrap();
        assess(&view, &self.record, REFRESH_BOUND, self.now())
    }

    /// Plans, as the operator does after each event.
    pub(crate) fn plan(&mut self) -> Decision {
        let view = self.index.view(&Self::id()).unwrap();
        self.record.prune(&view);
        let pods = assess(&view, &self.record, REFRESH_BOUND, self.now());
        let unread = self
            .record
            .unread(|(_, name)| self.index.source(&config_map(name)));
        let decision = decide(&Facts {
            unread,
            synced: self.synced,
            view: &view,
            record: &self.record,
            pods: &pods,
            key: &self.key,
            now: self.now(),
        });
        // A watch brings what happened within three seconds.
        let lag = Duration::from_secs(3);
        let seen = Some((at((self.clock - lag).as_secs()), Mono(self.now().0 - lag)));
        if decision.reason == crate::api::reasons::Reason::InSync {
            self.record.contest.removals = 0;
            if pods.iter().all(|pod| !pod.refreshed) {
                self.record.note_in_sync(seen);
            }
        }
        let status = render(&Input {
            id: &Self::id(),
            view: &view,
            record: &self.record,
            pods: &pods,
            decision: &decision,
            before: None,
            clock: self.clocks(),
        });
        self.stored = Some(serde_json::to_value(&status).unwrap());
        decision
    }

    fn clocks(&self) -> Clock {
        Clock {
            now: self.now(),
            server: self.time(),
        }
    }

    /// Writes the revision into the Pod template.
    pub(crate) fn patch(&mut self, plan: &Plan) {
        let roll = Roll {
            revision: plan.revision.clone(),
            time: self.time(),
            // The version that the patch gives.
            rv: Some(Rv(self.rv + 1)),
            causes: plan.causes.clone(),
        };
        self.record
            .rolled(roll, base_of(&plan.revision), self.now());
        self.rolls.push(plan.clone());
        let hash = self.workload.template.hash;
        self.change_template(hash[0], Some(&plan.revision));
    }

    /// Reads and plans; where that says so rolls, with the Deployment's
    /// controller replacing the Pods. Returns what was decided.
    pub(crate) fn step(&mut self) -> Decision {
        self.read();
        let decision = self.plan();
        if let Verdict::Roll(plan) = &decision.verdict {
            self.patch(plan);
            self.replace_pods();
        }
        decision
    }

    /// Ends the operator: what follows goes unseen.
    pub(crate) fn stop(&mut self) {
        self.watching = false;
    }

    /// Starts an operator anew: it lists everything, with what is stored.
    pub(crate) fn start(&mut self) {
        self.watching = true;
        self.index = Index::default();
        let spec = spec(&Self::id(), &self.workload.uid);
        self.record = match &self.stored {
            Some(stored) => {
                let status: ProjectionStatus = serde_json::from_value(stored.clone()).unwrap();
                restore(&spec, &status, &self.key, self.clocks())
            }
            None => Record::new(self.workload.uid.clone()),
        };
        let namespace: Arc<str> = NAMESPACE.into();
        let names: Vec<Arc<str>> = self.objects.keys().cloned().collect();
        for name in names {
            self.show(&name, false);
        }
        self.index
            .apply_workload(&Self::id(), self.workload.clone());
        for (name, set) in &self.sets {
            self.index.apply_replica_set(&namespace, name, set.clone());
        }
        for pod in self.pods.values() {
            self.index.apply_pod(&namespace, listed(pod));
        }
        self.align();
    }
}

/// A Pod as a list shows it.
pub(crate) fn listed(pod: &Pod) -> Pod {
    let mut pod = pod.clone();
    pod.start.rv = None;
    for container in &mut pod.containers {
        if let Some(started) = &mut container.started {
            started.shown = None;
        }
    }
    pod
}

/// Tells texts apart well enough.
fn crc(text: &str) -> u32 {
    text.bytes().fold(7, |sum: u32, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}
