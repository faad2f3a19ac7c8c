//! The workloads' controllers.

use super::cluster::{Action, Cluster};
use super::objects::Kind;
use super::workloads::{PodObject, Revision, Work, WorkKind};

// === Controllers ===

impl Cluster {
    /// What a workload's controller does once; it looks again until all is done.
    pub(super) fn control(&mut self, name: &str) {
        let Some(work) = self.works.get(name) else {
            return;
        };
        let held = work.kind == WorkKind::Deployment && work.paused;
        if !held {
            self.put_revision(name);
        }
        let work = self.works.get_mut(name).unwrap();
        if work.observed != work.generation {
            work.observed = work.generation;
            self.put_work(name);
            return;
        }
        let work = self.works[name].clone();
        let busy = match work.kind {
            WorkKind::Deployment => self.control_deployment(&work),
            WorkKind::DaemonSet => self.control_ordered(&work, true),
            WorkKind::StatefulSet => self.control_ordered(&work, true),
            WorkKind::StatefulSetOnDelete => self.control_ordered(&work, false),
        };
        if busy {
            let delay = self.millis(50, 700);
            self.after(delay, Action::Control(name.to_owned()));
        }
    }

    /// Makes the template's revision the newest.
    fn put_revision(&mut self, name: &str) {
        let work = self.works[name].clone();
        let numbers = work.revisions.iter().map(|one| one.number);
        let newest = numbers.max().unwrap_or(0);
        let same = work
            .revisions
            .iter()
            .position(|one| work.is_current(&one.template));
        let at = match same {
            Some(at) if work.revisions[at].number == newest => return,
            Some(at) => at,
            None => {
                let suffix = self.random(1 << 24);
                let identity = self.identity(&format!("{name}-{suffix:06x}"));
                let revision = Revision {
                    identity,
                    template: work.template.clone(),
                    number: 0,
                };
                let work = self.works.get_mut(name).unwrap();
                work.revisions.push(revision);
                work.revisions.len() - 1
            }
        };
        let work = self.works.get_mut(name).unwrap();
        work.revisions[at].number = newest + 1;
        let (work, revision) = (work.clone(), work.revisions[at].clone());
        let (kind, object) = (work.kind.revision_kind(), work.revision_json(&revision));
        self.commit(kind, &revision.identity.name, Some(object));
    }

    /// Its Pods that aren't terminating.
    pub(super) fn pods_of(&self, name: &str) -> Vec<PodObject> {
        let of_work = self.pods.values().filter(|pod| pod.work == name);
        of_work.filter(|pod| !pod.terminating).cloned().collect()
    }

    fn control_deployment(&mut self, work: &Work) -> bool {
        let pods = self.pods_of(&work.identity.name);
        let (new, old): (Vec<_>, Vec<_>) = pods
            .iter()
            .partition(|pod| work.is_current(&pod.revision.template));
        let total = pods.len();
        let newest = work.revisions.iter().max_by_key(|one| one.number);
        if work.paused {
            if total < work.replicas {
                if let Some(revision) = newest {
                    self.create_pod(work, None, &revision.clone());
                }
            } else if total > work.replicas {
                let pod = old.first().or(new.first()).unwrap();
                self.terminate_pod(&pod.identity.uid.clone());
            }
            return total != work.replicas;
        }
        // One more than wanted, and none fewer that runs.
        let ready = pods.iter().filter(|pod| pod.started.is_some()).count();
        let goner = old
            .iter()
            .find(|pod| pod.started.is_none() || ready > work.replicas);
        if new.len() < work.replicas && total <= work.replicas {
            self.create_pod(work, None, &newest.unwrap().clone());
        } else if let Some(pod) = goner.or(old.first().filter(|_| work.replicas == 0)) {
            self.terminate_pod(&pod.identity.uid.clone());
        } else if new.len() > work.replicas {
            self.terminate_pod(&new[0].identity.uid.clone());
        } else {
            return !old.is_empty() || new.len() != work.replicas;
        }
        true
    }

