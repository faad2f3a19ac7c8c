//! What keeps a workload from being rolled for the sake of others.

use crate::core::fleet::waves::Early;
use crate::kinds::{SourceId, WorkloadId};

/// What keeps a workload from being rolled for the sake of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The source that it lacks.
    pub source: SourceId,
    /// Why it waits for it.
    pub why: Why,
}

/// Why a workload waits with a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It failed in this workload.
    Halted(WorkloadId),
    /// It seems to fail in this workload.
    Suspect(WorkloadId),
    /// This wave has ended, and nobody in it could prove anything.
    NothingProven(usize),
    /// This workload goes first, or has it and has to stay healthy for a while.
    Behind(WorkloadId),
    /// As many as may be are being rolled.
    NoSlot,
}

// === impl Why ===

impl From<Early> for Why {
    fn from(early: Early) -> Self {
        match early {
            Early::Behind(other) => Self::Behind(other),
            Early::NothingProven(at) => Self::NothingProven(at),
        }
    }
}
