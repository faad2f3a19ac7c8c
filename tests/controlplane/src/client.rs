use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Action, Component, locate};

/// What control plane to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Write an audit log, level Metadata, each request in it before its answer is sent.
    pub audit: bool,
    /// How many nodes kwok plays, named `node-0` and so on.
    pub nodes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            audit: false,
            nodes: 1,
        }
    }
}

/// What the supervisor prints once everything is ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// A kubeconfig of an administrator.
    pub kubeconfig: PathBuf,
    /// The URL of the API server.
    pub server: String,
    /// The certificate (PEM) that signed the API server's.
    pub ca: PathBuf,
    /// The audit log, one JSON object a line, where one is written.
    pub audit_log: Option<PathBuf>,
    /// The folder that holds kubectl (and the components, unless
    /// `KUBEBUILDER_ASSETS` brings some).
    pub bin: PathBuf,
    /// Everything of this control plane, the components' logs in `logs`;
    /// removed at its end.
    pub data: PathBuf,
}

/// Why a control plane could not be started or told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The supervisor could not be built or found.
    #[error("the controlplane binary: {0}")]
    Binary(String),
    /// The supervisor ended or said what nobody can read.
    #[error("the control plane's supervisor {0}; what it says is on stderr")]
    Supervisor(String),
    /// The supervisor could not be spawned, or its pipes failed.
    #[error("the control plane's supervisor: {0}")]
    Io(#[from] std::io::Error),
    /// The supervisor refused a command.
    #[error("{action} {component}: {message}")]
    Command {
        /// What was asked.
        action: Action,
        /// Of which component.
        component: Component,
        /// Why not.
        message: String,
    },
}

/// A running control plane; ends when dropped, and when this process does.
#[derive(Debug)]
pub struct ControlPlane {
    ready: Ready,
    supervisor: Child,
    /// The way to tell the supervisor; `None` only while being dropped.
    pipes: Mutex<Option<Pipes>>,
}

#[derive(Debug)]
struct Pipes {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// The supervisor's answer to a command.
#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<String>,
}

/// A command for `program`, which the kernel kills when the thread that spawns
/// it ends: for a test's processes, however the test ends. Arguments follow.
///
/// # Errors
/// Where the binary that does this can't be built.
pub fn guarded(program: &Path) -> Result<Command, Error> {
    let mut command = Command::new(locate::binary()?);
    command
        .arg("guard")
        .arg(std::process::id().to_string())
        .arg(program)
        .arg("--");
    Ok(command)
}

impl ControlPlane {
    /// Starts a control plane and waits until it is ready: the API server
    /// serves, the nodes are Ready and schedulable, the namespace `default` has
    /// its ServiceAccount. Blocks for seconds; the first time on a machine for
    /// minutes, while the components are built (shown on stderr).
    ///
    /// # Errors
    /// Where the supervisor can't be built or a component doesn't start; the
    /// end of that component's log is on stderr.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let mut command = Command::new(locate::binary()?);
        command.arg("run");
        command.args(["--nodes", &options.nodes.to_string()]);
        if options.audit {
            command.arg("--audit");
        }
        let mut supervisor = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: Ctrl-C reaches the test only, whose end then
            // closes the pipe. (A death signal would not do here: it is sent
            // when the spawning thread ends, and tests have a thread each.)
            .process_group(0)
            .spawn()?;
        let (Some(commands), Some(stdout)) = (supervisor.stdin.take(), supervisor.stdout.take())
        else {
            return Err(Error::Supervisor("has no pipes".to_owned()));
        };
        let mut pipes = Pipes {
            commands,
            answers: BufReader::new(stdout),
        };
        match pipes.read() {
            Ok(ready) => Ok(Self {
                ready,
                supervisor,
                pipes: Mutex::new(Some(pipes)),
            }),
            Err(error) => {
                drop(pipes);
                supervisor.wait()?;
                Err(error)
            }
        }
    }

    /// The path of an administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.ready.kubeconfig
    }

    /// The URL of the API server.
    pub fn server(&self) -> &str {
        &self.ready.server
    }

    /// The path of the CA's certificate (PEM).
    pub fn ca(&self) -> &Path {
        &self.ready.ca
    }

    /// The path of kubectl.
    pub fn kubectl(&self) -> PathBuf {
        self.ready.bin.join("kubectl")
    }

    /// The path of the audit log, where [`Options::audit`] asked for one.
    pub fn audit_log(&self) -> Option<&Path> {
        self.ready.audit_log.as_deref()
    }

    /// The folder of everything of this control plane, removed at its end.
    pub fn data(&self) -> &Path {
        &self.ready.data
    }

    /// The process id of the supervisor.
    pub fn supervisor_pid(&self) -> u32 {
        self.supervisor.id()
    }

    /// Stops, starts, kills, pauses or resumes one component, and waits until
    /// that is done (for [`Action::Start`]: until it serves again).
    ///
    /// # Errors
    /// Where the component is not in the state for it, or doesn't come up.
    pub fn tell(&self, action: Action, component: Component) -> Result<(), Error> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pipes) = pipes.as_mut() else {
            return Err(Error::Supervisor("is ending".to_owned()));
        };
        writeln!(pipes.commands, "{action} {component}")?;
        match pipes.read::<Answer>()?.error {
            None => Ok(()),
            Some(message) => Err(Error::Command {
                action,
                component,
                message,
            }),
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // End of file on its stdin is what ends the supervisor.
        drop(
            self.pipes
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        // Nothing to do about an error here: a supervisor that is gone already
        // is what was wanted.
        let _ = self.supervisor.wait();
        // Left only by a supervisor that was killed.
        let _ = std::fs::remove_dir_all(&self.ready.data);
    }
}

impl Pipes {
    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, Error> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(Error::Supervisor("ended".to_owned()));
        }
        serde_json::from_str(&line)
            .map_err(|error| Error::Supervisor(format!("said {line:?}: {error}")))
    }
}
