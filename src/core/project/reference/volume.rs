//! Which keys a mount of a volume sees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::one_use::{Use, required};
use super::over::{Layer, Over};
use super::place::Place;
use super::runs::{Runs, containers};
use super::selection::Selection;
use crate::core::project::pod_spec::{
    DownwardApi, KeyToPath, PodSpec, Volume, VolumeMount, VolumeProjection,
};
use crate::kinds::{Class, SourceKind};

/// Bytes from which on a name counts as several.
pub(super) const LONG: usize = 256;

/// What the kubelet refreshes by itself in running containers: shown, and
/// never a reason to act.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SelfRefreshed {
    /// Name of the volume.
    pub volume: Arc<str>,
    /// What it holds.
    pub kind: SelfRefreshedKind,
    /// The containers that mount it as a directory and run with the Pod.
    pub containers: Box<[Arc<str>]>,
}

/// Kinds of volume content without a ConfigMap or Secret behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelfRefreshedKind {
    /// Fields of the Pod.
    DownwardApi,
    /// A token of the Pod's service account.
    ServiceAccountToken,
    /// Trust anchors of a ClusterTrustBundle.
    ClusterTrustBundle,
    /// A certificate issued to the Pod.
    PodCertificate,
}

/// What the kubelet refreshes itself, by volume and kind.
///
/// Only whole-directory mounts count: a subPath mount isn't refreshed, and an
/// init container is gone before it could be.
#[must_use]
pub fn self_refreshing(spec: &PodSpec) -> Vec<SelfRefreshed> {
    let mut found = Vec::new();
    for volume in &spec.volumes {
        let paths = Paths::of(volume);
        let mounting: Box<[_]> = containers(spec)
            .filter(|(container, runs)| {
                let mut mounts = container.volume_mounts.iter();
                *runs == Runs::WithPod
                    && mounts.any(|mount| {
                        mount.name == volume.name && View::of(mount, &paths, *runs).is_refreshed()
                    })
            })
            .map(|(container, _)| Arc::clone(&container.name))
            .collect();
        if mounting.is_empty() {
            continue;
        }
        let kinds = self_refreshed_paths(volume).into_keys();
        found.extend(kinds.map(|kind| SelfRefreshed {
            volume: Arc::clone(&volume.name),
            kind,
            containers: mounting.clone(),
        }));
    }
    found.sort();
    found
}

/// The paths of a volume that no ConfigMap or Secret provides.
fn self_refreshed_paths(volume: &Volume) -> BTreeMap<SelfRefreshedKind, Vec<&str>> {
    let mut paths = BTreeMap::<_, Vec<_>>::new();
    if let Some(api) = &volume.downward_api {
        paths.insert(SelfRefreshedKind::DownwardApi, labels(api).collect());
    }
    for source in projections(volume) {
        for (kind, path) in given_paths(source) {
            paths.entry(kind).or_default().push(path);
        }
    }
    paths
}

fn labels(api: &DownwardApi) -> impl Iterator<Item = &str> {
    api.items.iter().map(|file| &*file.path)
}

/// The paths of one source of a projected volume that is no ConfigMap or Secret.
fn given_paths(source: &VolumeProjection) -> impl Iterator<Item = (SelfRefreshedKind, &str)> {
    use SelfRefreshedKind as Kind;
    let labels = source.downward_api.iter().flat_map(labels);
    let token = source.service_account_token.iter();
    let bundle = source.cluster_trust_bundle.iter();
    let certificate = source.pod_certificate.iter().flat_map(|one| {
        [
            &*one.credential_bundle_path,
            &*one.key_path,
            &*one.certificate_chain_path,
        ]
    });
    labels
        .map(|path| (Kind::DownwardApi, path))
        .chain(token.map(|one| (Kind::ServiceAccountToken, &*one.path)))
        .chain(bundle.map(|one| (Kind::ClusterTrustBundle, &*one.path)))
        .chain(certificate.map(|path| (Kind::PodCertificate, path)))
}

fn projections(volume: &Volume) -> impl Iterator<Item = &VolumeProjection> {
    volume
        .projected
        .iter()
        .flat_map(|projected| &projected.sources)
}

