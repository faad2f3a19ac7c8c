//! What is known of one Pod: whose it is, and when it and its containers started.

use std::sync::Arc;
use std::time::Duration;

use crate::core::project::reference::Reference;
use crate::core::time::ServerTime;
use crate::kinds::{ApiType, Rv};

/// One live Pod, in the few facts that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// The controlling owner.
    pub owner: Option<Owner>,
    /// When it started.
    pub start: Start,
    /// Its containers and init containers, as far as their status is reported.
    pub containers: Vec<Container>,
    /// What its own spec projects, in which admission webhooks may have a part; `None` where it
    /// isn't known, and counts as what its template does. Pods that project the same share it.
    pub own: Option<Arc<[Reference]>>,
    /// Neither terminating nor finished: such a Pod is not counted.
    pub active: bool,
    /// Condition `Ready`.
    pub ready: bool,
    /// `projsync.dev/revision`, copied from its template.
    pub revision: Option<Arc<str>>,
    /// Label `controller-revision-hash` (StatefulSet, DaemonSet).
    pub revision_hash: Option<Arc<str>>,
    /// Why a container cannot run, such as `CrashLoopBackOff`.
    pub broken: Option<Arc<str>>,
}

/// A controlling owner reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Group of `apiVersion`; empty for the core group.
    pub group: Arc<str>,
    /// `kind`.
    pub kind: Arc<str>,
    /// `name`.
    pub name: Arc<str>,
    /// `uid`.
    pub uid: Arc<str>,
}

/// When a Pod started, as exactly as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The resourceVersion of its ADDED event, where that was seen live.
    pub rv: Option<Rv>,
    /// A version that it certainly started after: that of the roll whose
    /// revision it carries.
    pub at_least: Option<Rv>,
    /// `metadata.creationTimestamp`.
    pub time: ServerTime,
}

/// One container of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// `name`.
    pub name: Arc<str>,
    /// When it last started; `None` while it never has.
    pub started: Option<ContainerStart>,
    /// Whether it is ready, as its kubelet says.
    pub ready: bool,
    /// Whether it was ready at some time since it started, as far as that was seen.
    pub was_ready: bool,
    /// `restartCount`.
    pub restarts: u32,
    /// How it last ended though it should run on, or failed as an init container. Boxed,
    /// since most containers never do.
    pub end: Option<Box<End>>,
}

/// The end of a container's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// `finishedAt`: a reading of the node's clock.
    pub at: ServerTime,
    /// How long it had run.
    pub after: Duration,
}

/// The last start of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerStart {
    /// `startedAt`: a reading of the node's clock.
    pub at: ServerTime,
    /// The resourceVersion of the event that first showed this start; `None`
    /// where the Pod was listed with it.
    pub shown: Option<Rv>,
    /// By how many seconds the node's clock may have been ahead.
    pub ahead: u8,
}

impl ContainerStart {
    /// How far apart a node's clock and the API server's may be.
    pub const CLOCK_MARGIN: u8 = 10;
}

impl Owner {
    /// Whether the owner is of this API type.
    #[must_use]
    pub fn is(&self, api: &ApiType) -> bool {
        *self.group == *api.group && *self.kind == *api.kind
    }
}

impl Pod {
    /// A reference of its workload as the Pod has it; `None` if its spec has no such use.
    #[must_use]
    pub fn own_use_of<'a>(&'a self, reference: &'a Reference) -> Option<&'a Reference> {
        match &self.own {
            Some(own) => own.iter().find(|own| own.is_same(reference)),
            None => Some(reference),
        }
    }

    /// Forgets every version: they were of another history of the cluster.
    pub fn forget_versions(&mut self) {
        self.start.rv = None;
        self.start.at_least = None;
        let starts = self.containers.iter_mut();
        for start in starts.filter_map(|container| container.started.as_mut()) {
            start.shown = None;
        }
    }

    /// Takes over from `earlier`, an older view of the same Pod, what only the
    /// event that first showed it could tell.
    pub fn inherit(&mut self, earlier: &Self) {
        self.start.rv = earlier.start.rv.or(self.start.rv);
        self.start.at_least = earlier.start.at_least.max(self.start.at_least);
        for container in &mut self.containers {
            let mut others = earlier.containers.iter();
            let before = others.find(|other| other.name == container.name);
            if let (Some(start), Some(before)) = (&mut container.started, before)
                && let Some(started) = before.started
                && start.at == started.at
            {
                start.shown = started.shown;
                container.was_ready |= before.was_ready;
            }
        }
    }
}
