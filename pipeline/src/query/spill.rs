//! Where queries put what does not fit into memory: a private folder of the storage (K48).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use datafusion::execution::disk_manager::DiskManagerMode;

use crate::log::make_private_folder;

/// What a killed process left behind goes after this.
const MAXIMUM_AGE: Duration = Duration::from_secs(24 * 3_600);

/// The folder for spilled rows; without one, a query that needs more memory than it may use fails.
#[derive(Clone, Debug)]
pub struct SpillFolder(Option<PathBuf>);

impl SpillFolder {
    /// `<root>/spill`, made if missing. A reader who may not write into the storage has none.
    pub fn in_storage(root: &Path) -> Self {
        let folder = root.join("spill");
        if make_private_folder(&folder).is_err() {
            return Self(None);
        }
        remove_remains(&folder);
        Self(Some(folder))
    }

    /// For sessions that spill nothing.
    pub fn none() -> Self {
        Self(None)
    }

    pub(super) fn mode(&self) -> DiskManagerMode {
        match &self.0 {
            Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
            None => DiskManagerMode::Disabled,
        }
    }
}

/// Removes folders of processes that are gone. What cannot be removed stays, and costs space only.
fn remove_remains(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|found| found.modified());
        let age = age.ok().and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > MAXIMUM_AGE) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