/// The part of a volume that mounts show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The volume's directory, refreshed by the kubelet.
    Directory,
    /// Everything, fixed at start. So is a subPathExpr, whose variables may name any path, and a
    /// folder in a container that goes on: whatever changes in the volume, the kubelet writes
    /// all of it anew and removes the folder's files.
    Anything,
    /// Files and folders, by their cleaned paths; fixed at start. Where one is absent the
    /// container has an empty folder. None where the path can't be in a volume.
    Paths(BTreeSet<Arc<str>>),
}

impl View {
    pub(super) fn of(mount: &VolumeMount, paths: &Paths, runs: Runs) -> Self {
        match (&*mount.sub_path, &*mount.sub_path_expr) {
            ("", "") => Self::Directory,
            ("", _) => Self::Anything,
            (path, _) => match clean(path).as_deref() {
                None => Self::Paths(BTreeSet::new()),
                Some("") => Self::Directory,
                // The link to the current content, which is followed at start.
                Some("..data") => Self::Anything,
                Some(path) => {
                    let path = path.strip_prefix("..data/").unwrap_or(path);
                    match runs == Runs::WithPod && paths.has_below(path) {
                        true => Self::Anything,
                        false => Self::Paths([path.into()].into()),
                    }
                }
            },
        }
    }

    /// Number of paths that are shown one by one.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Directory | Self::Anything => 0,
            Self::Paths(paths) => paths.iter().map(|path| 1 + path.len() / LONG).sum(),
        }
    }

    /// What two mounts together show that are fixed at start.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Paths(mut paths), Self::Paths(others)) => {
                paths.extend(others);
                Self::Paths(paths)
            }
            _ => Self::Anything,
        }
    }

    /// Whether a container that runs then sees changes.
    pub(super) fn class(&self, runs: Runs) -> Class {
        match (runs, self.is_refreshed()) {
            (Runs::WithPod, true) => Class::Live,
            _ => Class::Frozen,
        }
    }

    /// Whether the kubelet refreshes it in a running container.
    pub(super) fn is_refreshed(&self) -> bool {
        *self == Self::Directory
    }

    /// Whether a file at this cleaned path is seen.
    fn shows(&self, file: &str) -> bool {
        let Self::Paths(paths) = self else {
            return true;
        };
        let is_at_or_below = |path: &Arc<str>| {
            let rest = file.strip_prefix(&**path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut folders = file.match_indices('/').map(|(at, _)| &file[..at]);
        // Whichever are fewer.
        match paths.len() <= file.matches('/').count() {
            true => paths.iter().any(is_at_or_below),
            false => paths.contains(file) || folders.any(|folder| paths.contains(folder)),
        }
    }

    /// The keys that are seen of a source whose every key is a file.
    pub(super) fn of_whole_source(&self) -> Selection {
        let Self::Paths(paths) = self else {
            return Selection::Files;
        };
        // A key can't hold a slash, so there is no file further down.
        let keys = paths.iter().filter(|path| !path.contains('/'));
        Selection::keys(keys.map(|path| (Arc::clone(path), Arc::clone(path))))
    }
}

/// The cleaned paths that a volume names, in order: those of items, and of what is neither
/// ConfigMap nor Secret.
pub(super) struct Paths(Vec<String>);

impl Paths {
    pub(super) fn of(volume: &Volume) -> Self {
        let items = parts(volume).flat_map(|part| part.items);
        let given = self_refreshed_paths(volume).into_values().flatten();
        let named = items.map(|item| &*item.path).chain(given);
        let mut paths: Vec<_> = named.filter_map(clean).collect();
        paths.sort_unstable();
        Self(paths)
    }

    /// Whether something is to be below a path.
    fn has_below(&self, folder: &str) -> bool {
        let folder = format!("{folder}/");
        let at = self.0.partition_point(|path| *path < folder);
        self.0.get(at).is_some_and(|path| path.starts_with(&folder))
    }
}

/// The path without empty and `.` elements, relative to the volume's root;
/// `None` where a `..` leads out of it. (Kubernetes admits no `..` here.)
fn clean(path: &str) -> Option<String> {
    let mut elements = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => {
                elements.pop()?;
            }
            element => elements.push(element),
        }
    }
    Some(elements.join("/"))
}

