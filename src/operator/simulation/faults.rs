//! What goes wrong between the operator and the API server.

/// Which requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// GETs of sources.
    Reads,
    /// Patches of workloads.
    Rolls,
    /// Writes of Projections and of policies' status.
    Reports,
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// 500, and nothing is done.
    Error,
    /// 409, and nothing is done.
    Conflict,
    /// No answer, and nothing is done.
    Hang,
    /// It is done, and the answer is lost.
    Lost,
}

/// The faults of the next requests, each meets one.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pending: Vec<(Target, Fault)>,
}

impl Faults {
    pub(super) fn add(&mut self, target: Target, fault: Fault, times: u8) {
        let faults = (0..times).map(|_| (target, fault));
        self.pending.extend(faults);
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    pub(super) fn take(&mut self, target: Target) -> Option<Fault> {
        let at = self.pending.iter().position(|(of, _)| *of == target)?;
        Some(self.pending.remove(at).1)
    }
}
