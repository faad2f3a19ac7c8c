//! What was measured, and the limit that it is held against.

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    pub(crate) scenario: &'static str,
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Limit>,
    /// Where it isn't met something is broken rather than slow.
    pub(crate) invariant: bool,
}

/// Of what a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Unit {
    Count,
    Milliseconds,
    Seconds,
    Megabytes,
    Percent,
    /// So many times something else.
    Times,
}

/// What a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Limit {
    AtMost(f64),
    Exactly(f64),
}

impl Figure {
    pub(crate) fn new(
        scenario: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: Unit,
    ) -> Self {
        Self {
            scenario,
            name: name.into(),
            value,
            unit,
            limit: None,
            invariant: false,
        }
    }

    pub(crate) fn at_most(self, limit: f64) -> Self {
        self.at_most_if(Some(limit))
    }

    /// With a limit, if there is one.
    pub(crate) fn at_most_if(mut self, limit: Option<f64>) -> Self {
        self.limit = limit.map(Limit::AtMost);
        self
    }

    pub(crate) fn exactly(mut self, limit: f64) -> Self {
        self.limit = Some(Limit::Exactly(limit));
        self
    }

    /// Must hold: the benchmark fails otherwise.
    pub(crate) fn must(mut self) -> Self {
        self.invariant = true;
        self
    }

    /// Whether the limit is met, if there is one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.limit.map(|limit| match limit {
            Limit::AtMost(most) => self.value <= most,
            Limit::Exactly(wanted) => self.value == wanted,
        })
    }

    /// Whether it is an invariant that does not hold.
    pub(crate) fn is_broken(&self) -> bool {
        self.invariant && self.is_met() == Some(false)
    }
}

impl Unit {
    /// A value as people read it.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Count if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Count => format!("{value:.2}"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Megabytes => format!("{value:.1} MB"),
            Self::Percent => format!("{value:.2} %"),
            Self::Times => format!("{value:.2}×"),
        }
    }
}

impl Limit {
    /// As people read it.
    pub(crate) fn show(self, unit: Unit) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {}", unit.show(most)),
            Self::Exactly(wanted) => unit.show(wanted),
        }
    }
}

/// Bytes as megabytes of a million.
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The value below which `percent` of a hundred lie: the nearest rank.
pub(crate) fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    let found = sorted.get(rank.saturating_sub(1));
    found.copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_met_or_not() {
        let figure = Figure::new("rest", "requests", 2.0, Unit::Count);
        assert_eq!(figure.is_met(), None);
        assert_eq!(figure.clone().at_most(2.0).is_met(), Some(true));
        assert_eq!(figure.clone().at_most(1.9).is_met(), Some(false));
        assert!(!figure.clone().exactly(1.0).is_broken());
        assert!(figure.clone().exactly(1.0).must().is_broken());
        assert!(!figure.exactly(2.0).must().is_broken());
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 50.0), 100.0);
        assert_eq!(percentile(&values, 99.0), 198.0);
        assert_eq!(percentile(&[7.0], 50.0), 7.0);
        assert!(percentile(&[], 50.0).is_nan());
    }
}
