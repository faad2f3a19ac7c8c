//! How something ended, as a label.

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// The object does not exist.
    Absent,
    /// A precondition failed: the object had changed.
    Conflict,
    /// The API server refused it for good.
    Refused,
    /// It failed and may be tried again.
    Failure,
    /// No answer came in time.
    Timeout,
    /// It was given up without a try, for want of room.
    Dropped,
}

impl Outcome {
    /// The value of the label.
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
