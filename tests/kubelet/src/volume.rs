//! The files of a volume: `pkg/volume/{configmap,secret,projected}`, `MakePayload` and
//! `collectData`, and `pkg/volume/util/atomic_writer.go`, `Write`.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{Certificate, Downward, Given, Item, VolumeSpec};
use crate::{Id, Kind, Refused, Source, Sources};

/// What a token is here.
pub const TOKEN: &str = "a token";

/// What trust anchors are here.
const BUNDLE: &str = "trust anchors";

/// What a key with its certificates is here.
const CERTIFICATE: &str = "a certificate";

/// Files by their paths.
pub type Files = BTreeMap<String, String>;

/// The directory of a volume on a node.
///
/// Its files are in a folder of their own, to which `..data` leads. What is seen at the root are
/// links into `..data`. Each change of any file makes a new folder, and removes the old one with
/// all that is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    root: BTreeMap<String, Entry>,
    files: Files,
    /// Folders that were made for a `subPath` in the folder of the files.
    made: BTreeSet<String>,
    /// How often the files were written.
    written: usize,
}

/// What is at the root of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// A link into `..data`.
    Link,
    /// An empty folder, which was made for a `subPath` that led to nothing.
    Folder,
}

/// What a `subPath` led to when a container started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The root, as it is at any time.
    Root,
    /// A file, which stays what it was though the volume is written again.
    File(String),
    /// A folder of the files as they were written then. It is emptied when they are written again.
    Folder {
        /// Of `written`.
        written: usize,
        /// Below `..data`; empty for `..data` itself.
        path: String,
    },
    /// A folder at the root that was made for it, and stays empty.
    Empty,
}

impl Volume {
    /// `SetUpAt`, at first and at each refresh: what the volume is to hold is gathered, and written
    /// where it differs from what is there.
    ///
    /// # Errors
    /// Where something required is absent, or a path can't be written. Then all stays as it was.
    pub fn set_up(
        &mut self,
        spec: &VolumeSpec,
        sources: &Sources,
        given: &Given,
    ) -> Result<(), Refused> {
        self.write(gather(spec, sources, given)?)
    }

    /// `AtomicWriter.Write`.
    fn write(&mut self, payload: Files) -> Result<(), Refused> {
        let files = cleaned(payload)?;
        // (3) Paths of the old files and their folders, that are no paths of the new ones.
        let (old, new) = (self.paths(), paths(files.keys()));
        let gone: Vec<&String> = old.difference(&new).collect();
        // (4)
        let changed = files
            .iter()
            .any(|(path, content)| self.files.get(path) != Some(content));
        let tops = |paths: &[&String]| -> Vec<String> {
            let top = paths.iter().filter(|path| !path.contains('/'));
            top.map(|path| (*path).clone()).collect()
        };
        let removed = tops(&gone);
        if self.written == 0 || changed || !gone.is_empty() {
            // (5) to (9), (12)
            self.files = files;
            self.made.clear();
            self.written += 1;
        }
        // (10) A folder that stands in the way stays.
        for top in self.files.keys().map(|path| first(path)) {
            self.root.entry(top.to_owned()).or_insert(Entry::Link);
        }
        // (11) A link or an empty folder.
        for top in removed {
            self.root.remove(&top);
        }
        Ok(())
    }

    /// The paths in the folder of the files, folders included.
    fn paths(&self) -> BTreeSet<String> {
        let mut paths = paths(self.files.keys());
        paths.extend(self.made.iter().cloned());
        paths
    }

    /// What is seen of the volume at its root now: its files. Empty folders are not told.
    #[must_use]
    pub fn seen(&self) -> Files {
        let linked = |path: &str| self.root.get(first(path)) == Some(&Entry::Link);
        let files = self.files.iter().filter(|(path, _)| linked(path));
        files
            .map(|(path, content)| (path.clone(), content.clone()))
            .collect()
    }

    /// Whether an empty folder that was made for a `subPath` keeps a file from being seen.
    #[must_use]
    pub fn is_obstructed(&self) -> bool {
        let mut files = self.files.keys();
        files.any(|path| self.root.get(first(path)) != Some(&Entry::Link))
    }

    /// What is seen now through a `subPath` that was bound earlier: a file has the path ``.
    #[must_use]
    pub fn seen_through(&self, bound: &Bound) -> Files {
        match bound {
            Bound::Root => self.seen(),
            Bound::File(content) => Files::from([(String::new(), content.clone())]),
            Bound::Folder { written, path } if *written == self.written => {
                let below = |file: &str| match path.as_str() {
                    "" => Some(file.to_owned()),
                    folder => file
                        .strip_prefix(folder)?
                        .strip_prefix('/')
                        .map(str::to_owned),
                };
                let files = self.files.iter();
                files
                    .filter_map(|(file, content)| Some((below(file)?, content.clone())))
                    .collect()
            }
            Bound::Folder { .. } | Bound::Empty => Files::new(),
        }
    }

