//! What is done about a workload, and why.

use std::fmt::Display;

use crate::api::projection::Outcome;
use crate::api::reasons::Reason;
use crate::core::plan::act::Act;
use crate::core::plan::facts::Facts;
use crate::core::plan::words::outdated;
use crate::core::time::Mono;

/// What is done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is done.
    pub verdict: Verdict,
    /// Reason, as a constant.
    pub reason: Reason,
    /// Reason, as a sentence.
    pub message: String,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: there is nothing to do, or the workload's controller does it.
    Nothing,
    /// Pods are brought up to date.
    Act(Act),
    /// It is planned again at that time, or when something changes.
    Wait(Option<Mono>),
    /// It needs somebody: it is planned again when something changes.
    Hold,
}

/// A guard's answer: a decision that lacks the guard's reason.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) message: String,
}

// === impl Decision ===

impl Decision {
    /// The verdict without what goes with it.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.verdict {
            Verdict::Nothing => Outcome::Nothing,
            Verdict::Act(Act::Roll(_)) => Outcome::Roll,
            Verdict::Wait(_) => Outcome::Wait,
            Verdict::Hold => Outcome::Hold,
        }
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(verdict: Verdict, message: impl Into<String>) -> Self {
        Self {
            verdict,
            message: message.into(),
        }
    }

    pub(super) fn nothing(message: impl Into<String>) -> Self {
        Self::new(Verdict::Nothing, message)
    }

    /// Waits until something changes.
    pub(super) fn wait(message: impl Into<String>) -> Self {
        Self::new(Verdict::Wait(None), message)
    }

    /// Holds what is outdated.
    pub(super) fn hold(facts: &Facts<'_>, why: impl Display) -> Self {
        Self::new(Verdict::Hold, outdated(facts, why))
    }

    /// Waits until then with what is outdated, where that is still to come.
    pub(super) fn until(facts: &Facts<'_>, until: Mono, why: impl Display) -> Option<Self> {
        (facts.now.mono < until)
            .then(|| Self::new(Verdict::Wait(Some(until)), outdated(facts, why)))
    }

    /// The decision for this reason.
    pub(super) fn because(self, reason: Reason) -> Decision {
        let Self { verdict, message } = self;
        Decision {
            verdict,
            reason,
            message,
        }
    }
}
