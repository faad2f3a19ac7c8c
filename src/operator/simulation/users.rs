//! What users do to sources, workloads and policies.

use super::cluster::{Action, Cluster};
use super::model::{Gap, Policy, Second, Workload};
use super::objects::{Kind, PolicyObject, SourceObject};
use super::workloads::{MESH, PodObject, Template, Work, WorkKind};

/// For so many seconds what is known of a workload is surely kept once it isn't
/// managed any more.
const RETIRED: Second = 280;

// === Sources ===

impl Cluster {
    /// Changes a source, creating it if need be, and tells the model if its data moved.
    pub(super) fn edit_source(&mut self, name: &str, edit: impl FnOnce(&mut SourceObject, Second)) {
        let now = self.second();
        let (kind, plain) = name.split_once('/').unwrap();
        let before = self.sources.get(name).map(|source| source.data.clone());
        if before.is_none() {
            let identity = self.identity(plain);
            let source = SourceObject::new(identity, kind == "Secret");
            self.sources.insert(name.to_owned(), source);
        }
        let source = self.sources.get_mut(name).unwrap();
        edit(source, now);
        let source = source.clone();
        if self
            .objects
            .get(&(source.kind(), plain.to_owned()))
            .is_some_and(|stored| {
                let mut same = source.json();
                same["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
                same == **stored
            })
        {
            return;
        }
        let rv = self.commit(source.kind(), plain, Some(source.json()));
        if before.as_ref() != Some(&source.data) {
            self.note(format!("{name} holds {:?}", source.data));
            let stamp = source.stamp();
            self.model.source(name, rv, now, stamp, Some(source.data));
        }
    }

    pub(super) fn delete_source(&mut self, name: &str) {
        let Some(source) = self.sources.remove(name) else {
            return;
        };
        let rv = self.commit(source.kind(), &source.identity.name, None);
        self.note(format!("{name} is deleted"));
        let now = self.second();
        self.model.source(name, rv, now, now, None);
    }
}

// === Workloads ===

impl Cluster {
    pub(super) fn create_work(&mut self, name: &str, kind: WorkKind, shape: usize) {
        if self.works.contains_key(name) {
            return;
        }
        let identity = self.identity(name);
        let work = Work {
            identity,
            kind,
            generation: 1,
            observed: 0,
            replicas: 2,
            paused: false,
            sync: None,
            template: Template {
                shape,
                image: 0,
                revision: None,
            },
            revisions: Vec::new(),
            rv: 0,
        };
        self.works.insert(name.to_owned(), work);
        self.put_work(name);
        self.forget_before(name, None);
        self.select(name);
    }

    /// Lets a workload's owner change it.
    pub(super) fn edit_work(&mut self, name: &str, edit: impl FnOnce(&mut Work)) {
        let Some(work) = self.works.get_mut(name) else {
            return;
        };
        let before = work.clone();
        edit(work);
        work.generation += 1;
        let (old, new) = (before.template, work.template.clone());
        let sync = before.sync != work.sync;
        self.put_work(name);
        if old != new {
            let bare = |template: &Template| Template {
                revision: None,
                ..template.clone()
            };
            match bare(&old) == bare(&new) {
                true => self.model.annotation_removed(name),
                false => self.model.template_changed(name),
            }
        }
        if old.shape != new.shape {
            let known = old.uses();
            for one in new.uses().iter().filter(|one| !known.contains(one)) {
                self.forget_before(name, Some(one.source.clone()));
            }
        }
        if sync {
            self.select(name);
        }
    }

    /// Stores a workload, and has its controller look at it.
    pub(super) fn put_work(&mut self, name: &str) {
        let work = self.works[name].clone();
        let rv = self.commit(work.kind.kind(), name, Some(work.json()));
        self.works.get_mut(name).unwrap().rv = rv;
        let what = self.injected.get(name).copied().unwrap_or(0);
        let told = Workload {
            template: work.template.id(),
            uses: work.template.uses_with(what),
            paused: work.paused,
            on_delete: work.kind == WorkKind::StatefulSetOnDelete,
            ordered: matches!(
                work.kind,
                WorkKind::StatefulSet | WorkKind::StatefulSetOnDelete
            ),
        };
        self.model.workload(name, rv, told);
        self.follow_injected(name);
        let (template, replicas, paused) = (&work.template, work.replicas, work.paused);
        let observed = work.generation == work.observed;
        self.note(format!(
            "{name}: {template:?} replicas={replicas} paused={paused} observed={observed}"
        ));
        let delay = self.millis(2, 150);
        self.after(delay, Action::Control(name.to_owned()));
    }