    /// Binds a `subPath`: `makeMounts` of `pkg/kubelet/kubelet_pods.go` with `SafeMakeDir` and
    /// `PrepareSafeSubpath` of `pkg/volume/util/subpath/subpath_linux.go`. Links are followed at
    /// that moment. What is not there is made as an empty folder; at the root of the volume such a
    /// folder keeps the place of a key that comes later.
    ///
    /// # Errors
    /// Where the path is not one, or leads through a file.
    pub fn bind(&mut self, sub_path: &str) -> Result<Bound, Refused> {
        if sub_path.starts_with('/') || sub_path.split('/').any(|element| element == "..") {
            return Err(Refused::Path(sub_path.to_owned()));
        }
        let path = clean(sub_path);
        let in_data = match (path.as_str(), first(&path)) {
            ("", _) => return Ok(Bound::Root),
            (whole, "..data") => whole.strip_prefix("..data").map(clean),
            (_, top) => match self.root.get(top) {
                Some(Entry::Link) => Some(path.clone()),
                Some(Entry::Folder) => None,
                None => {
                    self.root.insert(top.to_owned(), Entry::Folder);
                    None
                }
            },
        };
        let Some(in_data) = in_data else {
            return Ok(Bound::Empty);
        };
        if let Some(content) = self.files.get(&in_data) {
            return Ok(Bound::File(content.clone()));
        }
        let through = self.files.keys().find(|file| is_below(&in_data, file));
        if let Some(file) = through {
            return Err(Refused::NotAFolder(file.clone()));
        }
        if !in_data.is_empty() && !self.paths().contains(&in_data) {
            self.made.extend(paths([&in_data]));
        }
        Ok(Bound::Folder {
            written: self.written,
            path: in_data,
        })
    }
}

/// What a volume is to hold. Of the sources of a projected volume later ones win; the kubelet
/// goes through all before it gives up.
fn gather(spec: &VolumeSpec, sources: &Sources, given: &Given) -> Result<Files, Refused> {
    let mut files = Files::new();
    if let Some(part) = &spec.config_map {
        files.extend(payload(
            (Kind::ConfigMap, part.name.clone()),
            &part.items,
            part.optional,
            sources,
        )?);
    }
    if let Some(part) = &spec.secret {
        files.extend(payload(
            (Kind::Secret, part.secret_name.clone()),
            &part.items,
            part.optional,
            sources,
        )?);
    }
    if let Some(fields) = &spec.downward_api {
        files.extend(downward(fields, given));
    }
    for source in spec.projected.iter().flat_map(|one| &one.sources) {
        let part = source.config_map.as_ref().map(|one| (Kind::ConfigMap, one));
        let part = part.or(source.secret.as_ref().map(|one| (Kind::Secret, one)));
        if let Some((kind, part)) = part {
            let id = (kind, part.name.clone());
            files.extend(payload(id, &part.items, part.optional, sources)?);
        }
        if let Some(fields) = &source.downward_api {
            files.extend(downward(fields, given));
        }
        if let Some(token) = &source.service_account_token {
            files.insert(token.path.clone(), TOKEN.to_owned());
        }
        // An optional one that is absent gives an empty file.
        if let Some(bundle) = &source.cluster_trust_bundle {
            files.insert(bundle.path.clone(), BUNDLE.to_owned());
        }
        files.extend(source.pod_certificate.iter().flat_map(certificate));
    }
    Ok(files)
}

fn downward<'a>(fields: &'a Downward, given: &'a Given) -> impl Iterator<Item = (String, String)> {
    fields.items.iter().map(|file| {
        let content = file.field_ref.as_ref().map(|field| given.field(field));
        (file.path.clone(), content.unwrap_or_default())
    })
}

fn certificate(of: &Certificate) -> impl Iterator<Item = (String, String)> {
    let paths = [
        &of.credential_bundle_path,
        &of.key_path,
        &of.certificate_chain_path,
    ];
    let named = paths.into_iter().filter(|path| !path.is_empty());
    named.map(|path| (path.clone(), CERTIFICATE.to_owned()))
}

/// `MakePayload`: all keys, or the `items`, of which later ones win.
fn payload(id: Id, items: &[Item], optional: bool, sources: &Sources) -> Result<Files, Refused> {
    let none = Source::default();
    let source = match sources.get(&id) {
        Some(source) => source,
        None if optional => &none,
        None => return Err(Refused::NoSource(id)),
    };
    if items.is_empty() {
        let all = source.data.iter().chain(&source.binary_data);
        return Ok(all
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect());
    }
    let mut files = Files::new();
    for item in items {
        let content = source.data.get(&item.key);
        match content.or_else(|| source.binary_data.get(&item.key)) {
            Some(content) => {
                files.insert(item.path.clone(), content.clone());
            }
            None if optional => {}
            None => return Err(Refused::NoKey(id, item.key.clone())),
        }
    }
    Ok(files)
}

/// `validatePayload`, and that no file is in the way of another.
fn cleaned(payload: Files) -> Result<Files, Refused> {
    let mut files = Files::new();
    for (path, content) in payload {
        if !is_valid(&path) {
            return Err(Refused::Path(path));
        }
        files.insert(clean(&path), content);
    }
    let folders: BTreeSet<&str> = files.keys().flat_map(|path| folders(path)).collect();
    match files.keys().find(|path| folders.contains(path.as_str())) {
        Some(path) => Err(Refused::NotAFolder(path.clone())),
        None => Ok(files),
    }
}

/// `validatePath`.
fn is_valid(path: &str) -> bool {
    let elements = || path.split('/');
    !path.is_empty()
        && path.len() <= 4096
        && !path.starts_with("..")
        && elements().next() != Some("")
        && elements().all(|element| element != ".." && element.len() <= 255)
}

/// Go's `filepath.Clean` for a path without `..`; empty for the root.
pub(crate) fn clean(path: &str) -> String {
    let elements = path.split('/');
    let kept: Vec<&str> = elements
        .filter(|element| !matches!(*element, "" | "."))
        .collect();
    kept.join("/")
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// The folders that lead to a path.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The paths and the folders that lead to them.
fn paths<'a>(of: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let each = of
        .into_iter()
        .flat_map(|path| folders(path).chain([path.as_str()]));
    each.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
