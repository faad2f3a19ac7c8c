//! The volumes of a Pod, each with all its mounts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::runs::containers;
use super::volume::{Paths, View};
use crate::core::project::pod_spec::{PodSpec, Volume};
use crate::kinds::Class;

/// A volume that containers mount.
pub(super) struct Mounted<'a> {
    pub(super) volume: &'a Volume,
    /// What its mounts show together, and the containers that have them.
    pub(super) by_class: BTreeMap<Class, (View, Vec<Arc<str>>)>,
}

/// The volumes that containers mount. The kubelet doesn't even set up the others.
pub(super) fn mounted(spec: &PodSpec) -> Vec<Mounted<'_>> {
    let mut volumes = Vec::new();
    let mut by_name = HashMap::new();
    for volume in &spec.volumes {
        by_name.entry(&*volume.name).or_insert(volumes.len());
        let by_class = BTreeMap::new();
        volumes.push((Paths::of(volume), Mounted { volume, by_class }));
    }
    for (container, runs) in containers(spec) {
        for mount in &container.volume_mounts {
            let Some(at) = by_name.get(&*mount.name) else {
                continue;
            };
            let (paths, mounted) = &mut volumes[*at];
            let view = View::of(mount, paths, runs);
            let class = view.class(runs);
            let (all, by) = match mounted.by_class.remove(&class) {
                Some((all, by)) => (all.and(view), by),
                None => (view, Vec::new()),
            };
            let (_, by) = mounted.by_class.entry(class).or_insert((all, by));
            if by.last() != Some(&container.name) {
                by.push(Arc::clone(&container.name));
            }
        }
    }
    let mounted = volumes.into_iter().map(|(_, mounted)| mounted);
    mounted.filter(|one| !one.by_class.is_empty()).collect()
}
