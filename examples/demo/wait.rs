//! Waiting for conditions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The longest that anything takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a probe has found.
pub(crate) enum Probe<T> {
    /// It is so.
    Done(T),
    /// Not yet; what is missing.
    NotYet(String),
}

/// Waits until a probe is done.
pub(crate) async fn until<T>(
    what: &str,
    mut probe: impl AsyncFnMut() -> Result<Probe<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        let missing = match probe().await? {
            Probe::Done(found) => return Ok(found),
            Probe::NotYet(missing) => missing,
        };
        if began.elapsed() > DEADLINE {
            bail!(
                "waited {} s for {what}; last: {missing}",
                DEADLINE.as_secs()
            );
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

// === impl Probe ===

impl<T> Probe<T> {
    /// Done where there is a value.
    pub(crate) fn of(found: Option<T>, missing: &str) -> Self {
        found.map_or_else(|| Self::NotYet(missing.to_owned()), Self::Done)
    }
}
