//! Starts the components, answers commands, ends everything.

pub(crate) mod binaries;
mod cache;
mod command_lines;
mod credentials;
pub(crate) mod events;
mod nodes;
mod port;
pub(crate) mod process;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use controlplane::{Action, Component, Ready};
use serde_json::json;

use binaries::Binaries;
use cache::DataFolder;
use credentials::Credentials;
use events::{Event, Events};
use port::Port;
use process::Process;

/// What `controlplane run` is asked for.
pub(crate) struct Settings {
    pub(crate) audit: bool,
    pub(crate) nodes: usize,
}

/// Why the supervisor ends.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Its holder went, or a signal came.
    Asked,
    /// Something went wrong: what, and what to do.
    Failed(String),
}

impl Stop {
    /// Turns an error into a [`Stop::Failed`] that says what was being done.
    pub(crate) fn because<E: std::fmt::Display>(
        what: impl std::fmt::Display,
    ) -> impl FnOnce(E) -> Self {
        move |error| Stop::Failed(format!("{what}: {error}"))
    }
}

/// How long a component may take to serve. Far beyond what it needs (seconds),
/// for machines with much else to do.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a component may take to end after SIGTERM before it is killed:
/// kube-apiserver refuses new connections at once, but would wait a minute for
/// its open watches.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// Between two looks at something awaited.
const STEP: Duration = Duration::from_millis(50);

struct Supervisor {
    // Dropped in this order: the processes are gone before their folder.
    processes: HashMap<&'static str, Process>,
    binaries: Binaries,
    credentials: Credentials,
    port: Port,
    data: DataFolder,
    events: Events,
    audit: bool,
}

/// Runs a control plane until it is asked to end or a component dies.
pub(crate) fn run(settings: &Settings, mut events: Events) -> Result<(), Stop> {
    let binaries = Binaries::provide(&mut events)?;
    let port = Port::reserve().map_err(Stop::because("reserving a port"))?;
    let data = DataFolder::create()?;
    let credentials = Credentials::create(data.path(), port.number())?;
    let mut supervisor = Supervisor {
        processes: HashMap::new(),
        binaries,
        credentials,
        port,
        data,
        events,
        audit: settings.audit,
    };
    supervisor.start_all(settings)?;
    let ready = supervisor.ready();
    say(&json!(ready));
    supervisor.serve()
}

/// Prints one line on stdout. A reader that is gone is noticed on stdin.
fn say(answer: &serde_json::Value) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{answer}");
    let _ = stdout.flush();
}

impl Supervisor {
    fn start_all(&mut self, settings: &Settings) -> Result<(), Stop> {
        // The API server waits for etcd by itself, so their starts overlap.
        self.spawn(Component::Etcd)?;
        self.spawn(Component::KubeApiserver)?;
        self.await_serving(Component::KubeApiserver)?;
        self.spawn(Component::KubeControllerManager)?;
        self.spawn(Component::KubeScheduler)?;
        self.spawn(Component::Kwok)?;
        if settings.nodes > 0 {
            let nodes = nodes::manifest(settings.nodes);
            self.kubectl(&["create", "--validate=false", "-f", "-"], Some(&nodes))
                .map_err(Stop::because("creating the nodes"))?;
        }
        self.wait("the nodes to be Ready and schedulable", |this| {
            let list = this.kubectl(&["get", "nodes", "-o", "json"], None)?;
            nodes::all_ready(&list)
        })?;
        self.wait("the ServiceAccount default/default", |this| {
            let name = "serviceaccount/default";
            this.kubectl(&["get", name, "-n", "default", "-o", "name"], None)
                .map(|_| ())
        })
    }

    fn ready(&self) -> Ready {
        Ready {
            kubeconfig: self.credentials.admin_kubeconfig(),
            server: self.credentials.server(),
            ca: self.credentials.ca(),
            audit_log: self.audit.then(|| self.data.path().join("audit.log")),
            bin: self.binaries.folder().to_owned(),
            data: self.data.path().to_owned(),
        }
    }

    /// Answers commands until asked to end, watching the components meanwhile.
    fn serve(&mut self) -> Result<(), Stop> {
        loop {
            match self.events.next(Duration::from_millis(200)) {
                Some(Event::End) => return Err(Stop::Asked),
                Some(Event::Line(line)) => match self.command(&line) {
                    Ok(()) => say(&json!({"ok": true})),
                    Err(Stop::Asked) => return Err(Stop::Asked),
                    Err(Stop::Failed(message)) => say(&json!({"error": message})),
                },
                None => self.check_processes()?,
            }
        }
    }

