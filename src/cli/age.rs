//! Times as people read them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How long ago: `5m ago`.
#[must_use]
pub fn ago(time: &Time, now: Timestamp) -> String {
    format!("{} ago", span(now.as_second() - time.0.as_second()))
}

/// How far ahead: `in 20s`; of what has passed how long ago.
#[must_use]
pub fn until(time: &Time, now: Timestamp) -> String {
    let seconds = time.0.as_second() - now.as_second();
    if seconds < 0 {
        return ago(time, now);
    }
    format!("in {}", span(seconds))
}

/// A span as kubectl shows ages: two units where the second one matters.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let both = |first: i64, unit: char, second: i64, of: char| match second {
        0 => format!("{first}{unit}"),
        _ => format!("{first}{unit}{second}{of}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => both(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => both(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => both(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let cases = [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (3600, "60m"),
            (10_860, "3h1m"),
            (36_000, "10h"),
            (180_000, "2d2h"),
            (8_640_000, "100d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn what_has_passed_is_said_to_have() {
        let now = Timestamp::from_second(1000).unwrap();
        let at = |second| Time(Timestamp::from_second(second).unwrap());
        assert_eq!(until(&at(1020), now), "in 20s");
        assert_eq!(until(&at(1000), now), "in 0s");
        assert_eq!(until(&at(990), now), "10s ago");
        assert_eq!(ago(&at(990), now), "10s ago");
    }
}
