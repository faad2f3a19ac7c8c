//! Exit codes.

use std::process::ExitCode;

/// Result of a command. clap exits with 2 if it can't parse the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command did what was asked.
    Success,
    /// The command failed.
    Error,
    /// Something is out of sync (`status --exit-code`, `status --wait`).
    OutOfSync,
    /// Nothing is known to be out of sync, but the content of some Pods is not known.
    Unknown,
    /// No operator leads, or none is known to have seen the sources as they are now.
    Unled,
    /// Nothing was selected, so nothing can be said to be in sync.
    Nothing,
}

/// Exit codes in the help of commands that only succeed or fail.
pub const OF_OTHERS: &str = "\
Exit codes:
  0  done
  1  it could not be done
  2  the command line can't be understood
  5  no operator leads: what was shown may be out of date";

/// Exit codes in the help of `status`.
pub const OF_STATUS: &str = "\
Exit codes:
  0  done; with --exit-code or --wait: everything is in sync
  1  it could not be done
  2  the command line can't be understood
  3  with --exit-code or --wait: something is out of sync
  4  with --exit-code or --wait: nothing is known to be out of sync, but what
     some Pods started with can't be told
  5  no operator leads; with --exit-code or --wait also: none is known to have
     seen the ConfigMaps and Secrets as they are now
  6  with --exit-code or --wait: no managed workload was selected";

impl Exit {
    /// The exit code as a number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::OutOfSync => 3,
            Self::Unknown => 4,
            Self::Unled => 5,
            Self::Nothing => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_in_the_help() {
        for exit in [
            Exit::Success,
            Exit::Error,
            Exit::OutOfSync,
            Exit::Unknown,
            Exit::Unled,
            Exit::Nothing,
        ] {
            let line = format!("\n  {}  ", exit.code());
            assert!(OF_STATUS.contains(&line), "{exit:?}");
        }
        assert!(OF_STATUS.contains("\n  2  "), "clap's own");
    }
}
