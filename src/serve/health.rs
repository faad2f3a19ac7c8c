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
mod tests {
    use super::*;

    #[test]
    fn reports_read_like_those_of_kube_apiserver() {
        let checks = [
            Check::new("watch/Pod", None),
            Check::new("lease", Some("not known yet".into())),
        ];
        let (passed, text) = report("readyz", &checks);
        assert!(!passed);
        assert_eq!(
            text,
            "[+]watch/Pod ok\n[-]lease failed: not known yet\nreadyz check failed\n"
        );
        assert_eq!(
            report("livez", &checks[..1]),
            (true, "[+]watch/Pod ok\nlivez check passed\n".into())
        );
        let note = Check::noted("lease", "leading");
        assert_eq!(
            report("readyz", &[note]),
            (true, "[+]lease ok: leading\nreadyz check passed\n".into())
        );
        assert_eq!(report("livez", &[]), (true, "livez check passed\n".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_task_fails_until_it_beats_again() {
        let heartbeats = Heartbeats::default();
        let task = heartbeats.expect("workloads", Duration::from_secs(30));
        let _other = heartbeats.expect("sources", Duration::from_secs(60));
        let failing = || {
            heartbeats
                .checks()
                .iter()
                .filter(|check| check.result.is_err())
                .count()
        };
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(failing(), 0);
        tokio::time::advance(Duration::from_secs(15)).await;
        assert_eq!(
            heartbeats.checks()[0],
            Check::new(
                "task/workloads",
                Some("no heartbeat for 45 s, expected every 30 s".into())
            )
        );
        assert_eq!(failing(), 1);
        task.beat();
        assert_eq!(failing(), 0);
    }
}
