use std::fmt;
use std::str::FromStr;

/// One process of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of Deployments, ReplicaSets, namespaces and so on.
    KubeControllerManager,
    /// The scheduler.
    KubeScheduler,
    /// The fake kubelets.
    Kwok,
}

impl Component {
    /// All of them, in the order in which they start.
    pub const ALL: [Component; 5] = [
        Component::Etcd,
        Component::KubeApiserver,
        Component::KubeControllerManager,
        Component::KubeScheduler,
        Component::Kwok,
    ];

    /// The name of its binary, log and user.
    pub fn name(self) -> &'static str {
        match self {
            Component::Etcd => "etcd",
            Component::KubeApiserver => "kube-apiserver",
            Component::KubeControllerManager => "kube-controller-manager",
            Component::KubeScheduler => "kube-scheduler",
            Component::Kwok => "kwok",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Component {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Component::ALL
            .into_iter()
            .find(|component| component.name() == name)
            .ok_or_else(|| format!("no component is called {name:?}"))
    }
}

/// What a test may do to a component; the first word of a line on the
/// supervisor's stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start it again with the same arguments, port and data, and wait until it serves.
    Start,
    /// SIGTERM, after 3 s SIGKILL, and wait until it is gone.
    Stop,
    /// SIGKILL, and wait until it is gone.
    Kill,
    /// SIGSTOP: connections stay open and nothing answers.
    Pause,
    /// SIGCONT, after [`Action::Pause`].
    Resume,
}

impl Action {
    const ALL: [Action; 5] = [
        Action::Start,
        Action::Stop,
        Action::Kill,
        Action::Pause,
        Action::Resume,
    ];

    fn name(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Kill => "kill",
            Action::Pause => "pause",
            Action::Resume => "resume",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Action::ALL
            .into_iter()
            .find(|action| action.name() == name)
            .ok_or_else(|| format!("no action is called {name:?}"))
    }
}