    /// A StatefulSet's or DaemonSet's: one Pod at a time, each under its own name.
    fn control_ordered(&mut self, work: &Work, updates: bool) -> bool {
        let name = &work.identity.name;
        let name_of = |at: usize| format!("{name}-{at}");
        let taken: Vec<PodObject> = self
            .pods
            .values()
            .filter(|pod| pod.work == *name)
            .cloned()
            .collect();
        let newest = work.revisions.iter().max_by_key(|one| one.number);
        let ordered = work.kind != WorkKind::DaemonSet;
        for at in 0..work.replicas {
            match taken.iter().find(|pod| pod.identity.name == name_of(at)) {
                None => {
                    self.create_pod(work, Some(name_of(at)), &newest.unwrap().clone());
                    return true;
                }
                Some(pod) if ordered && (pod.started.is_none() || pod.terminating) => return true,
                Some(_) => {}
            }
        }
        let wanted: Vec<String> = (0..work.replicas).map(name_of).collect();
        let surplus = |pod: &&PodObject| !wanted.contains(&pod.identity.name);
        if let Some(pod) = taken.iter().rev().find(surplus) {
            if !pod.terminating {
                self.terminate_pod(&pod.identity.uid);
            }
            return true;
        }
        let old = |pod: &&PodObject| !work.is_current(&pod.revision.template);
        let mut outdated: Vec<&PodObject> = taken.iter().filter(old).collect();
        outdated.sort_by(|a, b| b.identity.name.cmp(&a.identity.name));
        if !updates || outdated.is_empty() {
            return false;
        }
        let available = |pod: &PodObject| pod.started.is_some() && !pod.terminating;
        let others = taken.iter().filter(|pod| !available(pod)).count();
        let target = outdated.iter().find(|pod| !available(pod) || others == 0);
        if let Some(pod) = target.filter(|pod| !pod.terminating) {
            self.terminate_pod(&pod.identity.uid);
        }
        true
    }
}

// === Pods ===

impl Cluster {
    fn create_pod(&mut self, work: &Work, name: Option<String>, revision: &Revision) {
        let suffix = self.random(1 << 20);
        let name = name.unwrap_or_else(|| format!("{}-{suffix:05x}", revision.identity.name));
        let identity = self.identity(&name);
        let pod = PodObject {
            identity: identity.clone(),
            work: work.identity.name.clone(),
            injected: self.webhook,
            revision: revision.clone(),
            started: None,
            waits: false,
            terminating: false,
            node: revision.template.on_node(self.webhook),
        };
        let rv = self.commit(Kind::Pod, &name, Some(pod.json(work)));
        self.pods.insert(identity.uid.clone(), pod);
        self.note(format!("Pod {name} is created"));
        let template = revision.template.id();
        let uses = revision.template.uses_with(self.webhook);
        self.model.pod(
            &work.identity.name,
            (&name, &identity.uid),
            (&template, &uses),
            rv,
            identity.created,
        );
        self.follow_injected(&work.identity.name);
        let delay = self.millis(20, 2000);
        self.after(delay, Action::Start(identity.uid));
    }

    pub(super) fn terminate_pod(&mut self, uid: &str) {
        let Some(pod) = self.pods.get_mut(uid).filter(|pod| !pod.terminating) else {
            return;
        };
        pod.terminating = true;
        let name = pod.identity.name.clone();
        self.put_pod(uid);
        self.note(format!("Pod {name} terminates"));
        self.model.pod_gone(uid);
        let work = self.pods[uid].work.clone();
        self.follow_injected(&work);
        let delay = self.millis(50, 1500);
        self.after(delay, Action::Remove(uid.to_owned()));
    }

    pub(super) fn remove_pod(&mut self, uid: &str) {
        if let Some(pod) = self.pods.remove(uid) {
            self.commit(Kind::Pod, &pod.identity.name, None);
            let delay = self.millis(2, 100);
            self.after(delay, Action::Control(pod.work));
        }
    }

    pub(super) fn put_pod(&mut self, uid: &str) -> u64 {
        let pod = self.pods[uid].clone();
        let work = self.works[&pod.work].clone();
        self.commit(Kind::Pod, &pod.identity.name, Some(pod.json(&work)))
    }
}
