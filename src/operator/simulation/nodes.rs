//! The kubelets. What containers have is what the model of the kubelet (tests/kubelet) says.

use std::time::Duration;

use kubelet::{Kind, Source, Sources};

use super::cluster::{Action, Cluster};

/// How long a kubelet waits before it tries again to start a Pod.
const RETRY: Duration = Duration::from_millis(1500);

/// How often it writes the volumes of a Pod anew.
const REFRESH: Duration = Duration::from_secs(70);

impl Cluster {
    /// What kubelets give to their Pods: their watches are never late.
    fn given(&self) -> Sources {
        let sources = self.sources.values().map(|source| {
            let kind = match source.secret {
                true => Kind::Secret,
                false => Kind::ConfigMap,
            };
            let held = Source {
                data: source.data.clone(),
                ..Source::default()
            };
            ((kind, source.identity.name.clone()), held)
        });
        sources.collect()
    }

    /// Starts a Pod's container, for the first time or again, if that can be.
    pub(super) fn start_pod(&mut self, uid: &str) {
        let (given, now, before) = (self.given(), self.second(), self.rv);
        let Some(pod) = self.pods.get_mut(uid).filter(|pod| !pod.terminating) else {
            return;
        };
        let first = pod.started.is_none();
        let volumes = match first {
            true => pod.node.set_up(&given),
            false => Ok(()),
        };
        let started = volumes.and_then(|()| pod.node.start("app", &given));
        let (name, work) = (pod.identity.name.clone(), pod.work.clone());
        if let Err(refused) = started {
            if first {
                if !pod.waits {
                    pod.waits = true;
                    self.put_pod(uid);
                    self.note(format!("Pod {name} can't start: {refused}"));
                }
                self.after(RETRY, Action::Start(uid.to_owned()));
            }
            return;
        }
        pod.started = Some(now);
        pod.waits = false;
        let has = pod.revision.template.seen(pod.injected, &pod.node);
        if first {
            self.after(REFRESH, Action::Refresh(uid.to_owned()));
        }
        self.put_pod(uid);
        self.note(format!("Pod {name} starts with {has:?}"));
        self.model.pod_started(uid, before..=before, now);
        self.model.pod_has(uid, has);
        let delay = self.millis(2, 100);
        self.after(delay, Action::Control(work));
    }

    /// Writes the volumes of a Pod anew.
    pub(super) fn refresh_pod(&mut self, uid: &str) {
        let given = self.given();
        if let Some(pod) = self.pods.get_mut(uid) {
            pod.node.refresh_all(&given);
            self.after(REFRESH, Action::Refresh(uid.to_owned()));
        }
    }
}
