//! What each container of a Pod sees.

use std::sync::Arc;

use super::one_use::Use;
use super::runs::containers;
use super::{variable, volume};
use crate::core::project::pod_spec::PodSpec;
use crate::kinds::{Class, SourceKind};

/// One way in which one container sees one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Name of the container.
    pub container: &'a Arc<str>,
    /// The source; its namespace is the Pod's.
    pub source: (SourceKind, &'a Arc<str>),
    /// Whether the container sees changes while it runs.
    pub class: Class,
    /// The use.
    pub use_: Use,
}

/// Finds what each container of a Pod or Pod template sees.
///
/// - A volume that no container mounts projects nothing (the kubelet doesn't
///   even mount it).
/// - Where volume sources or variables take each other's names, all count, and each
///   has what is [`Over`](crate::core::project::reference::Over) it: which one wins depends on their content.
/// - A source without a name is ignored.
#[must_use]
pub fn uses(spec: &PodSpec) -> Vec<Seen<'_>> {
    let volumes = spec.volumes.iter();
    let volumes: Vec<_> = volumes
        .map(|v| (v, volume::layers(v), volume::Paths::of(v)))
        .collect();
    let mut seen = Vec::new();
    for (container, runs) in containers(spec) {
        let mut see = |class, (kind, name, use_): (SourceKind, _, Use)| {
            let source = (kind, name);
            let container = &container.name;
            seen.push(Seen {
                container,
                source,
                class,
                use_,
            });
        };
        for use_ in variable::uses(container) {
            see(Class::Frozen, use_);
        }
        for mount in &container.volume_mounts {
            let mounted = volumes.iter().find(|(v, ..)| v.name == mount.name);
            if let Some((volume, layers, paths)) = mounted {
                let view = volume::View::of(mount, paths, runs);
                let class = view.class(runs);
                for use_ in volume::uses(volume, layers, &view) {
                    see(class, use_);
                }
            }
        }
    }
    seen.retain(|seen| !seen.source.1.is_empty() && !seen.use_.says_nothing());
    seen
}
