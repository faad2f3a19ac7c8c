//! A Pod on a node: `SyncPod` of `pkg/kubelet/kubelet.go` and `pkg/kubelet/kuberuntime`.

use std::collections::BTreeMap;

use crate::environment::environment;
use crate::expansion::expand;
use crate::spec::{Container, Given, Mount, PodSpec};
use crate::volume::{Bound, Files, Volume};
use crate::{Refused, Sources};

/// A Pod on a node.
///
/// Its volumes are set up before its containers start, and then again from time to time, each by
/// itself. A container takes its variables and binds its `subPath`s when it starts. A restart binds
/// what the volumes hold at that moment, which may be old: nobody waits for a refresh.
#[derive(Clone, Debug)]
pub struct Pod {
    spec: PodSpec,
    given: Given,
    volumes: BTreeMap<String, Volume>,
    running: BTreeMap<String, Running>,
}

/// A container that runs, or has run.
#[derive(Clone, Debug)]
struct Running {
    variables: BTreeMap<String, String>,
    /// By mount path.
    mounts: BTreeMap<String, (String, Bound)>,
}

/// What a process sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// Its files, by their full paths.
    pub files: Files,
}

impl Pod {
    /// One of which nothing is set up yet.
    #[must_use]
    pub fn new(spec: PodSpec, given: Given) -> Self {
        Self {
            spec,
            given,
            volumes: BTreeMap::new(),
            running: BTreeMap::new(),
        }
    }

    /// Sets up a Pod and starts all its containers.
    ///
    /// # Errors
    /// Where one of them can't start.
    pub fn run(spec: PodSpec, given: Given, sources: &Sources) -> Result<Self, Refused> {
        let mut pod = Self::new(spec, given);
        pod.set_up(sources)?;
        let names: Vec<String> = pod.spec.all_containers().map(|c| c.name.clone()).collect();
        for name in names {
            pod.start(&name, sources)?;
        }
        Ok(pod)
    }

    /// Sets up its volumes for the first time: all that some container mounts
    /// (`GetPodVolumeNames`). Before that no container starts (`WaitForAttachAndMount`).
    ///
    /// # Errors
    /// Where one of them can't be set up.
    pub fn set_up(&mut self, sources: &Sources) -> Result<(), Refused> {
        let volumes = self.mounted();
        volumes
            .iter()
            .try_for_each(|name| self.refresh(name, sources))
    }

    /// Sets up a volume again; where that fails it stays as it is.
    ///
    /// # Errors
    /// Where something required is absent.
    pub fn refresh(&mut self, volume: &str, sources: &Sources) -> Result<(), Refused> {
        let mut specs = self.spec.volumes.iter();
        let spec = specs
            .find(|spec| spec.name == volume)
            .ok_or_else(|| Refused::Unknown(volume.to_owned()))?;
        let held = self.volumes.entry(volume.to_owned()).or_default();
        held.set_up(spec, sources, &self.given)
    }

    /// Sets up all volumes again, each by itself.
    pub fn refresh_all(&mut self, sources: &Sources) {
        for volume in self.mounted() {
            // The others don't wait for it.
            self.refresh(&volume, sources).unwrap_or_default();
        }
    }

    /// Whether an empty folder that was made for a `subPath` keeps a file from being seen.
    #[must_use]
    pub fn is_obstructed(&self) -> bool {
        self.volumes.values().any(Volume::is_obstructed)
    }

    fn mounted(&self) -> Vec<String> {
        let mounts = |name: &str| {
            let mut mounts = self.spec.all_containers().flat_map(|c| &c.volume_mounts);
            mounts.any(|mount| mount.name == name)
        };
        let volumes = self.spec.volumes.iter().map(|volume| &volume.name);
        volumes.filter(|name| mounts(name)).cloned().collect()
    }

    /// Starts or restarts a container: `GenerateRunContainerOptions` of
    /// `pkg/kubelet/kubelet_pods.go`.
    ///
    /// # Errors
    /// Where its variables or its mounts can't be made (`CreateContainerConfigError`).
    pub fn start(&mut self, container: &str, sources: &Sources) -> Result<(), Refused> {
        let spec = self.container(container)?;
        let variables = environment(&spec, sources, &self.given)?;
        let mut mounts = BTreeMap::new();
        for mount in &spec.volume_mounts {
            let sub_path = sub_path(mount, &variables)?;
            let volume = self
                .volumes
                .get_mut(&mount.name)
                .ok_or_else(|| Refused::Unknown(mount.name.clone()))?;
            let bound = volume.bind(&sub_path)?;
            mounts.insert(mount.mount_path.clone(), (mount.name.clone(), bound));
        }
        self.running
            .insert(container.to_owned(), Running { variables, mounts });
        Ok(())
    }

    fn container(&self, name: &str) -> Result<Container, Refused> {
        let mut all = self.spec.all_containers();
        let found = all.find(|container| container.name == name);
        found
            .cloned()
            .ok_or_else(|| Refused::Unknown(name.to_owned()))
    }

    /// What a container's process sees now; `None` if it never started.
    #[must_use]
    pub fn seen(&self, container: &str) -> Option<Seen> {
        let running = self.running.get(container)?;
        Some(Seen {
            variables: running.variables.clone(),
            files: self.files(running, |_| true),
        })
    }

    /// The files that it has from its start, and not from refreshes: only a folder among them can
    /// change, for it is emptied.
    #[must_use]
    pub fn bound(&self, container: &str) -> Files {
        let running = self.running.get(container);
        running.map_or_else(Files::new, |running| {
            self.files(running, |bound| *bound != Bound::Root)
        })
    }

    fn files(&self, running: &Running, through: impl Fn(&Bound) -> bool) -> Files {
        let mut files = Files::new();
        for (at, (volume, bound)) in &running.mounts {
            let volume = self.volumes.get(volume).filter(|_| through(bound));
            let seen = volume.map(|volume| volume.seen_through(bound));
            for (path, content) in seen.into_iter().flatten() {
                let path = match path.as_str() {
                    "" => at.clone(),
                    path => format!("{at}/{path}"),
                };
                files.insert(path, content);
            }
        }
        files
    }
}

/// `ExpandContainerVolumeMounts` of `pkg/kubelet/container/helpers.go`: a variable in an expression
/// must have a value. The variables are those that the container gets.
fn sub_path(mount: &Mount, variables: &BTreeMap<String, String>) -> Result<String, Refused> {
    if mount.sub_path_expr.is_empty() {
        return Ok(mount.sub_path.clone());
    }
    let mut missing = None;
    let expanded = expand(&mount.sub_path_expr, |name| {
        let value = variables.get(name).filter(|value| !value.is_empty());
        value.cloned().unwrap_or_else(|| {
            missing = Some(name.to_owned());
            String::new()
        })
    });
    missing.map_or(Ok(expanded), |name| Err(Refused::NoValue(name)))
}

#[cfg(test)]
mod tests;
