//! Ages and times in people's words.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Time since then: `5m ago`.
#[must_use]
pub fn ago(time: &Time, now: Timestamp) -> String {
    format!("{} ago", span(now.as_second() - time.0.as_second()))
}

/// Time until then: `in 20s`. If it has passed: `5m ago`.
#[must_use]
pub fn until(time: &Time, now: Timestamp) -> String {
    let seconds = time.0.as_second() - now.as_second();
    if seconds < 0 {
        return ago(time, now);
    }
    format!("in {}", span(seconds))
}

/// A duration in kubectl's style for ages: two units if the second one matters.
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
mod tests;
