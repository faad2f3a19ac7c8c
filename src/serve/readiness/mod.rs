//! The checks of `/readyz`.

use std::time::Duration;

use tokio::time::Instant;

use super::health::Check;
use crate::cluster::lease::Leadership;
use crate::cluster::watch::{WatchHealth, WatchReport};

/// How long a silent watch may ask whether the API server has just nothing to tell.
const ASKING: Duration = Duration::from_secs(10);

/// Number of failures in a row that make a watch unready; one or two are harmless.
const WATCH_FAILURES: u32 = 3;

/// Checks a watch. It fails if the watch is silent for longer than `idle_timeout`.
#[must_use]
pub fn watch_check(health: &WatchHealth, idle_timeout: Duration) -> Check {
    let (name, report) = (format!("watch/{health}"), health.report());
    match &report.left_out {
        // A restart would not help, and the rest works.
        Some(why) => Check::noted(name, format!("left out: {why}")),
        None => Check::new(name, watch_problem(&report, idle_timeout)),
    }
}

/// Checks whether enough is listed to work with.
#[must_use]
pub fn caches_check(synced: bool, reports: &[WatchReport]) -> Check {
    let mut needed = reports.iter().filter(|report| !report.optional);
    let problem = match synced {
        false => Some("the first lists are not complete"),
        true if needed.all(|report| report.left_out.is_some()) => {
            Some("nothing can be listed; are the operator's roles bound?")
        }
        true => None,
    };
    Check::new("caches", problem.map(str::to_owned))
}

/// Checks leader election. A standby is ready too; the remark says who leads.
#[must_use]
pub fn lease_check(leadership: &Leadership, now: Instant) -> Check {
    let note = match leadership {
        Leadership::Unknown => {
            let problem =
                "who leads is not known: the API server does not tell of the lease".to_owned();
            return Check::new("lease", Some(problem));
        }
        Leadership::Leader { .. } if leadership.is_leading(now) => "leading".to_owned(),
        Leadership::Leader { .. } => "standing by, the lease was not renewed in time".to_owned(),
        Leadership::Standby {
            holder: Some(holder),
        } => {
            format!("standing by, the lease is held by {holder}")
        }
        Leadership::Standby { holder: None } => "standing by, nobody holds the lease".to_owned(),
    };
    Check::noted("lease", note)
}

/// The problem of a watch, if it has one.
fn watch_problem(report: &WatchReport, idle_timeout: Duration) -> Option<String> {
    match &report.failure {
        Some(failure) if report.errors >= WATCH_FAILURES || !report.synced => {
            return Some(failure.clone());
        }
        _ => {}
    }
    if !report.synced {
        return Some("its first list is not complete".to_owned());
    }
    // The watch has noticed this and asks or tries again, so far without an answer.
    let silent = report.silence > idle_timeout + ASKING;
    silent.then(|| format!("nothing came for {} s", report.silence.as_secs()))
}

#[cfg(test)]
mod tests;
