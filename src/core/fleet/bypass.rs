//! Why a workload goes though its turn has not come.

/// Why a workload goes though its turn has not come. None passes the brake, a
/// halt, or what another source that it lacks waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bypass {
    /// None of its Pods is ready, or its last roll failed with content that has changed since.
    Broken,
    /// It returns to content that was good for it within a day.
    Revert,
    /// The policy names the source as urgent.
    Urgent,
}

// === impl Bypass ===

impl Bypass {
    /// Whether the lane's limit does not count: what is broken loses nothing.
    #[must_use]
    pub fn skips_limit(self) -> bool {
        self == Self::Broken
    }
}
