//! The labels of metrics.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// A workload's or object's kind and a reason constant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindReason {
    /// Kind as Kubernetes writes it, `Deployment` for one.
    pub kind: &'static str,
    /// A reason constant.
    pub reason: &'static str,
}

/// A kind and how something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindOutcome {
    /// Kind as Kubernetes writes it.
    pub kind: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeOnly {
    /// How it ended.
    pub outcome: Outcome,
}

/// An API request's verb.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Verb {
    /// As audit logs write it: `get`, `list`, `watch`, `patch`, ...
    pub verb: &'static str,
}

/// An API request's verb and answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VerbCode {
    /// As audit logs write it.
    pub verb: &'static str,
    /// The class of the status code (`2xx`), 409 and 429 as they are, `error`
    /// where no answer came, `cancelled` where nobody waited for it any more.
    pub code: &'static str,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// What was read does not exist.
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

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        let text = match self {
            Self::Success => "success",
            Self::Absent => "absent",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
            Self::Dropped => "dropped",
        };
        EncodeLabelValue::encode(&text, encoder)
    }
}
