//! A local folder as an object store whose acknowledgement means: it survives power loss.
//!
//! `object_store`'s own `LocalFileSystem` writes a staged file and then links or renames it, without syncing either. Here,
//! before a put, copy or rename is acknowledged:
//!
//! 1. `open(O_CREAT | O_EXCL)` a staged file in the target's folder, `write`, `fdatasync`: the data is on disk before any
//!    name shows it;
//! 2. create-if-absent: `link(staged, name)`, which fails where the name exists and is atomic; overwrite: `rename(staged, name)`;
//! 3. `fsync` of the folder: the name is on disk (and of each folder above it, the first time this store uses it);
//! 4. `unlink(staged)`.
//!
//! "Exists" is answered only after a sync of the folder, too: whoever acts on a record that he found must not see it
//! vanish. Staged files end in `#<digits>`, which listings leave out. Reads and deletions are passed on; a deletion that
//! power loss undoes does no harm here, as nothing is deleted that is still named.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryFutureExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, Result, UploadPart,
};
use uuid::Uuid;

use super::error;
use super::permissions::{StorageMode, make_root, set};

const STORE: &str = "FsyncStore";

/// `LocalFileSystem` with durable writes; see the module's page.
#[derive(Debug, Clone)]
pub struct FsyncStore {
    local: LocalFileSystem,
    disk: Arc<Disk>,
}

impl FsyncStore {
    /// Opens `root`, making it (and the folders above it) if missing; all paths are relative to it.
    pub fn open(root: &FsPath, mode: StorageMode) -> crate::error::Result<Self> {
        make_root(root).map_err(error::folder(root))?;
        Self::open_existing(root, mode)
    }

    /// Opens `root`, which has to exist.
    pub(super) fn open_existing(root: &FsPath, mode: StorageMode) -> crate::error::Result<Self> {
        let root = root.canonicalize().map_err(error::folder(root))?;
        for folder in root.ancestors() {
            // Folders above the root may belong to others and be closed to us; they were not made just now, then.
            if sync_folder(folder).is_err() {
                break;
            }
        }
        let local =
            LocalFileSystem::new_with_prefix(&root).map_err(error::store_failed(root.display()))?;
        Ok(Self {
            local,
            disk: Arc::new(Disk {
                root,
                mode,
                synced: Mutex::default(),
            }),
        })
    }

    /// Runs a blocking file operation beside the runtime's workers.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let disk = Arc::clone(&self.disk);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime
                .spawn_blocking(move || work(&disk))
                .await
                .map_err(io::Error::other)?,
            Err(_) => work(&disk),
        }
    }
}

/// The synchronous half: file operations under one root.
#[derive(Debug)]
struct Disk {
    root: PathBuf,
    mode: StorageMode,
    /// Folders whose own name is known to be on disk.
    synced: Mutex<HashSet<PathBuf>>,
}

impl Disk {
    fn put(&self, target: &FsPath, payload: &PutPayload, create: bool) -> io::Result<()> {
        let folder = self.durable_folder(target)?;
        let staged = staged_name(target);
        let mode = self
            .mode
            .of_file(target.strip_prefix(&self.root).unwrap_or(target));
        let written = write(&staged, payload, mode);
        let named = written.and_then(|()| {
            if create {
                std::fs::hard_link(&staged, target)
            } else {
                std::fs::rename(&staged, target)
            }
        });
        if let Err(error) = named {
            remove_quietly(&staged);
            if error.kind() == ErrorKind::AlreadyExists {
                sync_folder(&folder)?;
            }
            return Err(error);
        }
        sync_folder(&folder)?;
        if create {
            remove_quietly(&staged);
        }
        Ok(())
    }

