//! How long a watch that failed waits before it is begun again.

use std::time::Duration;

use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::{DefaultBackoff, Error};

/// How often a watch that the API server doesn't offer is asked for again.
pub(super) const UNAVAILABLE_RETRY: Duration = Duration::from_secs(60);

/// The failures in a row of one watch.
#[derive(Default)]
pub(super) struct Retry {
    backoff: DefaultBackoff,
    /// Whether the last of them was that the version is gone.
    gone: bool,
}

impl Retry {
    /// The row is over: the watch went on.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
        self.gone = false;
    }

    /// In how long to try again: 0.8 s, doubled with each failure up to 30 s, and up to
    /// twice as long by chance. What is done without is asked for once a minute.
    pub(super) fn delay(&mut self, error: &Error, missing: bool) -> Duration {
        // This is what a server says that was away: it is there again, and only if it
        // goes on saying so is it asked less and less often.
        let gone = is_gone(error);
        if gone && !self.gone {
            self.backoff.reset();
        }
        self.gone = gone;
        let delay = self.backoff.next().unwrap_or(UNAVAILABLE_RETRY);
        match missing && is_unavailable(error) {
            true => delay.max(UNAVAILABLE_RETRY),
            false => delay,
        }
    }
}

/// Whether the version that a watch was to go on from is gone.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        Error::WatchError(status) => status.code == 410,
        _ => false,
    }
}

/// Whether it is and kube's watcher doesn't know: from the status of an answer it would
/// ask for the same version for ever.
pub(super) fn must_list(error: &Error) -> bool {
    is_gone(error) && matches!(error, Error::WatchStartFailed(_))
}

/// Whether the API server denies the watch or doesn't know the type.
pub(super) fn is_unavailable(error: &Error) -> bool {
    let status = match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => status,
        _ => return false,
    };
    status.is_forbidden() || status.is_not_found()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn failed(code: u16) -> Error {
        let reason = match code {
            403 => "Forbidden",
            410 => "Expired",
            _ => "ServiceUnavailable",
        };
        let status = Status::failure("made up", reason).with_code(code);
        Error::WatchStartFailed(kube::Error::Api(status.boxed()))
    }

    #[test]
    fn a_server_that_is_there_again_is_asked_soon() {
        let soon = Duration::from_millis(1700);
        let mut retry = Retry::default();
        let mut last = Duration::ZERO;
        for _ in 0..8 {
            last = retry.delay(&failed(503), false);
        }
        assert!(last >= Duration::from_secs(25), "{last:?}");
        assert!(retry.delay(&failed(410), false) <= soon);
        for _ in 0..8 {
            last = retry.delay(&failed(410), false);
        }
        assert!(last >= Duration::from_secs(25), "{last:?}");
        retry.reset();
        assert!(retry.delay(&failed(503), false) <= soon);
    }

    #[test]
    fn what_is_denied_is_asked_for_once_a_minute() {
        assert!(Retry::default().delay(&failed(403), false) < UNAVAILABLE_RETRY);
        assert!(Retry::default().delay(&failed(403), true) >= UNAVAILABLE_RETRY);
    }

    #[test]
    fn only_an_answer_has_us_list_by_ourselves() {
        let status = Status::failure("made up", "Expired").with_code(410);
        assert!(must_list(&failed(410)));
        assert!(!must_list(&failed(503)));
        assert!(!must_list(&Error::WatchError(status.boxed())));
    }
}
