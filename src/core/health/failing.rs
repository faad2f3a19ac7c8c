//! When a Pod of a roll fails.

use std::sync::Arc;
use std::time::Duration;

use crate::core::object::pod::{Container, Pod};
use crate::core::time::ServerTime;

/// What a container does so long after its start may come of what it started with.
pub(super) const WINDOW: Duration = Duration::from_secs(5 * 60);

/// How long a failure has to last.
const LASTING: Duration = Duration::from_secs(30);

/// A container that crashed so lately may crash for reasons of its own.
const LATELY: Duration = Duration::from_secs(60 * 60);

/// How a Pod fails.
pub(super) struct Failing {
    /// The reason, as a constant.
    pub(super) reason: Arc<str>,
    /// Whether it is what a container does that started with the content.
    pub(super) accuses: bool,
    /// After which time it counts as a sign.
    pub(super) suspected: Duration,
    /// After which time it is certain.
    pub(super) certain: Duration,
}

impl Failing {
    /// How a Pod fails, if it does.
    pub(super) fn of(pod: &Pod, now: ServerTime) -> Option<Self> {
        let accused = |reason: &str, suspected, certain| {
            Some(Self {
                reason: reason.into(),
                accuses: true,
                suspected,
                certain,
            })
        };
        let (crash, lost) = (
            |container: &&Container| crashes(container, now),
            |container: &&Container| lost_readiness(container, now),
        );
        let waits = pod.broken.as_deref();
        let again = pod.containers.iter().filter(crash);
        if again.clone().any(|container| container.restarts > 1) {
            return accused(waits.unwrap_or("Crashed"), Duration::ZERO, Duration::ZERO);
        }
        match waits {
            Some(reason @ ("CrashLoopBackOff" | "CreateContainerConfigError")) => {
                return accused(reason, Duration::ZERO, LASTING);
            }
            Some(reason) => {
                return Some(Self {
                    reason: reason.into(),
                    accuses: false,
                    suspected: LASTING,
                    certain: LASTING,
                });
            }
            None => {}
        }
        if again.clone().any(|container| !container.ready) {
            return accused("Crashed", Duration::ZERO, LASTING);
        }
        if pod.containers.iter().any(|container| lost(&container)) {
            return accused("NotReady", LASTING, LASTING * 2);
        }
        None
    }
}

/// Whether a container has ended soon after it started, and lately.
fn crashes(container: &Container, now: ServerTime) -> bool {
    let end = container.end.as_ref();
    end.is_some_and(|end| end.after <= WINDOW && within(end.at, now, WINDOW))
}

/// Whether a container is no longer ready, soon after it started.
fn lost_readiness(container: &Container, now: ServerTime) -> bool {
    let started = container.started;
    let soon = started.is_some_and(|start| within(start.at, now, WINDOW));
    container.was_ready && !container.ready && soon
}

/// Whether a container of a Pod has crashed lately.
pub(super) fn crashed_lately(pod: &Pod, now: ServerTime) -> bool {
    let mut ends = pod.containers.iter().filter_map(|one| one.end.as_ref());
    ends.any(|end| within(end.at, now, LATELY))
}

/// Whether a Pod's containers have started, and one is not ready.
pub(super) fn started_but_not_ready(pod: &Pod) -> bool {
    let mut containers = pod.containers.iter();
    !pod.ready && containers.any(|one| one.started.is_some() && !one.ready)
}

/// Whether two times are so close. That one is a node's does not matter within minutes.
fn within(time: ServerTime, now: ServerTime, span: Duration) -> bool {
    now.duration_since(time).unsigned_abs() <= span
}
