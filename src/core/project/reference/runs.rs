//! The containers of a Pod, and when they run.

use crate::core::project::pod_spec::{Container, PodSpec};

/// Time at which a container runs, which decides whether it sees refreshed volumes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// A regular init container runs to its end before the Pod serves.
    BeforePod,
    /// A container or sidecar runs as long as the Pod.
    WithPod,
}

/// The containers of a Pod, with when they run.
pub(super) fn containers(spec: &PodSpec) -> impl Iterator<Item = (&Container, Runs)> {
    let init = spec.init_containers.iter().map(|container| {
        let runs = if container.is_sidecar() {
            Runs::WithPod
        } else {
            Runs::BeforePod
        };
        (container, runs)
    });
    init.chain(spec.containers.iter().map(|c| (c, Runs::WithPod)))
}
