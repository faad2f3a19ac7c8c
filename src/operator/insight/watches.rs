//! Samples of watches, for metrics.

use crate::cluster::watch::WatchReport;
use crate::telemetry::metrics::Sample;

/// The watched kinds, each with the age of the last event or bookmark. If a kind has several
/// watches, the most silent one counts; what is left out can't tell of itself.
pub(super) fn watch_ages(reports: &[WatchReport]) -> Vec<Sample> {
    let mut ages: Vec<(&'static str, f64)> = Vec::new();
    for report in reports {
        if report.left_out.is_some() {
            continue;
        }
        let age = report.silence;
        match ages.iter_mut().find(|(known, _)| *known == report.kind) {
            Some((_, oldest)) => *oldest = oldest.max(age.as_secs_f64()),
            None => ages.push((report.kind, age.as_secs_f64())),
        }
    }
    ages.into_iter()
        .map(|(kind, age)| (vec![kind], age))
        .collect()
}

/// Number of watches of each kind that are left out; those that nothing depends on don't count.
pub(super) fn watches_left_out(reports: &[WatchReport]) -> Vec<Sample> {
    let mut counts: Vec<(&'static str, u32)> = Vec::new();
    for report in reports.iter().filter(|report| !report.optional) {
        let left_out = u32::from(report.left_out.is_some());
        match counts.iter_mut().find(|(known, _)| *known == report.kind) {
            Some((_, count)) => *count += left_out,
            None => counts.push((report.kind, left_out)),
        }
    }
    let sample = |(kind, count)| (vec![kind], f64::from(count));
    counts.into_iter().map(sample).collect()
}

/// Number of restarts of the watches of each kind, after silence or a failure.
pub(super) fn watch_restarts(reports: &[WatchReport]) -> Vec<Sample> {
    let mut counts: Vec<(&'static str, u64, u64)> = Vec::new();
    for report in reports {
        match counts.iter_mut().find(|(known, ..)| *known == report.kind) {
            Some((_, silent, failed)) => {
                *silent += report.stalls;
                *failed += report.failures;
            }
            None => counts.push((report.kind, report.stalls, report.failures)),
        }
    }
    counts
        .into_iter()
        .flat_map(|(kind, silent, failed)| {
            [
                (vec![kind, "Silent"], silent as f64),
                (vec![kind, "Failed"], failed as f64),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report() -> WatchReport {
        WatchReport {
            kind: "Pod",
            namespace: None,
            optional: false,
            synced: true,
            left_out: None,
            listing: false,
            silence: Duration::from_secs(60),
            errors: 0,
            failure: None,
            failures: 0,
            stalls: 0,
        }
    }

    /// A quiet kind has bookmarks, and no event for hours.
    #[test]
    fn the_most_silent_watch_of_a_kind_counts() {
        let seconds = |seconds| WatchReport {
            silence: Duration::from_secs(seconds),
            ..report()
        };
        let denied = WatchReport {
            left_out: Some("403 Forbidden".to_owned()),
            ..seconds(900)
        };
        let samples = watch_ages(&[seconds(1), seconds(60), denied]);
        assert_eq!(samples, [(vec!["Pod"], 60.0)]);
    }

    #[test]
    fn only_what_is_missed_counts_as_left_out() {
        let denied = WatchReport {
            left_out: Some("403 Forbidden".to_owned()),
            ..report()
        };
        let optional = WatchReport {
            kind: "Namespace",
            optional: true,
            ..denied.clone()
        };
        let secret = WatchReport {
            kind: "Secret",
            ..report()
        };
        let samples = watches_left_out(&[denied.clone(), optional, secret, denied]);
        assert_eq!(samples, [(vec!["Pod"], 2.0), (vec!["Secret"], 0.0)]);
    }

    #[test]
    fn restarts_are_summed_by_kind() {
        let one = WatchReport {
            stalls: 1,
            failures: 2,
            ..report()
        };
        let other = WatchReport {
            kind: "Secret",
            ..report()
        };
        let samples = watch_restarts(&[one.clone(), other, one]);
        assert_eq!(
            samples,
            [
                (vec!["Pod", "Silent"], 2.0),
                (vec!["Pod", "Failed"], 4.0),
                (vec!["Secret", "Silent"], 0.0),
                (vec!["Secret", "Failed"], 0.0),
            ]
        );
    }
}
