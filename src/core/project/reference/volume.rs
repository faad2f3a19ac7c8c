//! Which keys a mount of a volume sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Place, Runs, Selection, Use, containers, required};
use crate::core::project::pod_spec::{
    DownwardApi, KeyToPath, PodSpec, Volume, VolumeMount, VolumeProjection,
};
use crate::kinds::SourceKind;

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
        let mounting: Box<[_]> = containers(spec)
            .filter(|(container, runs)| {
                let mut mounts = container.volume_mounts.iter();
                *runs == Runs::WithPod
                    && mounts
                        .any(|mount| mount.name == volume.name && View::of(mount).is_refreshed())
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
    use SelfRefreshedKind as Kind;
    fn labels(api: &DownwardApi) -> impl Iterator<Item = &str> {
        api.items.iter().map(|file| &*file.path)
    }

    let mut paths = BTreeMap::<_, Vec<_>>::new();
    if let Some(api) = &volume.downward_api {
        paths
            .entry(Kind::DownwardApi)
            .or_default()
            .extend(labels(api));
    }
    for source in projections(volume) {
        if let Some(api) = &source.downward_api {
            paths
                .entry(Kind::DownwardApi)
                .or_default()
                .extend(labels(api));
        }
        if let Some(token) = &source.service_account_token {
            paths
                .entry(Kind::ServiceAccountToken)
                .or_default()
                .push(&token.path);
        }
        if let Some(bundle) = &source.cluster_trust_bundle {
            paths
                .entry(Kind::ClusterTrustBundle)
                .or_default()
                .push(&bundle.path);
        }
        if let Some(certificate) = &source.pod_certificate {
            paths.entry(Kind::PodCertificate).or_default().extend([
                &*certificate.credential_bundle_path,
                &*certificate.key_path,
                &*certificate.certificate_chain_path,
            ]);
        }
    }
    paths
}

fn projections(volume: &Volume) -> impl Iterator<Item = &VolumeProjection> {
    volume
        .projected
        .iter()
        .flat_map(|projected| &projected.sources)
}

/// The part of a volume that a mount shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The volume's directory, refreshed by the kubelet.
    Directory,
    /// Everything, fixed at start: a subPathExpr, whose variables may name any path.
    Anything,
    /// One file or folder, by its cleaned path; fixed at start.
    Path(String),
    /// A path that can't be in a volume.
    Nothing,
}

impl View {
    pub(super) fn of(mount: &VolumeMount) -> Self {
        match (&*mount.sub_path, &*mount.sub_path_expr) {
            ("", "") => Self::Directory,
            ("", _) => Self::Anything,
            (path, _) => match clean(path).as_deref() {
                None => Self::Nothing,
                // `.` is the root, and `..data` the link to the current
                // content: what they lead to is fixed at start all the same.
                Some("" | "..data") => Self::Anything,
                Some(path) => Self::Path(path.strip_prefix("..data/").unwrap_or(path).to_owned()),
            },
        }
    }

    /// Whether the kubelet refreshes it in a running container.
    pub(super) fn is_refreshed(&self) -> bool {
        *self == Self::Directory
    }

    /// Whether a file at this cleaned path is seen.
    fn shows(&self, file: &str) -> bool {
        match self {
            Self::Directory | Self::Anything => true,
            Self::Path(path) => file
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Nothing => false,
        }
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
}

fn parts(volume: &Volume) -> impl Iterator<Item = Part<'_>> {
    let config_map = volume.config_map.iter().map(|v| Part {
        place: Place::Volume,
        kind: SourceKind::CONFIG_MAP,
        name: &v.name,
        items: &v.items,
        optional: v.optional,
    });
    let secret = volume.secret.iter().map(|v| Part {
        place: Place::Volume,
        kind: SourceKind::SECRET,
        name: &v.secret_name,
        items: &v.items,
        optional: v.optional,
    });
    let projected = projections(volume).flat_map(|source| {
        let config_map = source
            .config_map
            .iter()
            .map(|p| (SourceKind::CONFIG_MAP, p));
        let secret = source.secret.iter().map(|p| (SourceKind::SECRET, p));
        config_map.chain(secret).map(|(kind, p)| Part {
            place: Place::Projected,
            kind,
            name: &p.name,
            items: &p.items,
            optional: p.optional,
        })
    });
    config_map.chain(secret).chain(projected)
}

/// The uses of a volume's sources through a mount.
pub(super) fn uses<'a>(
    volume: &'a Volume,
    view: &View,
) -> impl Iterator<Item = (SourceKind, &'a Arc<str>, Use)> {
    let others = self_refreshed_paths(volume).into_values().flatten();
    let others = others.filter(|path| clean(path).is_some_and(|path| view.shows(&path)));
    let providers = others.count() + parts(volume).filter(|part| part.provides(view)).count();
    parts(volume).map(move |part| {
        let selection = part.selection(view);
        let use_ = Use {
            place: part.place,
            required: part.required(&selection, providers == 1),
            selection,
            optional: part.optional,
        };
        (part.kind, part.name, use_)
    })
}

impl Part<'_> {
    fn selection(&self, view: &View) -> Selection {
        if self.items.is_empty() {
            return match view {
                View::Directory | View::Anything => Selection::Files,
                // A key can't hold a slash, so there is no file further down.
                View::Path(path) if !path.contains('/') => {
                    let key = Arc::<str>::from(path.as_str());
                    Selection::keys([(Arc::clone(&key), key)])
                }
                View::Path(_) | View::Nothing => Selection::keys([]),
            };
        }
        let files = self.items.iter().filter_map(|item| {
            let path = clean(&item.path).filter(|path| view.shows(path))?;
            Some((path.into(), Arc::clone(&item.key)))
        });
        Selection::keys(files)
    }

    /// Whether something of this source may be seen.
    fn provides(&self, view: &View) -> bool {
        self.selection(view) != Selection::keys([])
    }

    /// A volume can't be mounted without any of its items. A subPath of a
    /// volume without items needs the key of that name, unless another source
    /// of the volume may have it.
    fn required(&self, selection: &Selection, sole_provider: bool) -> Box<[Arc<str>]> {
        match selection {
            _ if !self.items.is_empty() => {
                required(self.optional, self.items.iter().map(|item| &item.key))
            }
            Selection::Keys(selected) if sole_provider => {
                required(self.optional, selected.iter().map(|(_, key)| key))
            }
            _ => Box::default(),
        }
    }
}
