//! Waiting for conditions.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use super::Result;

/// How long a condition may take. Generous: it is spent only by a test that fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(40);

/// Looks until `look` gives `Ok(Some(_))`, for [`DEADLINE`].
///
/// What it gives in place of that is told by the error: `Ok(None)` by its
/// description alone, so put what was seen last into an `Err`.
#[track_caller]
pub(crate) fn eventually<T>(
    what: impl Into<String>,
    look: impl AsyncFnMut() -> Result<Option<T>>,
) -> impl Future<Output = Result<T>> {
    let (what, at) = (what.into(), Location::caller());
    poll(DEADLINE, what, at, look)
}

/// Looks until the value is as wanted, for [`DEADLINE`]; the error names the last one.
#[track_caller]
pub(crate) fn until<T: Debug + PartialEq>(
    what: impl Into<String>,
    want: T,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> impl Future<Output = Result> {
    let (what, at) = (what.into(), Location::caller());
    poll(DEADLINE, what, at, async move || match look().await? {
        seen if seen == want => Ok(Some(())),
        seen => bail!("wanted {want:?}, saw {seen:?}"),
    })
}

async fn poll<T>(
    deadline: Duration,
    what: String,
    at: &Location<'_>,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => "not so".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > end {
            bail!("{at}: {what}: still not after {deadline:?}; last: {last}");
        }
        sleep(INTERVAL).await;
    }
}
