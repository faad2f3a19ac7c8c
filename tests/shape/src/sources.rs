//! The text of the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The texts of all Rust files under a folder, by path: `src/core/mod.rs`.
#[derive(Debug, Default)]
pub(crate) struct Sources(pub(crate) BTreeMap<String, String>);

impl Sources {
    /// Reads the folder and all below it.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let mut sources = Self::default();
        sources.add(folder)?;
        Ok(sources)
    }

    fn add(&mut self, folder: &Path) -> Result<(), String> {
        let failed = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                self.add(&path)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                self.0.insert(path.display().to_string(), text);
            }
        }
        Ok(())
    }
}
