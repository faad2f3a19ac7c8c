//! Pods: whose they are and when they and their containers started.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1;

use serde::Deserializer;

use super::intern::{Shared, intern, intern_references};
use super::metadata::{Identity, Metadata, RevisionLabel, Time};
use super::{Bad, Slim, View, fields};
use crate::core::object::pod::{Container, ContainerStart, End, Pod, Start};
use crate::core::project::pod_spec::PodSpec;
use crate::core::project::reference::{Reference, references};
use crate::core::time::ServerTime;
use crate::kinds::{ApiType, POD};

fields! {
    /// `Pod`.
    PodFields {
        metadata: Metadata<RevisionLabel>,
        spec: PodSpec,
        status: PodStatus,
    }

    /// `PodStatus`.
    PodStatus {
        phase: Shared,
        start_time: Time,
        conditions: Vec<Condition>,
        container_statuses: Vec<ContainerStatus>,
        init_container_statuses: Vec<ContainerStatus>,
    }

    /// `PodCondition`.
    Condition {
        r#type: Shared,
        status: Shared,
    }

    /// `ContainerStatus`.
    ContainerStatus {
        name: Shared,
        state: ContainerState,
        last_state: ContainerState,
        ready: bool,
        restart_count: i64,
    }

    /// `ContainerState`: one of.
    ContainerState {
        running: Running,
        terminated: Terminated,
        waiting: Waiting,
    }

    /// `ContainerStateRunning`.
    Running {
        started_at: Time,
    }

    /// `ContainerStateTerminated`.
    Terminated {
        started_at: Time,
        finished_at: Time,
        exit_code: i64,
    }

    /// `ContainerStateWaiting`.
    Waiting {
        reason: Shared,
    }
}