    fn command(&mut self, line: &str) -> Result<(), Stop> {
        let mut words = line.split_whitespace();
        let (Some(action), Some(name), None) = (words.next(), words.next(), words.next()) else {
            return Err(Stop::Failed(format!(
                "{line:?} is not `start|stop|kill|pause|resume COMPONENT`"
            )));
        };
        let action: Action = action.parse().map_err(Stop::Failed)?;
        let component: Component = name.parse().map_err(Stop::Failed)?;
        if action == Action::Start {
            if self.processes.contains_key(component.name()) {
                return Err(Stop::Failed(format!("{component} runs already")));
            }
            self.spawn(component)?;
            return self.await_serving(component);
        }
        let Some(process) = self.processes.get_mut(component.name()) else {
            return Err(Stop::Failed(format!("{component} does not run")));
        };
        match action {
            Action::Pause => process.pause(),
            Action::Resume => process.resume(),
            Action::Kill => {
                // Dropping it kills it and waits for its end.
                self.processes.remove(component.name());
                Ok(())
            }
            Action::Stop => {
                let mut process = self.take(component)?;
                process.terminate()?;
                let deadline = Instant::now() + STOP_LIMIT;
                while process.exited()?.is_none() && Instant::now() < deadline {
                    self.events.check(STEP)?;
                }
                // What still runs is killed by the drop.
                Ok(())
            }
            Action::Start => Ok(()),
        }
    }

    fn take(&mut self, component: Component) -> Result<Process, Stop> {
        self.processes
            .remove(component.name())
            .ok_or_else(|| Stop::Failed(format!("{component} does not run")))
    }

    fn spawn(&mut self, component: Component) -> Result<(), Stop> {
        let arguments = command_lines::arguments(
            component,
            self.data.path(),
            &self.credentials,
            self.port.number(),
            self.audit,
        )?;
        let process = Process::spawn(
            component.name(),
            self.binaries.path(component.name()),
            &arguments,
            self.data.path(),
        )?;
        self.processes.insert(component.name(), process);
        Ok(())
    }

    /// Waits until a component that was just spawned serves: the API server,
    /// and etcd by way of it. The others show by what they do.
    fn await_serving(&mut self, component: Component) -> Result<(), Stop> {
        let api_server_runs = self.processes.contains_key(Component::KubeApiserver.name());
        let serves = matches!(component, Component::Etcd | Component::KubeApiserver);
        if !serves || !api_server_runs {
            return Ok(());
        }
        self.wait("kube-apiserver to listen", |this| {
            TcpStream::connect(("127.0.0.1", this.port.number()))
                .map(drop)
                .map_err(|error| error.to_string())
        })?;
        self.wait("kube-apiserver to be ready", |this| {
            this.kubectl(&["get", "--raw", "/readyz"], None).map(drop)
        })
    }

    /// Looks again and again until `look` gives a result. Ends early when asked
    /// to, or when a component dies.
    fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> Result<T, Stop> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            self.check_processes()?;
            match look(self) {
                Ok(result) => return Ok(result),
                Err(error) if Instant::now() > deadline => {
                    return Err(Stop::Failed(format!(
                        "waited {}s for {what}: {error}\n{}",
                        START_LIMIT.as_secs(),
                        self.log_tails(),
                    )));
                }
                Err(_) => self.events.check(STEP)?,
            }
        }
    }

    fn kubectl(&self, arguments: &[&str], stdin: Option<&str>) -> Result<String, String> {
        let cache = self.data.path().join("kubectl-cache");
        let mut all = vec![
            format!(
                "--kubeconfig={}",
                self.credentials.admin_kubeconfig().display()
            ),
            format!("--cache-dir={}", cache.display()),
            "--request-timeout=5s".to_owned(),
        ];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        process::output(self.binaries.path("kubectl"), &all, stdin)
    }

    fn check_processes(&mut self) -> Result<(), Stop> {
        for process in self.processes.values_mut() {
            if let Some(status) = process.exited()? {
                return Err(Stop::Failed(format!(
                    "{} ended by itself ({status}); the end of its log:\n{}",
                    process.name(),
                    process.log_tail(),
                )));
            }
        }
        Ok(())
    }

    fn log_tails(&self) -> String {
        Component::ALL
            .iter()
            .filter_map(|component| self.processes.get(component.name()))
            .map(|process| format!("--- {}\n{}\n", process.name(), process.log_tail()))
            .collect()
    }
}
