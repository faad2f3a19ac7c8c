//! Waiting for conditions.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::Result;

/// How long a condition may take. Generous, as many tests share few cores: only one that
/// fails spends it.
const DEADLINE: Duration = Duration::from_secs(180);

/// Time between the first two looks, and the most between later ones.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(40)];

/// Looks until `look` gives `Ok(Some(_))`, for three minutes.
///
/// Its error says what `look` gave last. That is nothing but the description where it gave
/// `Ok(None)`, so put what was seen into an `Err`.
#[track_caller]
pub fn eventually<T>(
    what: impl Into<String>,
    look: impl AsyncFnMut() -> Result<Option<T>>,
) -> impl Future<Output = Result<T>> {
    within(DEADLINE, what, look)
}

/// Looks until the value is as wanted, for three minutes. Its error names the last value.
#[track_caller]
pub fn until<T: Debug + PartialEq>(
    what: impl Into<String>,
    want: T,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> impl Future<Output = Result> {
    within(DEADLINE, what, async move || match look().await? {
        seen if seen == want => Ok(Some(())),
        seen => bail!("wanted {want:?}, saw {seen:?}"),
    })
}

/// [`eventually`] with another deadline.
#[track_caller]
pub fn within<T>(
    deadline: Duration,
    what: impl Into<String>,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> impl Future<Output = Result<T>> {
    let (what, at) = (what.into(), Location::caller());
    async move {
        let end = Instant::now() + deadline;
        let [mut pause, longest] = PAUSES;
        loop {
            let last = match look().await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => "not so".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > end {
                bail!("{at}: {what}: still not after {deadline:?}; last: {last}");
            }
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }
}
