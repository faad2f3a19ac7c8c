//! Outcomes, as labels.

/// Outcome of a read, a write or an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It succeeded.
    Success,
    /// The object does not exist.
    Absent,
    /// A precondition failed: the object had changed.
    Conflict,
    /// The API server refused it, and would refuse it again.
    Refused,
    /// It failed and may be tried again.
    Failure,
    /// No answer came in time.
    Timeout,
    /// It was dropped without an attempt, since the queue was full.
    Dropped,
}

impl Outcome {
    /// Value of the label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Absent => "absent",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Dropped => "dropped",
        }
    }
}
