//! Waiting for conditions.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::Result;

/// How long a condition may take. Generous, as all cases share few cores: it is spent only by a
/// test that fails.
const DEADLINE: Duration = Duration::from_secs(180);

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(200);

/// Looks until `look` gives `Some`.
///
/// # Errors
/// Where it has not within three minutes; with what `look` failed with last, if it did.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let at = std::panic::Location::caller();
    let end = Instant::now() + DEADLINE;
    loop {
        let last = match look() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => "not so".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= end {
            bail!("{at}: {what}: still not after {DEADLINE:?}; last: {last}");
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Looks until the value is as wanted.
///
/// # Errors
/// Where it is not within three minutes; with the last value.
#[track_caller]
pub fn until<T: Debug + PartialEq>(
    what: &str,
    want: T,
    mut look: impl FnMut() -> Result<T>,
) -> Result<()> {
    eventually(what, || match look()? {
        seen if seen == want => Ok(Some(())),
        seen => bail!("wanted {want:?}, saw {seen:?}"),
    })
}
