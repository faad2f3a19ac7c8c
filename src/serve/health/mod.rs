//! Named checks for `/livez` and `/readyz`, and heartbeats of tasks.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A named check, and the problem if it fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Name, such as `watch/Pod`.
    pub name: String,
    /// The problem in a few words, or a remark if the check holds.
    pub result: Result<Option<String>, String>,
}

impl Check {
    /// A check that holds if there is no problem.
    #[must_use]
    pub fn new(name: impl Into<String>, problem: Option<String>) -> Self {
        Self {
            name: name.into(),
            result: problem.map_or(Ok(None), Err),
        }
    }

    /// A check that holds, with a remark.
    #[must_use]
    pub fn noted(name: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            result: Ok(Some(note.into())),
        }
    }
}

/// Returns whether all checks hold, and their list in kube-apiserver's format.
#[must_use]
pub fn report(endpoint: &str, checks: &[Check]) -> (bool, String) {
    let mut text = String::new();
    let mut passed = true;
    for Check { name, result } in checks {
        // Writing to a String can't fail.
        let _ = match result {
            Ok(None) => writeln!(text, "[+]{name} ok"),
            Ok(Some(note)) => writeln!(text, "[+]{name} ok: {note}"),
            Err(why) => writeln!(text, "[-]{name} failed: {why}"),
        };
        passed &= result.is_ok();
    }
    let _ = writeln!(
        text,
        "{endpoint} check {}",
        if passed { "passed" } else { "failed" }
    );
    (passed, text)
}

/// Heartbeats of the tasks without which the process is not alive.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats {
    tasks: Arc<Mutex<Vec<Arc<Heartbeat>>>>,
}

/// Heartbeat of one task.
#[derive(Debug)]
pub struct Heartbeat {
    name: &'static str,
    within: Duration,
    last: Mutex<Instant>,
}

impl Heartbeats {
    /// Expects a task to beat at least this often from now on.
    #[must_use]
    pub fn expect(&self, name: &'static str, within: Duration) -> Arc<Heartbeat> {
        let heartbeat = Arc::new(Heartbeat {
            name,
            within,
            last: Mutex::new(Instant::now()),
        });
        self.tasks.lock().push(Arc::clone(&heartbeat));
        heartbeat
    }

    /// Checks for all tasks.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let tasks = self.tasks.lock();
        tasks.iter().map(|task| task.check()).collect()
    }
}

impl Heartbeat {
    /// Records that the task is alive.
    pub fn beat(&self) {
        *self.last.lock() = Instant::now();
    }

    fn check(&self) -> Check {
        let silent = self.last.lock().elapsed();
        let problem = (silent > self.within).then(|| {
            format!(
                "no heartbeat for {} s, expected every {} s",
                silent.as_secs(),
                self.within.as_secs()
            )
        });
        Check::new(format!("task/{}", self.name), problem)
    }
}

#[cfg(test)]
mod tests;
