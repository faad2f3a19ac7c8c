//! The user's cache folder: binaries by pins, and the data of running control planes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Stop;

/// `$XDG_CACHE_HOME/projsync/controlplane`, by default under `~/.cache`; made if missing.
pub(crate) fn folder() -> Result<PathBuf, Stop> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .ok_or_else(|| Stop::Failed("no cache folder: set XDG_CACHE_HOME or HOME".to_owned()))?;
    let folder = base.join("projsync/controlplane");
    fs::create_dir_all(&folder).map_err(Stop::because(folder.display()))?;
    Ok(folder)
}

/// Opens a file to be locked.
pub(crate) fn lock_file(path: &Path) -> Result<File, Stop> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Stop::because(path.display()))
}

/// The data of one control plane, removed when dropped.
///
/// A supervisor that was killed cannot remove its folder; the next one does,
/// recognising it by a lock that nobody holds any more.
pub(crate) struct DataFolder {
    folder: TempDir,
    _lock: File,
}

impl DataFolder {
    pub(crate) fn create() -> Result<Self, Stop> {
        let runs = folder()?.join("run");
        fs::create_dir_all(&runs).map_err(Stop::because(runs.display()))?;
        // Held while folders are made and swept, so that nobody takes a folder
        // whose own lock is about to be taken for one left behind.
        let all = lock_file(&runs.join("lock"))?;
        all.lock().map_err(Stop::because(runs.display()))?;
        sweep(&runs);
        let folder = tempfile::Builder::new()
            .prefix("")
            .tempdir_in(&runs)
            .map_err(Stop::because(runs.display()))?;
        let lock = lock_file(&folder.path().join("lock"))?;
        lock.lock().map_err(Stop::because(runs.display()))?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what killed supervisors left. What can't be removed now is left for
/// the next time.
fn sweep(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let path = entry.path();
        let held = File::open(path.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
        if path.is_dir() && !held {
            let _ = fs::remove_dir_all(&path);
        }
    }
}
