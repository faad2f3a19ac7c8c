//! How a change goes out to many workloads, as a policy says.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::core::{Selector, SelectorExt as _};

use super::error::PolicyError;
use super::selector::compile_selector;
use super::sources::SourceFilter;
use crate::api::rollout::{Amount, OnFailure, RolloutRules, WaveRules};
use crate::kinds::SourceId;

/// A percentage of all that may be rolled at a time is so many at least.
const LEAST: usize = 5;

/// How a change goes out to many workloads.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// The waves, in their order: those with a selector come first. None: all at once.
    pub waves: Vec<Wave>,
    /// Whether the policy itself gives them, so that its workloads wait for none of another.
    pub own_waves: bool,
    /// Whether a policy says anything of rollouts: else nobody waits for others.
    pub waits: bool,
    /// How many members of a change may be rolled at a time.
    pub max_concurrent: Share,
    /// How long a roll has to stay healthy before its content counts as good.
    pub soak: Duration,
    /// How long a roll may make no progress.
    pub deadline: Duration,
    /// What a failure means for the others.
    pub on_failure: OnFailure,
    /// Sources whose changes wait for nobody.
    pub urgent: Option<SourceFilter>,
}

/// Workloads that go together.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// Its name.
    pub name: String,
    /// Who is in it.
    pub members: WaveMembers,
}

/// Who is in a wave.
#[derive(Clone, Debug, PartialEq)]
pub enum WaveMembers {
    /// Workloads with these labels.
    Selected(Selector),
    /// So many of those that no selector names.
    Size(Share),
    /// All the rest.
    Rest,
}

/// A part of all workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many.
    Count(usize),
    /// So many percent, rounded down, but so many at least.
    Percent {
        /// 1 to 100.
        percent: usize,
        /// At least 1.
        least: usize,
    },
}

// === impl Share ===

impl Share {
    fn compile(field: &'static str, amount: &Amount, least: usize) -> Result<Self, PolicyError> {
        let wrong = || PolicyError::Amount { field };
        match amount {
            Amount::Count(0) => Err(wrong()),
            Amount::Count(count) => usize::try_from(*count)
                .map(Self::Count)
                .map_err(|_| wrong()),
            Amount::Percent(text) => {
                let number = text.strip_suffix('%').and_then(|it| it.parse().ok());
                let percent = number.filter(|percent| (1..=100).contains(percent));
                let percent = percent.ok_or_else(wrong)?;
                Ok(Self::Percent { percent, least })
            }
        }
    }

    /// How many that is, of so many.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent { percent, least } => (total.saturating_mul(percent) / 100).max(least),
        }
    }
}

// === impl Wave ===

impl Wave {
    /// One workload, whichever comes first.
    fn first() -> Self {
        Self {
            name: "first".to_owned(),
            members: WaveMembers::Size(Share::Count(1)),
        }
    }

    fn compile(rules: &WaveRules) -> Result<Self, PolicyError> {
        let members = match (&rules.selector, &rules.size) {
            (Some(selector), _) => {
                WaveMembers::Selected(compile_selector("spec.rollout.waves.selector", selector)?)
            }
            (None, Some(size)) => {
                WaveMembers::Size(Share::compile("spec.rollout.waves.size", size, 1)?)
            }
            (None, None) => WaveMembers::Rest,
        };
        Ok(Self {
            name: rules.name.clone(),
            members,
        })
    }
}

// === impl Rollout ===

impl Rollout {
    /// What a policy says; all at once where it says nothing.
    ///
    /// # Errors
    ///
    /// If an amount, a selector or a pattern is invalid.
    pub fn compile(rules: Option<&RolloutRules>) -> Result<Self, PolicyError> {
        let Some(rules) = rules else {
            return Ok(Self::default());
        };
        let given = rules.waves.as_ref();
        let waves = given.map(|waves| waves.iter().map(Wave::compile).collect());
        let waves: Option<Vec<Wave>> = waves.transpose()?;
        let max = &rules.max_concurrent;
        Ok(Self {
            waits: true,
            own_waves: waves.is_some(),
            waves: waves.unwrap_or_else(|| vec![Wave::first()]),
            max_concurrent: Share::compile("spec.rollout.maxConcurrent", max, LEAST)?,
            soak: rules.soak.into(),
            deadline: rules.deadline.into(),
            on_failure: rules.on_failure,
            urgent: SourceFilter::of("rollout.urgent", &rules.urgent)?,
        })
    }

    /// The first wave with a selector that a workload with these labels is in.
    #[must_use]
    pub fn wave_of(&self, labels: &BTreeMap<String, String>) -> Option<usize> {
        let selects = |wave: &Wave| matches!(&wave.members, WaveMembers::Selected(selector) if selector.matches(labels));
        self.waves.iter().position(selects)
    }

    /// Whether the policy names a source as urgent.
    #[must_use]
    pub fn is_urgent(&self, source: &SourceId) -> bool {
        let urgent = self.urgent.as_ref();
        urgent.is_some_and(|urgent| urgent.admits(source.kind, &source.name))
    }
}

impl Default for Rollout {
    /// All at once, where no policy says anything of rollouts.
    fn default() -> Self {
        let rules = RolloutRules::default();
        Self {
            waves: Vec::new(),
            waits: false,
            own_waves: false,
            max_concurrent: Share::Percent {
                percent: 100,
                least: 1,
            },
            soak: rules.soak.into(),
            deadline: rules.deadline.into(),
            on_failure: OnFailure::Continue,
            urgent: None,
        }
    }
}