    pub(super) fn delete_work(&mut self, name: &str) {
        let Some(work) = self.works.remove(name) else {
            return;
        };
        self.note(format!("{name} is deleted"));
        self.commit(work.kind.kind(), name, None);
        for revision in &work.revisions {
            self.commit(work.kind.revision_kind(), &revision.identity.name, None);
        }
        let of_work = self.pods.iter().filter(|(_, pod)| pod.work == name);
        let uids: Vec<String> = of_work.map(|(uid, _)| uid.clone()).collect();
        for uid in uids {
            let pod = self.pods.remove(&uid).unwrap();
            self.commit(Kind::Pod, &pod.identity.name, None);
        }
        // The garbage collector takes what it owns.
        let projection = format!("{:?}-{name}", work.kind.kind()).to_lowercase();
        self.commit(Kind::Projection, &projection, None);
        self.projected.remove(name);
        self.unmanaged.remove(name);
        self.injected.remove(name);
        self.model.workload_gone(name);
    }

    /// A workload uses what its Pods of its template do; while there are none, what they did.
    pub(super) fn follow_injected(&mut self, name: &str) {
        let Some(work) = self.works.get(name) else {
            return;
        };
        let pods = self.pods_of(name);
        let current = pods
            .iter()
            .filter(|pod| work.is_current(&pod.revision.template));
        let current: Vec<u8> = current.map(|pod| pod.injected).collect();
        if current.is_empty() || work.observed != work.generation {
            return;
        }
        self.put_injected(name, current.into_iter().fold(0, |all, one| all | one));
    }

    /// A replica that starts has not seen the Pods of before: those that a roll of ours is about
    /// to replace are all that it has.
    pub(super) fn forget_injected(&mut self) {
        let works: Vec<Work> = self.works.values().cloned().collect();
        for work in works {
            let name = &work.identity.name;
            let pods = self.pods_of(name);
            let is_current = |pod: &&PodObject| work.is_current(&pod.revision.template);
            if pods.iter().any(|pod| is_current(&pod)) {
                continue;
            }
            let alike = pods
                .iter()
                .filter(|pod| pod.revision.template.is_alike(&work.template));
            let what = alike.fold(0, |all, pod| all | pod.injected);
            self.put_injected(name, what);
        }
    }

    fn put_injected(&mut self, name: &str, what: u8) {
        let before = self.injected.insert(name.to_owned(), what).unwrap_or(0);
        if before == what {
            return;
        }
        let uses = self.works[name].template.uses_with(what);
        self.note(format!("{name}: {what} is put into its Pods"));
        self.model.uses(name, uses);
        if what & !before != 0 {
            self.forget_before(name, Some(MESH.to_owned()));
        }
    }

    /// Of what was before now nothing is known of this workload.
    fn forget_before(&mut self, name: &str, source: Option<String>) {
        let seconds = Second::MIN..=self.second() + 3;
        self.model.gap(name, Gap { seconds, source });
    }
}

// === Policies ===

impl Cluster {
    pub(super) fn put_policy(&mut self, policy: Option<PolicyObject>) {
        if self.policy == policy {
            return;
        }
        let before = self.policy;
        self.policy = policy;
        self.note(format!("{policy:?}"));
        match policy {
            Some(policy) => {
                self.policy_generation += 1;
                let known = self.objects.get(&(Kind::SyncPolicy, "policy".to_owned()));
                let known = known.and_then(|known| known["metadata"]["uid"].as_str());
                let uid = known.map(str::to_owned);
                let mut identity = self.identity("policy");
                identity.uid = uid.unwrap_or(identity.uid);
                let object = policy.json(&identity, self.policy_generation);
                self.commit(Kind::SyncPolicy, "policy", Some(object));
            }
            None if before.is_some() => {
                self.commit(Kind::SyncPolicy, "policy", None);
            }
            None => {}
        }
        let names: Vec<String> = self.works.keys().cloned().collect();
        for name in names {
            self.select(&name);
        }
    }

    /// How a workload is managed by now.
    fn select(&mut self, name: &str) {
        let default = PolicyObject {
            observe: false,
            suspend: false,
            min_interval: 30,
        };
        let policy = match (self.works[name].sync, self.policy) {
            (Some(false), _) | (None, None) => None,
            (Some(true), policy) => Some(policy.unwrap_or(default)),
            (None, Some(policy)) => Some(policy),
        };
        let policy = policy.map(|policy| Policy {
            observe: policy.observe,
            suspend: policy.suspend,
            min_interval: policy.min_interval,
        });
        let now = self.second();
        let managed = self.model.policy(name, self.rv, policy);
        match (policy, self.unmanaged.get(name).copied()) {
            (None, None) => {
                self.unmanaged.insert(name.to_owned(), now);
            }
            (Some(_), Some(since)) if managed => {
                self.unmanaged.remove(name);
                let seconds = self.slow_since(since - 3)..=now + 3;
                let source = None;
                self.model.gap(name, Gap { seconds, source });
                // Its Projection may have been deleted meanwhile.
                if now - since > RETIRED {
                    self.forget_before(name, None);
                }
            }
            (Some(_), None) if managed => self.forget_before(name, None),
            _ => {}
        }
    }
}
