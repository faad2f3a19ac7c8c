//! Waits between attempts of a watch that failed.

use std::time::Duration;

use kube::runtime::utils::Backoff as _;
use kube::runtime::watcher::{DefaultBackoff, Error};

/// Why objects can't be listed: nothing but a right or a definition will change that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The API server forbids it.
    Forbidden,
    /// The API server doesn't know the type.
    UnknownType,
}

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// The failures of a watch in a row.
#[derive(Default)]
pub(super) struct Retry {
    backoff: DefaultBackoff,
    /// True if the last failure was that the version is gone.
    gone: bool,
}

impl Retry {
    /// Ends the row, since the watch worked.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
        self.gone = false;
    }

    /// Time until the next attempt: 0.8 s, doubled with each failure up to 30 s, and up to
    /// twice as long at random.
    pub(super) fn delay(&mut self, error: &Error) -> Duration {
        // A server that was away answers so when it is back. Only if it repeats that, the waits
        // grow.
        let gone = is_gone(error);
        if gone && !self.gone {
            self.backoff.reset();
        }
        self.gone = gone;
        self.backoff.next().unwrap_or(LONGEST)
    }
}

/// Returns whether the version that a watch was to go on from is gone.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        Error::WatchError(status) => status.code == 410,
        _ => false,
    }
}

/// Returns whether the version is gone without kube's watcher noticing: after an answer with this
/// status it would ask for the same version for ever.
pub(super) fn must_list(error: &Error) -> bool {
    is_gone(error) && matches!(error, Error::WatchStartFailed(_))
}

/// Whether a watch would go on from the version that it has reached.
pub(super) fn goes_on(error: &Error) -> bool {
    let watches = matches!(
        error,
        Error::WatchStartFailed(_) | Error::WatchFailed(_) | Error::WatchError(_)
    );
    watches && !is_gone(error)
}

/// Whether the API server denies the watch or doesn't know the type.
pub(super) fn denial(error: &Error) -> Option<Denial> {
    let status = match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => status,
        _ => return None,
    };
    match status {
        status if status.is_forbidden() => Some(Denial::Forbidden),
        status if status.is_not_found() => Some(Denial::UnknownType),
        _ => None,
    }
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
            last = retry.delay(&failed(503));
        }
        assert!(last >= Duration::from_secs(25), "{last:?}");
        assert!(retry.delay(&failed(410)) <= soon);
        for _ in 0..8 {
            last = retry.delay(&failed(410));
        }
        assert!(last >= Duration::from_secs(25), "{last:?}");
        retry.reset();
        assert!(retry.delay(&failed(503)) <= soon);
    }

    #[test]
    fn only_an_answer_has_us_list_by_ourselves() {
        let status = Status::failure("made up", "Expired").with_code(410);
        assert!(must_list(&failed(410)));
        assert!(!must_list(&failed(503)));
        assert!(!must_list(&Error::WatchError(status.boxed())));
    }
}