/// Reasons for which a container waits that do not pass by themselves.
const BROKEN: [&str; 7] = [
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

// === impl PodFields ===

impl PodFields {
    /// The containers as far as it is known whether and when they started, of a Pod that
    /// was created then.
    fn containers(&self, created: ServerTime) -> Vec<Container> {
        let names = |containers: &[crate::core::project::pod_spec::Container]| {
            containers
                .iter()
                .map(|container| intern(&container.name))
                .collect::<Vec<_>>()
        };
        let status = &self.status;
        let ahead = status.clock_ahead(created);
        names(&self.spec.init_containers)
            .into_iter()
            .map(|name| status.container(name, &status.init_container_statuses, true, ahead))
            .chain(
                names(&self.spec.containers)
                    .into_iter()
                    .map(|name| status.container(name, &status.container_statuses, false, ahead)),
            )
            .flatten()
            .collect()
    }
}

// === impl PodStatus ===

impl PodStatus {
    /// By how many seconds the node's clock may be ahead of the API server's: by that clock
    /// the kubelet took the Pod up at `startTime`, which can't have been before the Pod was
    /// created. Fractions of a second are cut off both.
    fn clock_ahead(&self, created: ServerTime) -> u8 {
        let Some(taken_up) = self.start_time.0 else {
            return ContainerStart::CLOCK_MARGIN;
        };
        let seconds = taken_up.as_second().saturating_sub(created.as_second());
        let seconds = seconds.max(0).saturating_add(1);
        u8::try_from(seconds)
            .unwrap_or(u8::MAX)
            .min(ContainerStart::CLOCK_MARGIN)
    }

    /// A container, or `None` where nothing tells whether it started.
    fn container(
        &self,
        name: Arc<str>,
        statuses: &[ContainerStatus],
        init: bool,
        ahead: u8,
    ) -> Option<Container> {
        let status = statuses
            .iter()
            .find(|status| status.name.as_str() == &*name);
        let ready = status.is_some_and(|status| status.ready);
        let restarts = status.map_or(0, |status| status.restart_count);
        let started = match status {
            Some(status) => status.started(),
            // A Pod without any status is one that no kubelet has taken up.
            None if matches!(self.phase.as_str(), "" | "Pending") => None,
            None => return None,
        };
        Some(Container {
            name,
            started: started.map(|at| ContainerStart {
                at,
                shown: None,
                ahead,
            }),
            ready,
            was_ready: ready,
            restarts: u32::try_from(restarts).unwrap_or(0),
            end: status.and_then(|status| status.end(init)).map(Box::new),
        })
    }

    fn finished(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    fn ready(&self) -> bool {
        self.conditions.iter().any(|condition| {
            condition.r#type.as_str() == "Ready" && condition.status.as_str() == "True"
        })
    }

    /// Why a container of it can't run.
    fn broken(&self) -> Option<Arc<str>> {
        self.init_container_statuses
            .iter()
            .chain(&self.container_statuses)
            .map(|status| &status.state.waiting.reason)
            .find(|reason| BROKEN.contains(&reason.as_str()))
            .and_then(|reason| reason.clone().get())
    }
}

// === impl ContainerStatus ===

impl ContainerStatus {
    /// The last start. The kubelet writes the beginning of Unix time for a
    /// container that ended without having run.
    fn started(&self) -> Option<ServerTime> {
        [
            &self.state.running.started_at,
            &self.state.terminated.started_at,
            &self.last_state.terminated.started_at,
        ]
        .into_iter()
        .filter_map(|started| started.0)
        .find(|at| *at > ServerTime::UNIX_EPOCH)
    }

    /// How it last ended though it should not have: an init container has done its work
    /// where it ended with success.
    fn end(&self, init: bool) -> Option<End> {
        let ends = [&self.state.terminated, &self.last_state.terminated].into_iter();
        let mut ends = ends.filter(|end| !init || end.exit_code != 0);
        ends.find_map(|end| {
            let at = end
                .finished_at
                .0
                .filter(|at| *at > ServerTime::UNIX_EPOCH)?;
            // One that could not be started has the beginning of Unix time.
            let started = end.started_at.0?;
            let ran = started > ServerTime::UNIX_EPOCH;
            let after = Duration::try_from(at.duration_since(started)).unwrap_or_default();
            Some(End {
                at,
                after: if ran { after } else { Duration::ZERO },
            })
        })
    }
}

impl super::Fields for PodFields {
    fn identity(&self) -> Identity<'_> {
        self.metadata.identity()
    }
}

impl Slim for v1::Pod {
    type Kind = ();
    /// The resourceVersion of its start and those at which container starts were shown
    /// are for whoever saw the event to fill in.
    type Object = Pod;

    fn api((): &()) -> &'static ApiType {
        &POD
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, pod)
    }
}

/// What the Pod's own spec projects; `None` if it has no containers, or projects too much.
///
/// Every Pod gets a volume with its token and the cluster's root certificates. The kubelet keeps
/// it fresh, and clients of the API server read it again; if it counted, a new certificate would
/// roll the whole cluster. It counts where a template has it.
fn own_references(spec: &mut PodSpec) -> Option<Arc<[Reference]>> {
    spec.volumes.retain(|volume| !volume.is_default_token());
    let own = references(spec).ok()?;
    (!spec.containers.is_empty()).then(|| intern_references(&own))
}

fn pod(mut fields: PodFields) -> Result<Pod, Bad> {
    let created = fields.metadata.created()?;
    let owner = fields.metadata.controller();
    let containers = fields.containers(created);
    let own = own_references(&mut fields.spec);
    let status = fields.status;
    let metadata = fields.metadata;
    let terminating = metadata.deletion_timestamp.0.is_some();
    Ok(Pod {
        active: !terminating && !status.finished(),
        ready: status.ready(),
        broken: status.broken(),
        owner,
        containers,
        own,
        start: Start {
            rv: None,
            at_least: None,
            time: created,
        },
        revision: metadata.annotations.revision.get(),
        revision_hash: metadata.labels.hash.get(),
        uid: metadata.uid,
        name: metadata.name,
    })
}
