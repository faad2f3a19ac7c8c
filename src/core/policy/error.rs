//! Reasons why a policy is invalid.

use thiserror::Error;

use crate::api::limits::MAX_POLICIES;
use crate::api::rules::Bounds;
use crate::api::{Duration, Reason};

/// Reason why a policy is invalid and selects nothing. Each message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A label selector is invalid: the API server would refuse it on its own kinds.
    #[error("{field}: {problem}")]
    Selector {
        /// Path of the field in the policy.
        field: &'static str,
        /// What is wrong, and how to write it.
        problem: String,
    },
    /// A pattern can't be parsed.
    #[error("{field}: {pattern:?} is not a pattern: {problem}")]
    Pattern {
        /// Path of the field in the policy.
        field: String,
        /// The pattern.
        pattern: String,
        /// What is wrong.
        problem: String,
    },
    /// A duration is out of its bounds.
    #[error("spec.{}: {value} is out of bounds: write {} to {}", .bounds.field, .bounds.min, .bounds.max)]
    Duration {
        /// The duration.
        value: Duration,
        /// Its field and maximum.
        bounds: Bounds,
    },
    /// An amount is neither a number nor a percentage.
    #[error("{field}: write a number from 1 on, or a percentage from 1% to 100%")]
    Amount {
        /// Path of the field in the policy.
        field: &'static str,
    },
    /// Its namespace has many that come first.
    #[error(
        "more than {MAX_POLICIES} SyncPolicies of the namespace come before it: put some of them together, or raise its spec.priority"
    )]
    TooMany,
    /// The object doesn't fit the schema of this version.
    #[error("can't be decoded: {0}: install the CustomResourceDefinitions of this version")]
    Undecodable(String),
}

// === impl PolicyError ===

impl PolicyError {
    /// Constant for conditions and metrics.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Selector { .. } => Reason::InvalidSelector,
            Self::Pattern { .. } => Reason::InvalidPattern,
            Self::Duration { .. } => Reason::InvalidDuration,
            Self::Amount { .. } => Reason::InvalidAmount,
            Self::TooMany => Reason::TooManyPolicies,
            Self::Undecodable(_) => Reason::Undecodable,
        }
    }
}
