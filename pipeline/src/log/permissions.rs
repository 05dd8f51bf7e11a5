//! Who may read what a storage holds (K48).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Folders of the root that others than the owner may be meant to read.
const SHARED: [&str; 2] = ["tables", "latest"];

/// Permissions of folders and files, whatever the umask: those below `tables/` and `latest/` follow `[storage] mode`, all others
/// are the owner's alone.
///
/// The root is the owner's alone too where it is made here. A root that exists keeps its permissions: whoever wants a group to
/// read the tables makes it beforehand, or opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageMode {
    shared: u32,
}

impl StorageMode {
    const PRIVATE: u32 = 0o700;

    /// `[storage] mode` of folders, for example `0o750`; files have the same without execution.
    ///
    /// # Errors
    /// A mode that shuts the owner out, or that is none.
    pub fn new(mode: u32) -> Result<Self, String> {
        if mode > 0o777 || mode & Self::PRIVATE != Self::PRIVATE {
            return Err(format!(
                "{mode:04o} is not a mode of folders like \"0750\": it is at most 0777 and gives the owner all rights"
            ));
        }
        Ok(Self { shared: mode })
    }

    /// The mode of a folder at this path below the root.
    fn of_folder(self, below_root: &Path) -> u32 {
        let top = below_root.components().next();
        let is_shared = top.is_some_and(|top| SHARED.iter().any(|name| top.as_os_str() == *name));
        if is_shared {
            self.shared
        } else {
            Self::PRIVATE
        }
    }

    /// The mode of a file at this path below the root.
    pub(super) fn of_file(self, below_root: &Path) -> u32 {
        self.of_folder(below_root) & 0o666
    }

    /// Makes `folder` and what is missing above it, as far as the root.
    pub(super) fn make_folder(self, root: &Path, folder: &Path) -> io::Result<()> {
        if folder == root || folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make_folder(root, above)?;
        }
        match fs::create_dir(folder) {
            Ok(()) => {
                let below_root = folder.strip_prefix(root).unwrap_or(folder);
                set(folder, self.of_folder(below_root))
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Default for StorageMode {
    fn default() -> Self {
        Self { shared: 0o750 }
    }
}

/// Makes the root of a storage; one that exists keeps its permissions.
pub(super) fn make_root(root: &Path) -> io::Result<()> {
    if let Some(above) = root.parent() {
        fs::create_dir_all(above)?;
    }
    if root.is_dir() {
        return Ok(());
    }
    fs::create_dir(root)?;
    set(root, StorageMode::PRIVATE)
}

/// Makes a folder that is the owner's alone, in a folder that exists.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => set(folder, StorageMode::PRIVATE),
    }
}

/// Gives the file or folder at `path` this mode, which the umask cannot change.
#[cfg(unix)]
pub(super) fn set(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(super) fn set(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
