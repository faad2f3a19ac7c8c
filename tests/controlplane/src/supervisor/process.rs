//! Processes that end when the supervisor does, however it does.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Stop;

/// Replaces this process by `program`, which the kernel then kills when the
/// thread that spawned this process ends: the supervisor's main thread.
///
/// Returns only if that fails. The death signal is asked for before the parent
/// is looked at, so that a parent that goes in between is noticed.
pub(crate) fn become_guarded(parent: u32, program: &Path, arguments: &[String]) -> Stop {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return Stop::Failed(format!("asking to be killed with the parent: {error}"));
    }
    if parent_id() != parent {
        return Stop::Asked;
    }
    let error = Command::new(program).args(arguments).exec();
    Stop::Failed(format!("cannot run {}: {error}", program.display()))
}

/// A command that will be guarded, in a process group of its own, so that a
/// terminal's Ctrl-C reaches the supervisor alone.
pub(crate) fn guarded(program: &Path) -> Result<Command, Stop> {
    // By this name it is found even after the file has been replaced.
    let own = Path::new("/proc/self/exe");
    let own = if own.exists() {
        own.to_owned()
    } else {
        std::env::current_exe().map_err(Stop::because("finding this program"))?
    };
    let mut command = Command::new(own);
    command
        .arg("guard")
        .arg(std::process::id().to_string())
        .arg(program)
        .arg("--")
        .process_group(0);
    Ok(command)
}

/// The output of a short-lived program, or what it says on stderr.
pub(crate) fn output(
    program: &Path,
    arguments: &[String],
    stdin: Option<&str>,
) -> Result<String, String> {
    let mut child = guarded(program)
        .map_err(|stop| format!("{stop:?}"))?
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin) {
        // kubectl reads all of it before it writes anything.
        pipe.write_all(text.as_bytes())
            .map_err(|error| error.to_string())?;
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// A guarded process with a log; killed when dropped, its group with it.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in `folder`, its output appended to `logs/NAME.log` there.
    pub(crate) fn spawn(
        name: &str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
    ) -> Result<Self, Stop> {
        let logs = folder.join("logs");
        let log = logs.join(format!("{name}.log"));
        let file = std::fs::create_dir_all(&logs)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&log))
            .map_err(Stop::because(log.display()))?;
        let same = file.try_clone().map_err(Stop::because(log.display()))?;
        let mut command = guarded(program)?;
        command.args(arguments).current_dir(folder);
        command.stdin(Stdio::null()).stdout(file).stderr(same);
        Self::start(name, command, log)
    }

    /// Starts a command made by [`guarded`].
    pub(crate) fn start(name: &str, mut command: Command, log: PathBuf) -> Result<Self, Stop> {
        let child = command
            .spawn()
            .map_err(Stop::because(format!("starting {name}")))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> Result<Option<ExitStatus>, Stop> {
        self.child.try_wait().map_err(Stop::because(&self.name))
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) -> Result<(), Stop> {
        self.signal(Signal::TERM)
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self) -> Result<(), Stop> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<(), Stop> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Stop> {
        kill_process_group(Pid::from_child(&self.child), signal).map_err(Stop::because(&self.name))
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        const LINES: usize = 20;
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its id is its own until it has been waited for, so no other process
        // can be hit; one that is gone already needs nothing.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