    fn copy(&self, from: &FsPath, to: &FsPath, create: bool) -> io::Result<()> {
        let folder = self.durable_folder(to)?;
        File::open(from)?.sync_data()?;
        let linked = if create {
            std::fs::hard_link(from, to)
        } else {
            let staged = staged_name(to);
            std::fs::hard_link(from, &staged)
                .and_then(|()| std::fs::rename(&staged, to))
                .inspect_err(|_| remove_quietly(&staged))
        };
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            outcome => sync_folder(&folder).and(outcome),
        }
    }

    fn rename(&self, from: &FsPath, to: &FsPath) -> io::Result<()> {
        let folder = self.durable_folder(to)?;
        File::open(from)?.sync_data()?;
        std::fs::rename(from, to)?;
        sync_folder(&folder)?;
        match from.parent() {
            Some(left) if left != folder => sync_folder(left),
            _ => Ok(()),
        }
    }

    /// The folder of `target`, made if missing, with its own name and those above it on disk.
    fn durable_folder(&self, target: &FsPath) -> io::Result<PathBuf> {
        let folder = target
            .parent()
            .ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?
            .to_path_buf();
        if self
            .synced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&folder)
            && folder.is_dir()
        {
            return Ok(folder);
        }
        self.mode.make_folder(&self.root, &folder)?;
        for made in folder
            .ancestors()
            .take_while(|above| above.starts_with(&self.root))
        {
            sync_folder(made)?;
        }
        self.synced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(folder.clone());
        Ok(folder)
    }
}

fn write(staged: &FsPath, payload: &PutPayload, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(staged)?;
    // Before it holds anything.
    set(staged, mode)?;
    for part in payload {
        file.write_all(part)?;
    }
    file.sync_data()
}

/// A name beside `target` that no listing shows and no other process uses.
fn staged_name(target: &FsPath) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!("#{}", Uuid::new_v4().as_u128()));
    name.into()
}

fn sync_folder(folder: &FsPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A staged file that stays behind costs space, nothing else.
fn remove_quietly(staged: &FsPath) {
    let _ = std::fs::remove_file(staged);
}

fn store_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_string();
    match source.kind() {
        ErrorKind::AlreadyExists => Error::AlreadyExists {
            path,
            source: Box::new(source),
        },
        ErrorKind::NotFound => Error::NotFound {
            path,
            source: Box::new(source),
        },
        ErrorKind::PermissionDenied => Error::PermissionDenied {
            path,
            source: Box::new(source),
        },
        _ => Error::Generic {
            store: STORE,
            source: Box::new(source),
        },
    }
}

impl std::fmt::Display for FsyncStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{STORE}({})", self.disk.root.display())
    }
}

#[async_trait]
impl ObjectStore for FsyncStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "put with PutMode::Update".into(),
                    implementer: STORE.into(),
                });
            }
        };
        let target = self.local.path_to_filesystem(location)?;
        self.on_disk(move |disk| disk.put(&target, &payload, create))
            .await
            .map_err(|error| store_error(location, error))?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    /// Collects the parts in memory and puts them at completion, so that nothing half written gets a name.
    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(CollectedUpload {
            store: self.clone(),
            location: location.clone(),
            parts: Vec::new(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.local.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.local.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.local.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.local.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        sorted(self.local.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.local.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (source, target) = (
            self.local.path_to_filesystem(from)?,
            self.local.path_to_filesystem(to)?,
        );
        let create = matches!(options.mode, CopyMode::Create);
        self.on_disk(move |disk| disk.copy(&source, &target, create))
            .await
            .map_err(|error| store_error(to, error))
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let (source, target) = (
            self.local.path_to_filesystem(from)?,
            self.local.path_to_filesystem(to)?,
        );
        let create = matches!(options.target_mode, RenameTargetMode::Create);
        self.on_disk(move |disk| {
            if create {
                disk.copy(&source, &target, true)
                    .and_then(|()| std::fs::remove_file(&source))
            } else {
                disk.rename(&source, &target)
            }
        })
        .await
        .map_err(|error| store_error(to, error))
    }
}

/// A folder's listing in the order of its names, as object stores give it: the Delta log is read in that order.
fn sorted(
    listing: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let collected = listing.try_collect::<Vec<_>>().map_ok(|mut found| {
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        stream::iter(found.into_iter().map(Ok))
    });
    collected.try_flatten_stream().boxed()
}

/// An upload in parts that becomes one durable put.
#[derive(Debug)]
struct CollectedUpload {
    store: FsyncStore,
    location: Path,
    parts: Vec<Bytes>,
}

#[async_trait]
impl MultipartUpload for CollectedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.extend(data);
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let payload = PutPayload::from_iter(std::mem::take(&mut self.parts));
        self.store
            .put_opts(&self.location, payload, PutMode::Overwrite.into())
            .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
