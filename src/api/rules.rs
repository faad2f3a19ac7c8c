//! What a policy says about outdated Pods: written in it, in force for a workload, and shown in
//! the workload's Projection.

#![expect(
    unreachable_pub,
    reason = "KubeSchema repeats each struct inside of a function"
)]

use std::fmt;

use kube::KubeSchema;
use kube::core::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::duration::Duration;

/// How outdated Pods are handled, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// How outdated Pods are handled. Rollout: their workload is rolled. Observe: they are only
    /// reported.
    #[serde(default)]
    pub strategy: Strategy,

    /// Time for which edits are collected into one roll, from the first edit on: 0s to 10m.
    #[serde(default = "settle")]
    #[x_kube(validation = SETTLE.rule())]
    pub settle: Duration,

    /// Minimum time between two rolls of one workload: 0s to 1h.
    #[serde(default = "min_interval")]
    #[x_kube(validation = MIN_INTERVAL.rule())]
    pub min_interval: Duration,

    /// If true, nothing is rolled until it is false again. Outdated Pods are then replaced.
    #[serde(default)]
    pub suspend: bool,
}

/// How outdated Pods are handled.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum Strategy {
    /// The workload is rolled.
    #[default]
    Rollout,
    /// Outdated Pods are only reported.
    Observe,
}

/// Default and bounds of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The field, as it is spelled in a policy.
    pub field: &'static str,
    /// The duration where a policy has none.
    pub default: Duration,
    /// The shortest duration.
    pub min: Duration,
    /// The longest duration.
    pub max: Duration,
}

const SETTLE: Bounds = Bounds {
    field: "settle",
    default: Duration::from_secs(2),
    min: Duration::from_secs(0),
    max: Duration::from_secs(10 * 60),
};

const MIN_INTERVAL: Bounds = Bounds {
    field: "minInterval",
    default: Duration::from_secs(30),
    min: Duration::from_secs(0),
    max: Duration::from_secs(60 * 60),
};

fn settle() -> Duration {
    SETTLE.default
}

fn min_interval() -> Duration {
    MIN_INTERVAL.default
}

/// The least durations that the operator accepts, whatever a policy says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Floors {
    /// Of `settle`.
    pub settle: Duration,
    /// Of `minInterval`.
    pub min_interval: Duration,
}

// === impl Rules ===

impl Rules {
    /// Raises the durations to the least that are accepted.
    pub fn raise(&mut self, floors: Floors) {
        self.settle = self.settle.max(floors.settle);
        self.min_interval = self.min_interval.max(floors.min_interval);
    }

    /// Each duration with its bounds.
    #[must_use]
    pub fn durations(&self) -> [(Duration, Bounds); 2] {
        [(self.settle, SETTLE), (self.min_interval, MIN_INTERVAL)]
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            settle: settle(),
            min_interval: min_interval(),
            suspend: false,
        }
    }
}

impl fmt::Display for Rules {
    /// Everything but whether the policy is suspended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strategy = self.strategy.as_str();
        write!(f, "strategy {strategy}")?;
        for (duration, bounds) in self.durations() {
            write!(f, ", {} {duration}", bounds.field)?;
        }
        Ok(())
    }
}

// === impl Strategy ===

impl Strategy {
    /// The spelling in `strategy` fields.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rollout => "Rollout",
            Self::Observe => "Observe",
        }
    }
}

// === impl Bounds ===

impl Bounds {
    /// Whether a duration is within them.
    #[must_use]
    pub fn admit(&self, value: Duration) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// The rule by which the API server refuses what is out of bounds.
    pub(super) fn rule(self) -> Rule {
        let Self {
            field, min, max, ..
        } = self;
        let field = field.rsplit('.').next().unwrap_or(field);
        Rule::new(format!(
            "duration(self) >= duration('{min}') && duration(self) <= duration('{max}')"
        ))
        .message(format!("{field} must be between {min} and {max}").as_str())
    }
}