/// A ConfigMap or Secret in a volume.
struct Part<'a> {
    place: Place,
    kind: SourceKind,
    name: &'a Arc<str>,
    items: &'a [KeyToPath],
    optional: bool,
    /// How many of the volume's layers are not over it.
    over: usize,
}

fn parts(volume: &Volume) -> impl Iterator<Item = Part<'_>> {
    let config_map = volume.config_map.iter().map(|v| Part {
        place: Place::Volume,
        kind: SourceKind::CONFIG_MAP,
        name: &v.name,
        items: &v.items,
        optional: v.optional,
        over: 0,
    });
    let secret = volume.secret.iter().map(|v| Part {
        place: Place::Volume,
        kind: SourceKind::SECRET,
        name: &v.secret_name,
        items: &v.items,
        optional: v.optional,
        over: 0,
    });
    let projected = projections(volume).enumerate().flat_map(|(at, source)| {
        let config_map = source
            .config_map
            .iter()
            .map(|p| (SourceKind::CONFIG_MAP, p));
        let secret = source.secret.iter().map(|p| (SourceKind::SECRET, p));
        config_map.chain(secret).map(move |(kind, p)| Part {
            place: Place::Projected,
            kind,
            name: &p.name,
            items: &p.items,
            optional: p.optional,
            over: at + 1,
        })
    });
    config_map.chain(secret).chain(projected)
}

/// What the sources of a projected volume give, one layer each.
pub(super) fn layers(volume: &Volume) -> Arc<[Layer]> {
    let mut parts = parts(volume).peekable();
    let layer = |(at, source): (usize, &VolumeProjection)| {
        let mut layer = None;
        while let Some(part) = parts.next_if(|part| part.over == at + 1) {
            layer = Some(Layer::Source {
                source: (part.kind, Arc::clone(part.name)),
                place: part.place,
                selection: part.selection(&View::Directory, &Selection::Files),
            });
        }
        layer.unwrap_or_else(|| {
            let paths = given_paths(source).filter_map(|(_, path)| clean(path));
            Layer::Given(paths.map(Arc::from).collect())
        })
    };
    projections(volume).enumerate().map(layer).collect()
}

/// How many sources a volume has.
pub(super) fn count(volume: &Volume) -> usize {
    parts(volume).count()
}

/// How many items its sources have.
pub(super) fn items(volume: &Volume) -> usize {
    let items = parts(volume).flat_map(|part| part.items);
    items.map(|item| 1 + item.path.len() / LONG).sum()
}

/// The uses of a volume's sources through its mounts, where `layers` are those of the volume.
pub(super) fn uses<'a>(
    volume: &'a Volume,
    layers: &Arc<[Layer]>,
    view: &View,
) -> impl Iterator<Item = (SourceKind, &'a Arc<str>, Use)> {
    let whole = view.of_whole_source();
    parts(volume).map(move |part| {
        let use_ = Use {
            place: part.place,
            selection: part.selection(view, &whole),
            optional: part.optional,
            // A volume can't be mounted without any of its items, whatever is shown of it.
            required: required(part.optional, part.items.iter().map(|item| &item.key)),
            over: match part.over {
                0 => Over::default(),
                over => Over::new(layers, over),
            },
        };
        (part.kind, part.name, use_)
    })
}

impl Part<'_> {
    /// What is seen of the source, which is `whole` if all its keys are files.
    fn selection(&self, view: &View, whole: &Selection) -> Selection {
        if self.items.is_empty() {
            return whole.clone();
        }
        let files = self.items.iter().filter_map(|item| {
            let path = clean(&item.path).filter(|path| view.shows(path))?;
            Some((path.into(), Arc::clone(&item.key)))
        });
        match self.optional {
            true => Selection::optional_keys(files),
            false => Selection::keys(files),
        }
    }
}
