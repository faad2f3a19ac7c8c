//! Durations as users write them: `2s`, `1m30s`, `500ms`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// A duration of zero or more, in the syntax of Go's `time.ParseDuration`.
///
/// `kube::core::Duration` panics on values that overflow and accepts some that Go refuses.
/// This type refuses everything that Go refuses, and negative values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

/// Reason why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseDurationError {
    /// The text is empty.
    #[error("a duration can't be empty: write for example \"0s\"")]
    Empty,
    /// The duration is negative.
    #[error("a duration can't be negative")]
    Negative,
    /// A number is missing.
    #[error("a number is missing: write for example \"1m30s\"")]
    Number,
    /// A number has no unit, or an unknown one.
    #[error("a unit is missing or unknown: one of ns, us, ms, s, m, h")]
    Unit,
    /// The duration is longer than 2^63-1 nanoseconds (292 years), Go's limit.
    #[error("the duration is too long")]
    TooLong,
}

/// Units and their nanoseconds. If a unit begins with another, the longer comes first.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),  // micro sign
    ("\u{3bc}s", 1_000), // Greek mu
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

/// Go's limit, in nanoseconds.
const MAX_NANOS: u64 = i64::MAX as u64;

// === impl Duration ===

impl Duration {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(std::time::Duration::from_secs(seconds as u64))
    }

    /// The duration in std's type.
    #[must_use]
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl From<std::time::Duration> for Duration {
    /// Cuts durations above Go's limit.
    fn from(span: std::time::Duration) -> Self {
        Self(span.min(std::time::Duration::from_nanos(MAX_NANOS)))
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('-') {
            return Err(ParseDurationError::Negative);
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self::default());
        }
        if rest.is_empty() {
            return Err(ParseDurationError::Empty);
        }
        let mut nanos = 0_u64;
        while !rest.is_empty() {
            let (term, after) = term(rest)?;
            nanos = nanos
                .checked_add(term)
                .filter(|sum| *sum <= MAX_NANOS)
                .ok_or(ParseDurationError::TooLong)?;
            rest = after;
        }
        Ok(Self(std::time::Duration::from_nanos(nanos)))
    }
}

/// Reads a number with its unit, and returns its nanoseconds and the rest of the text.
fn term(text: &str) -> Result<(u64, &str), ParseDurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(ParseDurationError::Number);
    }
    // A unit ends where the next number begins, as in Go: "1mm" is no unit.
    let end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let unit = UNITS
        .iter()
        .find_map(|(unit, nanos)| (*unit == name).then_some(*nanos))
        .ok_or(ParseDurationError::Unit)?;
    let whole = match whole {
        "" => 0,
        whole => whole
            .parse::<u64>()
            .map_err(|_| ParseDurationError::TooLong)?,
    };
    whole
        .checked_mul(unit)
        .and_then(|nanos| nanos.checked_add(fraction_of(fraction, unit)))
        .map(|nanos| (nanos, rest))
        .ok_or(ParseDurationError::TooLong)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The nanoseconds of `0.<digits>` of a unit. Fractions of a nanosecond are dropped, so digits
/// after the 18th don't count: the longest unit has 3.6e12 nanoseconds.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let (value, scale) = digits
        .bytes()
        .take(18)
        .fold((0_u128, 1_u128), |(value, scale), digit| {
            (value * 10 + u128::from(digit - b'0'), scale * 10)
        });
    u64::try_from(value * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

impl fmt::Display for Duration {
    /// The shortest usual spelling: `0s`, `500ms`, `1.5s`, `5m`, `1h30m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.as_secs();
        if total == 0 {
            return match self.0.subsec_nanos() {
                0 => f.write_str("0s"),
                nanos if nanos < 1_000 => write!(f, "{nanos}ns"),
                nanos if nanos < 1_000_000 => decimal(f, nanos / 1_000, nanos % 1_000, 3, "us"),
                nanos => decimal(f, nanos / 1_000_000, nanos % 1_000_000, 6, "ms"),
            };
        }
        let (hours, minutes, seconds) = (total / 3_600, total / 60 % 60, total % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match (seconds, self.0.subsec_nanos()) {
            (0, 0) => Ok(()),
            (seconds, nanos) => decimal(f, seconds, nanos, 9, "s"),
        }
    }
}

/// Writes `whole.fraction` and the unit, without trailing zeros.
fn decimal(
    f: &mut fmt::Formatter<'_>,
    whole: impl fmt::Display,
    fraction: u32,
    width: usize,
    unit: &str,
) -> fmt::Result {
    let mut text = whole.to_string();
    if fraction > 0 {
        write!(text, ".{fraction:0width$}")?;
        text.truncate(text.trim_end_matches('0').len());
    }
    f.write_str(&text)?;
    f.write_str(unit)
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| de::Error::custom(format_args!("{text:?}: {error}")))
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    /// Its bounds are CEL rules of each field, since only they can compare durations.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 32,
            "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("+5s", 5_000_000_000),
            ("5s", 5_000_000_000),
            ("1m30s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1us", 1_000),
            ("1\u{b5}s", 1_000),
            ("1\u{3bc}s", 1_000),
            ("3ns", 3),
            ("0.9ns", 0),
            ("1h1m1s1ms1us1ns", 3_661_001_001_001),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", i64::MAX as u64),
            ("0.9223372036854775807h", 3_320_413_933_267),
        ];
        for (text, nanos) in cases {
            assert_eq!(
                text.parse::<Duration>().map(|d| d.get().as_nanos()),
                Ok(u128::from(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        use ParseDurationError::*;
        let cases = [
            ("", Empty),
            ("+", Empty),
            ("-1s", Negative),
            ("-", Negative),
            ("3", Unit),
            ("s", Number),
            (".s", Number),
            (".", Number),
            ("1 s", Unit),
            ("1d", Unit),
            ("1mm", Unit),
            ("1s ", Unit),
            ("1S", Unit),
            ("\u{221e}s", Number),
            ("1e3s", Unit),
            ("9223372036854775808ns", TooLong),
            ("9223372036854775807ns1ns", TooLong),
            ("99999999999999999999h", TooLong),
            ("2562048h", TooLong),
            ("18446744073709551615h", TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Duration>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn prints_the_usual_spelling() {
        for text in [
            "0s",
            "1ns",
            "1.5us",
            "999.999999ms",
            "1.5s",
            "2s",
            "1m",
            "1m30s",
            "1h",
            "1h0.5s",
            "1h30m",
        ] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Duration>().unwrap().to_string(), "1m30s");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(nanos in 0..=MAX_NANOS) {
            let duration = Duration(std::time::Duration::from_nanos(nanos));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "[-+.0-9a-z\u{b5}\u{3bc} ]{0,40}") {
            let _ = text.parse::<Duration>();
        }
    }
}
